"""The indicators of an account, and what is said about them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.actors import Actor, load_actors
from accounts.models import Account, Indicator, TimelineEntry
from cs_platform.tenancy.models import Doer
from cs_platform.workspace.comments import write_comment
from cs_platform.workspace.models import Comment

PAST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class ShownIndicator:
    indicator: Indicator
    raised_by: Actor
    settled_by: Actor


def active_indicators(account: Account) -> list[ShownIndicator]:
    """Risks first, the newest of each first. Few by nature: one per kind and title."""
    active = account.indicators.filter(state=Indicator.State.ACTIVE).select_related("assignee")
    return _shown(active.order_by("-kind", "-raised_at", "pk"))


@dataclass(frozen=True, slots=True)
class PastIndicators:
    indicators: Sequence[ShownIndicator]
    more: bool


def past_indicators(account: Account) -> PastIndicators:
    """Addressed and ended ones, the latest raised first."""
    past = account.indicators.exclude(state=Indicator.State.ACTIVE).select_related("assignee")
    found = list(past.order_by("-raised_at", "-pk")[: PAST_SHOWN + 1])
    return PastIndicators(_shown(found[:PAST_SHOWN]), more=len(found) > PAST_SHOWN)


def _shown(indicators: Iterable[Indicator]) -> list[ShownIndicator]:
    found = list(indicators)
    actors = load_actors({actor for one in found for actor in (one.raised_by, one.settled_by)})
    return [ShownIndicator(one, actors[one.raised_by], actors[one.settled_by]) for one in found]


def comment_on(indicator: Indicator, *, body: str, by: Doer, now: datetime) -> Comment:
    where = {"about": indicator.title, "url": indicator.get_absolute_url()}
    comment = write_comment(subject=indicator.subject, body=body, by=by, now=now, **where)
    TimelineEntry.objects.create(
        account_id=indicator.account_id,
        at=now,
        kind="comment.written",
        actor=by.actor,
        text=f"Commented on “{indicator.title}”",
        subject=indicator.subject,
    )
    return comment
