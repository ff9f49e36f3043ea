"""The job behind a bulk edit of accounts, and of users."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import ClassVar

from accounts.bulk.selection import Chosen, Selection
from accounts.bulk.verbs import bulk_verbs
from accounts.bulk.writing import names_of
from accounts.table.asked import CannotAsk
from accounts.table.listing import Listing
from accounts.table.lists import ACCOUNTS, USERS
from cs_platform.jobs.bulk import BulkKind, BulkVerb, Config, actor_of
from cs_platform.jobs.kinds import JobRefused
from cs_platform.jobs.models import Job
from cs_platform.jobs.starting import start_job
from cs_platform.tenancy.models import Doer
from cs_platform.tenancy.roles import Ability

__all__ = ["BULK_EDIT", "BulkEdit", "BulkEditUsers", "actor_of", "start_bulk_edit"]

BULK_EDIT, BULK_EDIT_USERS = "bulk_edit", "bulk_edit_users"


def start_bulk_edit(selection: Selection, verb: BulkVerb, config: Config, *, by: Doer, now: datetime) -> Job:
    params = {"selection": selection.params, "verb": verb.key, "config": dict(config)}
    kind = BULK_EDIT if selection.listing is ACCOUNTS else BULK_EDIT_USERS
    return start_job(kind, title=verb.describe(config), params=params, by=by, now=now)


class BulkEdit(BulkKind):
    key = BULK_EDIT
    label = "Bulk edit"
    ability = Ability.EDIT_ACCOUNTS
    event = "account:changed"
    listing: ClassVar[Listing] = ACCOUNTS

    def verbs(self) -> Mapping[str, BulkVerb]:
        return bulk_verbs(self.listing)

    def names(self, ids: Iterable[int]) -> Mapping[int, str]:
        return names_of(self.listing, ids)

    def chosen(self, job: Job) -> Chosen:
        try:
            selection = Selection.of(job.params["selection"], self.listing)
            return selection.among(tenant=job.tenant, member=job.member, now=job.created_at)
        except CannotAsk as refusal:
            raise JobRefused(str(refusal)) from None


class BulkEditUsers(BulkEdit):
    key = BULK_EDIT_USERS
    label = "Bulk edit of users"
    listing = USERS
