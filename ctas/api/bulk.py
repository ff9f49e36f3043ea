"""Bulk edit of CTAs over the API."""

from datetime import datetime
from typing import Any

from cs_platform.jobs.bulk import CannotChoose
from cs_platform.jobs.models import Job
from cs_platform.rest.bulk import BulkEditSerializer, checked_verb, nobody_is_meant
from cs_platform.rest.problems import Fault, Invalid
from cs_platform.tenancy.models import ApiKey, Tenant
from ctas.bulk import Selection, bulk_verbs, start_bulk_edit

__all__ = ["BulkEditSerializer", "started_bulk_edit"]


def started_bulk_edit(checked: dict[str, Any], *, tenant: Tenant, by: ApiKey, now: datetime) -> Job:
    """The job. Raises Invalid for what the dialog would refuse."""
    verb, config = checked_verb(bulk_verbs(), checked, by)
    selection = Selection(tuple(dict.fromkeys(checked.get("ids", ()))), checked.get("query"))
    try:
        count = selection.among(tenant=tenant, member=None, now=now).count()
    except CannotChoose as refusal:
        raise Invalid(faults=[Fault("/query", str(refusal))]) from None
    if not count:
        raise nobody_is_meant(checked, "CTA")
    return start_bulk_edit(selection, verb, config, by=by, now=now)
