"""Bulk edit of CTAs and of tasks over the API."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cs_platform.jobs.bulk import BulkVerb, CannotChoose
from cs_platform.jobs.models import Job
from cs_platform.rest.bulk import BulkEditSerializer, checked_verb, nobody_is_meant
from cs_platform.rest.problems import Fault, Invalid
from cs_platform.tenancy.models import ApiKey, Tenant
from ctas.bulk.kind import bulk_verbs, start_bulk_edit, task_verbs
from ctas.bulk.selection import Selection, TaskSelection

__all__ = ["BulkEditSerializer", "started_bulk_edit", "started_edit_of_tasks"]


def started_bulk_edit(checked: dict[str, Any], *, tenant: Tenant, by: ApiKey, now: datetime) -> Job:
    """The job. Raises Invalid for what the dialog would refuse."""
    return _started(Selection, bulk_verbs(), checked, noun="CTA", tenant=tenant, by=by, now=now)


def started_edit_of_tasks(checked: dict[str, Any], *, tenant: Tenant, by: ApiKey, now: datetime) -> Job:
    return _started(TaskSelection, task_verbs(), checked, noun="task", tenant=tenant, by=by, now=now)


def _started(
    kind: type[Selection],
    verbs: Mapping[str, BulkVerb],
    checked: dict[str, Any],
    *,
    noun: str,
    tenant: Tenant,
    by: ApiKey,
    now: datetime,
) -> Job:
    verb, config = checked_verb(verbs, checked, by)
    selection = kind(tuple(dict.fromkeys(checked.get("ids", ()))), checked.get("query"))
    try:
        count = selection.among(tenant=tenant, member=None, now=now).count()
    except CannotChoose as refusal:
        raise Invalid(faults=[Fault("/query", str(refusal))]) from None
    if not count:
        raise nobody_is_meant(checked, noun)
    return start_bulk_edit(selection, verb, config, by=by, now=now)
