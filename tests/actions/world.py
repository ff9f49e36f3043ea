"""A step of a playbook, played without the engine: apply it to a few subjects, look at what shows, take it back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import (
    Account,
    AccountRole,
    Conversation,
    EndUser,
    Indicator,
    IndicatorClaim,
    Note,
    NpsEligibility,
    SegmentClaim,
)
from actions.base import Action, Applied, Audience, Batch, Keep, Prepared, Run, Undo, UndoDecision
from actions.checks import clean_config
from actions.registry import action_for
from cs_platform.tenancy.context import current_tenant_id
from ctas.models import Cta, Task
from success_plans.models import SuccessPlan
from tests.world import MONDAY

LATER = MONDAY + timedelta(days=3)

Subject = Account | tuple[Account, EndUser]


@dataclass(slots=True)
class Played:
    """One applied step and what came of each run, in the order of the subjects."""

    action: Action
    batch: Batch
    outcomes: Mapping[UUID, Any]

    @property
    def runs(self) -> Sequence[Run]:
        return self.batch.runs

    @property
    def results(self) -> list[Any]:
        return [self.outcomes[run.id] for run in self.runs]

    @property
    def receipts(self) -> list[dict[str, Any]]:
        return [result.receipt for result in self.results]

    @property
    def told(self) -> list[str]:
        return [self.action.tell(self.batch.config, receipt) for receipt in self.receipts]

    def inherits(self, decision: UndoDecision) -> None:
        """What the engine does with a splice: the receipt that names the leaving run as its *before* takes over."""
        assert isinstance(decision, Keep)
        assert decision.inherit is not None
        (receipt,) = self.receipts
        receipt.update(decision.inherit, inherited=True)

    def preview(self, *, now: datetime = LATER) -> list[UndoDecision]:
        return list(self.action.preview_undo(self.applied(now)).values())

    def undo(self, *, now: datetime = LATER) -> list[UndoDecision]:
        """The preview is asked first, and has to come true."""
        preview = self.preview(now=now)
        decisions = list(self.action.undo(self.applied(now)).values())
        assert decisions == preview
        return decisions

    def applied(self, now: datetime) -> Batch:
        done = [
            replace(run, receipt=outcome.receipt)
            for run in self.runs
            if isinstance(outcome := self.outcomes[run.id], Applied | Prepared)
        ]
        return replace(self.batch, runs=done, now=now)


def batch_of(
    key: str, config: Mapping[str, Any] | None, *subjects: Subject, playbook: int = 1, now: datetime = MONDAY
) -> Batch:
    action = action_for(key)
    ctas = _ctas(_parts(subject)[0] for subject in subjects) if action.audiences == {Audience.CTAS} else {}
    return Batch(
        tenant_id=current_tenant_id(),
        config=clean_config(action, action.sample if config is None else config),
        now=now,
        today=now.date(),
        actor=f"playbook:{playbook}",
        playbook_name="Rescue",
        runs=[_run(subject, ctas) for subject in subjects],
    )


def _run(subject: Subject, ctas: Mapping[int, int]) -> Run:
    account, user = _parts(subject)
    return Run(uuid4(), 1, account.pk, user.pk if user else None, ctas.get(account.pk), "UTC", None)


def _parts(subject: Subject) -> tuple[Account, EndUser | None]:
    return subject if isinstance(subject, tuple) else (subject, None)


PLAYED_ON = "Played on"


def _ctas(accounts: Iterable[Account]) -> dict[int, int]:
    """By account: the one CTA on which an action for CTAs is played."""
    here = {account.pk: account for account in accounts}
    known = {cta.account_id for cta in Cta.objects.filter(account__in=here, name=PLAYED_ON)}
    more = {"name": PLAYED_ON, "type": "risk", "created_at": MONDAY, "created_by": "person:1"}
    Cta.objects.bulk_create([Cta(account=at, **more) for pk, at in here.items() if pk not in known])
    return dict(Cta.objects.filter(account__in=here, name=PLAYED_ON).values_list("account_id", "pk"))


def play(key: str, config: Mapping[str, Any] | None, *subjects: Subject, **more: Any) -> Played:
    batch = batch_of(key, config, *subjects, **more)
    action = action_for(key)
    outcomes = action.prepare(batch) if action.external else action.apply(batch)  # type: ignore[attr-defined]
    return Played(action, batch, outcomes)


def visible() -> dict[str, Any]:
    """All that people and rules can see of what actions do; history (ended, archived, cancelled) is not part of it."""
    claims = IndicatorClaim.objects.filter(ended_at__isnull=True).exclude(indicator__state=Indicator.State.ENDED)
    return {
        "accounts": _rows(Account, "pk", "traits", "trait_writers", "t01", "n01", "m01", "d01", "plan", "mrr_cents"),
        "people": _rows(Account, "pk", "csm_id", "ae_id"),
        "users": _rows(EndUser, "pk", "traits", "trait_writers", "t01"),
        "roles": sorted(AccountRole.objects.values_list("account_id", "role_id", "member_id")),
        "indicators": sorted(
            Indicator.objects.exclude(state=Indicator.State.ENDED).values_list("account_id", "kind", "title", "state")
        ),
        "claims": sorted(claims.values_list("indicator_id", "source")),
        "ctas": sorted(Cta.objects.present().exclude(name=PLAYED_ON).values_list("pk", "name", "status")),
        "tasks": sorted(Task.objects.present().values_list("pk", "title", "status")),
        "segments": sorted(SegmentClaim.objects.filter(ended_at=None).values_list("membership_id", "source")),
        "notes": sorted(Note.objects.filter(archived_at=None).values_list("pk", "body")),
        "eligible": sorted(NpsEligibility.objects.filter(ended_at=None).values_list("end_user_id", "source")),
        "plans": sorted(SuccessPlan.objects.present().values_list("pk", "name", "status")),
        "drafts": sorted(Conversation.objects.filter(state="pending").values_list("pk", "subject")),
    }


def _rows(model: Any, *fields: str) -> list[tuple[Any, ...]]:
    return list(model.objects.order_by("pk").values_list(*fields))


def undone(decisions: Sequence[UndoDecision]) -> list[str]:
    assert all(isinstance(decision, Undo) for decision in decisions), decisions
    return [decision.says for decision in decisions]


def kept(decisions: Sequence[UndoDecision]) -> list[tuple[str, str]]:
    found = [decision for decision in decisions if isinstance(decision, Keep)]
    assert len(found) == len(decisions), decisions
    return [(decision.code, decision.says) for decision in found]


def statements(work: Any) -> int:
    """How many statements a piece of work sends."""
    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)
