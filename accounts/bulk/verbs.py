"""What can be done to many accounts at once. Upper layers add verbs of theirs through settings.BULK_VERBS."""

from collections.abc import Mapping
from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from cs_platform.jobs import bulk
from cs_platform.jobs.bulk import Config, Done, Task, VerbForm
from cs_platform.jobs.models import JobItem
from cs_platform.tenancy.roles import Ability

__all__ = ["BulkVerb", "Config", "Done", "Task", "VerbForm", "account_id_of", "bulk_verbs", "subject_of"]


class BulkVerb(bulk.BulkVerb):
    ability = Ability.EDIT_ACCOUNTS


@cache
def bulk_verbs() -> Mapping[str, BulkVerb]:
    verbs: list[BulkVerb] = [import_string(path)() for path in settings.BULK_VERBS]
    return {verb.key: verb for verb in verbs}


def subject_of(account_id: int) -> str:
    return f"account:{account_id}"


def account_id_of(item: JobItem) -> int:
    return int(item.subject.partition(":")[2])
