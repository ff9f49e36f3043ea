"""A dry run: a playbook that is evaluated, enrolls and comes to its days like a live one, but only records.

Its enrollments stand beside real ones and never count for them: not for re-enrollment, limits, rules or columns. It
ends by being promoted to live or discarded; a job then ends what it enrolled, and begins it again for real if asked to.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max, QuerySet

from accounts.models import Account
from accounts.rules.describe import counted
from cs_platform.jobs.kinds import JobKind, JobRefused, Slice
from cs_platform.jobs.models import Job
from cs_platform.jobs.starting import start_job
from cs_platform.tenancy.models import Doer
from cs_platform.tenancy.roles import Ability
from playbooks.enrollment import Application, enroll
from playbooks.holdout import draw, share_of, withhold
from playbooks.models import Enrollment, Playbook
from playbooks.undo import stop_together
from playbooks.versions import NotPossible, announce_evaluation, publish, write_down

END_DRY_RUN = "end_dry_run"
AT_ONCE = 1_000
ENDED = "The dry run has ended."
Status = Playbook.Status


def start_dry_run(playbook: Playbook, *, by: Doer, now: datetime, expected_count: int | None = None) -> None:
    """Publish what is drafted and let evaluations enroll, for the record alone. Raises NotPossible."""
    with transaction.atomic():
        publish(playbook, by=by, now=now)
        playbook = Playbook.objects.select_for_update().get(pk=playbook.pk)
        if playbook.audience == Playbook.Audience.CTAS:
            raise NotPossible("A list of tasks is applied by hand: there is nothing to record.")
        if playbook.status == Status.DRY_RUN:
            return
        if real := playbook.enrollments.real().under_way().count():
            raise NotPossible(f"It is under way in {counted(real, 'place')}. A dry run begins when nothing is.")
        _move(playbook, Status.DRY_RUN, "dry_run_started", by=by, now=now, expected_count=expected_count)
        announce_evaluation(playbook.tenant, now=now)


def promote(playbook: Playbook, *, restart: bool, by: Doer, now: datetime) -> Job | None:
    """It is live from now on. With `restart` those the dry run enrolled begin again today; else only new ones do.

    Raises NotPossible. Returns the job that ends what was only recorded, if there is any.
    """
    with transaction.atomic():
        playbook = _in_dry_run(playbook)
        recorded = recorded_by(playbook)
        shown = recorded.count()  # accepted with it: the first evaluation may enroll as many
        _move(playbook, Status.LIVE, "promoted", by=by, now=now, expected_count=shown, restart=restart)
        announce_evaluation(playbook.tenant, now=now)
        return _end(playbook, recorded, restart=restart, by=by, now=now)


def discard(playbook: Playbook, *, by: Doer, now: datetime) -> Job | None:
    """It is paused, and nothing goes on. What was recorded stays readable. Raises NotPossible."""
    with transaction.atomic():
        playbook = _in_dry_run(playbook)
        recorded = recorded_by(playbook)
        _move(playbook, Status.PAUSED, "dry_run_discarded", by=by, now=now)
        return _end(playbook, recorded, restart=False, by=by, now=now)


def recorded_by(playbook: Playbook) -> QuerySet[Enrollment]:
    """What the present dry run has enrolled and its rules have not let go."""
    dry = Enrollment.objects.filter(playbook=playbook, is_dry=True, activated_at__gte=playbook.live_at)
    return dry.exclude(state__in=(Enrollment.State.STOPPING, Enrollment.State.STOPPED))  # type: ignore[no-any-return]


def _in_dry_run(playbook: Playbook) -> Playbook:
    locked = Playbook.objects.select_for_update().get(pk=playbook.pk)
    if locked.status != Status.DRY_RUN:
        raise NotPossible("It is in no dry run.")
    return locked


def _move(
    playbook: Playbook,
    status: str,
    verb: str,
    *,
    by: Doer,
    now: datetime,
    expected_count: int | None = None,
    **more: Any,
) -> None:
    fields = {"status": status, "live_at": now, "expected_count": expected_count, "first_evaluated_at": None}
    Playbook.objects.filter(pk=playbook.pk).update(**fields)
    after = {"status": status, "expected_count": expected_count, **more}
    write_down(verb, playbook, before={"status": playbook.status}, after=after, by=by, now=now)


def _end(playbook: Playbook, recorded: QuerySet[Enrollment], *, restart: bool, by: Doer, now: datetime) -> Job | None:
    last = recorded.aggregate(last=Max("pk"))["last"]
    if last is None:
        return None
    params = {"playbook": playbook.pk, "restart": restart, "until": last}
    title = f"{'Promote' if restart else 'End'} the dry run of {playbook.name}"
    return start_job(END_DRY_RUN, title=title, params=params, by=by, now=now)


class EndDryRun(JobKind):
    key = END_DRY_RUN
    label = "End of a dry run"
    icon = "eye"
    ability = Ability.PUBLISH_PLAYBOOKS
    event = "playbook:changed"

    def count(self, job: Job, *, now: datetime) -> int:
        return _left(job).count()

    def step(self, job: Job, *, now: datetime) -> Slice:
        """What is ended counts for nothing any more, so who begins again does so in the same transaction."""
        rows = list(_left(job).order_by("pk").values_list("pk", "account_id", "end_user_id")[:AT_ONCE])
        if not rows:
            return Slice(None)
        stop_together([id for id, *_ in rows], tenant=job.tenant, by=job.actor, note=ENDED, now=now)
        begun = _begin_again(job, [(account, user) for _id, account, user in rows], now) if job.params["restart"] else 0
        return Slice(cursor={"after": rows[-1][0]}, done=len(rows), counts={"begun": begun})

    def says(self, job: Job) -> str:
        ended = f"{counted(job.done, 'recorded application')} ended"
        return f"{ended}, {job.result.get('begun', 0):,} begun for real" if job.params["restart"] else ended


def _left(job: Job) -> QuerySet[Enrollment]:
    dry = Enrollment.objects.filter(playbook_id=job.params["playbook"], is_dry=True, pk__lte=job.params["until"])
    left = dry.exclude(state__in=(Enrollment.State.STOPPING, Enrollment.State.STOPPED))
    return left.filter(pk__gt=job.cursor.get("after", 0))  # type: ignore[no-any-return]


def _begin_again(job: Job, pairs: Sequence[tuple[int, int | None]], now: datetime) -> int:
    """From day 1, as if the rules had found them today, the holdout included. Raises JobRefused."""
    playbook = Playbook.objects.select_related("version", "tenant").get(pk=job.params["playbook"])
    if playbook.status != Status.LIVE:
        raise JobRefused(f"{playbook.name} is not live any more. What was begun before goes on or waits.")
    present = set(Account.objects.present().filter(pk__in={one for one, _ in pairs}).values_list("pk", flat=True))
    application = Application(job.tenant, playbook, applied_by=job.actor, now=now, by_rules=True)
    found = [pair for pair in pairs if pair[0] in present]
    left_out = draw(playbook, share_of(playbook.status, application.definition), found)
    if left_out:
        withhold(playbook, left_out, now=now)
    return len(enroll(application, [pair for pair in found if pair not in set(left_out)]))
