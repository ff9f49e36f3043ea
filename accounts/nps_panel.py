"""What the users of an account said, on its page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from accounts.models import Account, EndUser, NpsResponse
from accounts.nps.scores import Tally, answers_in, tally
from cs_platform.web.drawers import Fragment
from cs_platform.web.pages import WorkspaceRequest

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Card:
    tally: Tally
    answers: Sequence[NpsResponse]


class NpsPanel:
    key: ClassVar[str] = "nps"
    label: ClassVar[str] = "NPS"
    beside: ClassVar[bool] = False

    def fragment(self, request: WorkspaceRequest, account: Account) -> Fragment:
        answers = answers_in(account_id=account.pk)
        latest = answers.select_related("end_user").order_by("-answered_at", "-pk")[:SHOWN]
        card = Card(tally(answers), list(latest))
        return Fragment("accounts/nps/_panel.html", {"card": card, "account": account})


def last_answers(user: EndUser) -> Sequence[NpsResponse]:
    """For the user's page: the first is the one that counts."""
    return list(user.nps_responses.select_related("account").order_by("-answered_at", "-pk")[:SHOWN])
