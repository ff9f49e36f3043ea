"""The job behind a bulk edit: account by account in the order of ids, a thousand at a time."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from accounts.bulk.selection import Chosen, Selection
from accounts.bulk.verbs import BulkVerb, Config, Task, bulk_verbs
from accounts.bulk.writing import account_names
from accounts.table.asked import CannotAsk
from cs_platform.jobs.kinds import Failure, JobKind, JobRefused, Slice
from cs_platform.jobs.models import Job, JobItem
from cs_platform.jobs.starting import start_job
from cs_platform.tenancy.models import Doer, Tenant
from cs_platform.tenancy.roles import Ability

AT_ONCE = 1_000
BULK_EDIT = "bulk_edit"


def start_bulk_edit(selection: Selection, verb: BulkVerb, config: Config, *, by: Doer, now: datetime) -> Job:
    params = {"selection": selection.params, "verb": verb.key, "config": dict(config)}
    return start_job(BULK_EDIT, title=verb.describe(config), params=params, by=by, now=now)


def actor_of(job: Job) -> str:
    """How values and entries name what wrote them."""
    return f"job:{job.pk}"


class BulkEdit(JobKind):
    key = BULK_EDIT
    label = "Bulk edit"
    icon = "list-checks"
    ability = Ability.EDIT_ACCOUNTS
    can_undo = True
    event = "account:changed"

    def count(self, job: Job, *, now: datetime) -> int:
        return _chosen(job).count()

    def step(self, job: Job, *, now: datetime) -> Slice:
        ids = _chosen(job).next_ids(after=job.cursor.get("after", 0), limit=AT_ONCE)
        if not ids:
            return Slice(None)
        made = _verb(job).apply(_task(job, job, now), ids)
        place, names = job.done + job.failed, account_names(made.refused)
        return Slice(
            cursor={"after": ids[-1]},
            done=len(ids) - len(made.refused),
            failures=[
                Failure(place + at, made.refused[id], names.get(id, ""))
                for at, id in enumerate(ids, start=1)
                if id in made.refused
            ],
            items=made.items,
            counts={"changed": len(made.items)},
        )

    def says(self, job: Job) -> str:
        changed = job.result.get("changed", 0)
        same = job.done - changed
        parts = [f"{changed:,} changed", f"{same:,} had it already" if same else "", f"{job.failed:,} not done"]
        return ", ".join(part for part in (parts if job.failed else parts[:2]) if part)

    def restore(self, job: Job, items: Sequence[JobItem], *, by: Job, now: datetime) -> Mapping[str, str]:
        return _verb(job).restore(_task(job, by, now), items, undone=actor_of(job))


def _verb(job: Job) -> BulkVerb:
    verb = bulk_verbs().get(job.params["verb"])
    if verb is None:
        raise JobRefused("What this job was to do is not known here any more.")
    return verb


def _task(job: Job, by: Job, now: datetime) -> Task:
    return Task(_tenant(job), job.params["config"], actor_of(by), by.actor, now)


def _chosen(job: Job) -> Chosen:
    try:
        return Selection.of(job.params["selection"]).among(tenant=_tenant(job), member=job.member, now=job.created_at)
    except CannotAsk as refusal:
        raise JobRefused(str(refusal)) from None


def _tenant(job: Job) -> Tenant:
    tenant: Tenant = job.tenant
    return tenant
