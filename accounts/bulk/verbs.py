"""What can be done to many accounts, or users, at once. Upper layers add to BULK_VERBS and USER_BULK_VERBS."""

from collections.abc import Mapping
from functools import cache
from typing import ClassVar

from django.conf import settings
from django.utils.module_loading import import_string

from accounts.table.listing import Listing
from accounts.table.lists import ACCOUNTS
from cs_platform.jobs import bulk
from cs_platform.jobs.bulk import Config, Done, Task, VerbForm
from cs_platform.jobs.models import JobItem
from cs_platform.tenancy.roles import Ability

__all__ = ["BulkVerb", "Config", "Done", "Task", "VerbForm", "bulk_verbs", "id_of", "subject_of"]


class BulkVerb(bulk.BulkVerb):
    ability = Ability.EDIT_ACCOUNTS
    listing: ClassVar[Listing] = ACCOUNTS


@cache
def bulk_verbs(listing: Listing = ACCOUNTS) -> Mapping[str, BulkVerb]:
    paths = settings.BULK_VERBS if listing is ACCOUNTS else settings.USER_BULK_VERBS
    verbs: list[BulkVerb] = [import_string(path)() for path in paths]
    return {verb.key: verb for verb in verbs}


def subject_of(id: int, listing: Listing = ACCOUNTS) -> str:
    return f"{listing.noun}:{id}"


def id_of(item: JobItem) -> int:
    return int(item.subject.partition(":")[2])
