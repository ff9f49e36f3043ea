"""Many enrollments of a playbook at once: applied again, or what failed in them tried again or skipped."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict

from accounts.models import Account
from cs_platform.jobs.bulk import BulkKind, BulkVerb, CannotChoose, Config, Done, Task, VerbForm
from cs_platform.jobs.kinds import Item, JobRefused
from cs_platform.jobs.models import Job, JobItem
from cs_platform.jobs.starting import start_job
from cs_platform.tenancy.models import Doer
from cs_platform.tenancy.roles import Ability
from playbooks import failures
from playbooks.enrolled import Asked, matching
from playbooks.enrollment import Application, enroll
from playbooks.models import ActionRun, Enrollment, Playbook
from playbooks.undo import STOPPABLE, stop_together

BULK_EDIT_ENROLLMENTS = "bulk_edit_enrollments"
NAMES_SHOWN = 5
FOR_GOOD = "What was decided about a failed action stays."
Failed = Callable[..., bool]


@dataclass(frozen=True, slots=True)
class Selection:
    """Kept in the job as `{"ids": […]}` or `{"query": "playbook=3&show=failed"}`."""

    ids: tuple[int, ...] = ()
    query: str | None = None

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> "Selection":
        return cls(tuple(params.get("ids", ())), params.get("query"))

    @property
    def params(self) -> dict[str, Any]:
        return {"ids": list(self.ids)} if self.query is None else {"query": self.query}

    def among(self) -> "Chosen":
        """Raises CannotChoose."""
        if self.query is None:
            return Chosen(Enrollment.objects.filter(pk__in=self.ids, cta=None))
        params = QueryDict(self.query)
        asked, given = Asked.of(params), params.get("playbook", "")
        known = given.isascii() and given.isdecimal() and len(given) < 19
        playbook = Playbook.objects.filter(pk=given).first() if known else None
        if asked is None or playbook is None:
            raise CannotChoose("Say which playbook is meant, and choose one of the filters of its list.")
        return Chosen(matching(playbook, asked))


@dataclass(frozen=True, slots=True)
class Chosen:
    rows: QuerySet[Enrollment]

    def count(self) -> int:
        return self.rows.order_by().count()

    def next_ids(self, *, after: int, limit: int) -> list[int]:
        return list(self.rows.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:limit])

    def names(self) -> list[str]:
        return list(self.rows.order_by("pk").values_list("account__name", flat=True)[:NAMES_SHOWN])


def start_bulk_edit(selection: Selection, verb: BulkVerb, config: Config, *, by: Doer, now: datetime) -> Job:
    params = {"selection": selection.params, "verb": verb.key, "config": dict(config)}
    return start_job(BULK_EDIT_ENROLLMENTS, title=verb.describe(config), params=params, by=by, now=now)


class BulkEditEnrollments(BulkKind):
    key = BULK_EDIT_ENROLLMENTS
    label = "Bulk edit of applications"
    ability = Ability.RELEASE_EVALUATIONS
    event = "playbook:changed"

    def verbs(self) -> Mapping[str, BulkVerb]:
        return VERBS

    def names(self, ids: Iterable[int]) -> Mapping[int, str]:
        return dict(Enrollment.objects.filter(pk__in=list(ids)).values_list("pk", "account__name"))

    def chosen(self, job: Job) -> Chosen:
        """Those there were when it was asked for: what it begins is not met again."""
        try:
            chosen = Selection.of(job.params["selection"]).among()
        except CannotChoose as refusal:
            raise JobRefused(str(refusal)) from None
        return Chosen(chosen.rows.filter(activated_at__lt=job.created_at))


class NoSettings(VerbForm):
    pass


class _Verb(BulkVerb):
    ability = Ability.RELEASE_EVALUATIONS
    form = NoSettings

    def describe(self, config: Config) -> str:
        return self.label


class ApplyAgain(_Verb):
    key = "apply_again"
    label = "Apply the playbook again"
    icon = "workflow"

    def apply(self, task: Task, ids: Sequence[int]) -> Done:
        """Where it has ended, from day 1, on the version that is published now."""
        items: list[Item] = []
        refused: dict[int, str] = {}
        rows = list(
            Enrollment.objects.filter(pk__in=ids).select_related("playbook__version").order_by("playbook_id", "pk")
        )
        for playbook in {one.playbook_id: one.playbook for one in rows}.values():
            mine = [one for one in rows if one.playbook_id == playbook.pk]
            if playbook.status != Playbook.Status.LIVE:
                refused |= {one.pk: f"{playbook.name} is not live." for one in mine}
                continue
            made = _apply_again(task, playbook, mine)
            items += [Item(f"enrollment:{one.pk}", {"begun": made[one.pk]}) for one in mine if one.pk in made]
            refused |= {one.pk: "It is active here, or the account is archived." for one in mine if one.pk not in made}
        return Done(items, refused)

    def restore(self, task: Task, items: Sequence[JobItem], *, undone: str) -> Mapping[str, str]:
        begun = {item.before["begun"]: item.subject for item in items}
        open_still = Enrollment.objects.filter(pk__in=begun, state__in=STOPPABLE).values_list("pk", flat=True)
        stopped = stop_together(sorted(open_still), tenant=task.tenant, by=task.person, note="Undone", now=task.now)
        return {subject: "It was stopped before." for pk, subject in begun.items() if pk not in stopped}


def _apply_again(task: Task, playbook: Playbook, ended: Sequence[Enrollment]) -> dict[int, int]:
    """The new enrollment of each old one. One account or user may have been in it more than once: the first begins."""
    pairs = {(one.account_id, one.end_user_id): one.pk for one in reversed(ended)}
    present = set(Account.objects.present().filter(pk__in={at for at, _ in pairs}).values_list("pk", flat=True))
    application = Application(task.tenant, playbook, applied_by=task.person, now=task.now)
    made = enroll(application, [pair for pair in pairs if pair[0] in present])
    rows = Enrollment.objects.filter(pk__in=made).values_list("account_id", "end_user_id", "pk")
    return {pairs[at, user]: pk for at, user, pk in rows}


class _Settle(_Verb):
    act: Failed
    states: tuple[str, ...]

    def apply(self, task: Task, ids: Sequence[int]) -> Done:
        found = ActionRun.objects.filter(enrollment_id__in=ids, state__in=self.states).order_by("enrollment_id", "pk")
        acted = {run.enrollment_id for run in found if type(self).act(run, by=task.person, now=task.now)}
        return Done([Item(f"enrollment:{pk}", {}) for pk in sorted(acted)])

    def restore(self, task: Task, items: Sequence[JobItem], *, undone: str) -> Mapping[str, str]:
        return {item.subject: FOR_GOOD for item in items}


class RetryFailed(_Settle):
    key = "retry_failed"
    label = "Try failed and held actions again"
    icon = "refresh-cw"
    act = staticmethod(failures.retry)
    states = (ActionRun.State.DEAD, ActionRun.State.HELD)


class SkipFailed(_Settle):
    key = "skip_failed"
    label = "Skip failed and held actions"
    icon = "circle-slash"
    act = staticmethod(failures.skip)
    states = (ActionRun.State.DEAD, ActionRun.State.HELD)


VERBS: Mapping[str, BulkVerb] = {verb.key: verb for verb in (ApplyAgain(), RetryFailed(), SkipFailed())}
