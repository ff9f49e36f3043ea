"""The job behind a bulk edit of accounts."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from accounts.bulk.selection import Chosen, Selection
from accounts.bulk.verbs import BulkVerb, Config, bulk_verbs
from accounts.bulk.writing import account_names
from accounts.table.asked import CannotAsk
from cs_platform.jobs.bulk import BulkKind, actor_of
from cs_platform.jobs.kinds import JobRefused
from cs_platform.jobs.models import Job
from cs_platform.jobs.starting import start_job
from cs_platform.tenancy.models import Doer
from cs_platform.tenancy.roles import Ability

__all__ = ["BULK_EDIT", "BulkEdit", "actor_of", "start_bulk_edit"]

BULK_EDIT = "bulk_edit"


def start_bulk_edit(selection: Selection, verb: BulkVerb, config: Config, *, by: Doer, now: datetime) -> Job:
    params = {"selection": selection.params, "verb": verb.key, "config": dict(config)}
    return start_job(BULK_EDIT, title=verb.describe(config), params=params, by=by, now=now)


class BulkEdit(BulkKind):
    key = BULK_EDIT
    label = "Bulk edit"
    ability = Ability.EDIT_ACCOUNTS
    event = "account:changed"

    def verbs(self) -> Mapping[str, BulkVerb]:
        return bulk_verbs()

    def names(self, ids: Iterable[int]) -> Mapping[int, str]:
        return account_names(ids)

    def chosen(self, job: Job) -> Chosen:
        try:
            selection = Selection.of(job.params["selection"])
            return selection.among(tenant=job.tenant, member=job.member, now=job.created_at)
        except CannotAsk as refusal:
            raise JobRefused(str(refusal)) from None
