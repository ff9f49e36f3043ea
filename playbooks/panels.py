"""The playbooks of an account, on its page: those under way first, then the past ones, with the note of a stop.

And in the drawer of a CTA: the playbook that opened it, which answers "why do I have this?".
"""

from typing import ClassVar

from django.db.models import QuerySet

from accounts.models import Account
from cs_platform.web.drawers import Fragment, page_address
from cs_platform.web.pages import WorkspaceRequest
from ctas.models import Cta
from playbooks.history import summaries
from playbooks.models import ActionRun, Enrollment
from playbooks.progress import UNDER_WAY

PAST_SHOWN = 20


def enrollments_of(account_id: int) -> QuerySet[Enrollment]:
    """CTA playbooks are shown on their CTA."""
    return Enrollment.objects.filter(account_id=account_id, cta=None).select_related("playbook", "end_user")


def in_panel_order(account_id: int) -> tuple[list[Enrollment], list[Enrollment]]:
    """Under way, then past: the newest first in both."""
    newest_first = enrollments_of(account_id).order_by("-activated_at", "-pk")
    past = newest_first.exclude(state__in=UNDER_WAY)
    return list(newest_first.filter(state__in=UNDER_WAY)), list(past[: PAST_SHOWN + 1])


class PlaybooksPanel:
    key: ClassVar[str] = "playbooks"
    label: ClassVar[str] = "Playbooks"

    def fragment(self, request: WorkspaceRequest, account: Account) -> Fragment:
        active, past = in_panel_order(account.pk)
        here = page_address(request)
        context = {
            "account": account,
            "active": summaries(active),
            "past": summaries(past[:PAST_SHOWN]),
            "more": len(past) > PAST_SHOWN,
            "here": here + ("&" if "?" in here else "?"),
        }
        return Fragment("playbooks/_panel.html", context)


class OpenedBy:
    def fragment(self, request: WorkspaceRequest, cta: Cta) -> Fragment | None:
        if cta.origin_run_id is None:
            return None
        runs = ActionRun.objects.filter(pk=cta.origin_run_id)
        run = runs.select_related("step", "enrollment__playbook", "enrollment__version").first()
        if run is None:
            return None
        [one] = summaries([run.enrollment])
        history = page_address(request, history=run.enrollment.pk)
        return Fragment("playbooks/_opened_by.html", {"one": one, "run": run, "history": history})
