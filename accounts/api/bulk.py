"""What is done to, or with, many accounts or users at once, by a job."""

from datetime import datetime
from http import HTTPStatus
from typing import Any

from rest_framework import serializers

from accounts.bulk.kind import start_bulk_edit
from accounts.bulk.selection import Selection
from accounts.bulk.verbs import bulk_verbs
from accounts.exports import TooManyExports, start_export
from accounts.table.asked import CannotAsk
from accounts.table.listing import Listing
from cs_platform.jobs.models import Job
from cs_platform.rest.bulk import BulkEditSerializer, checked_verb, nobody_is_meant
from cs_platform.rest.problems import Fault, Invalid, Problem
from cs_platform.tenancy.models import ApiKey, Tenant

__all__ = ["BulkEditSerializer", "ExportSerializer", "started_bulk_edit", "started_export"]


class ExportSerializer(serializers.Serializer[Any]):
    query = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=60_000,
        help_text="The query string of the table: filters, `sort`, and a `column` for each column.",
    )
    bom = serializers.BooleanField(default=False, help_text="Begin with a byte order mark, as Excel likes it.")


def started_export(listing: Listing, checked: dict[str, Any], *, tenant: Tenant, by: ApiKey, now: datetime) -> Job:
    try:
        return start_export(checked["query"], bom=checked["bom"], tenant=tenant, by=by, now=now, listing=listing)
    except CannotAsk as refusal:
        raise Invalid(faults=[Fault("/query", str(refusal))]) from None
    except TooManyExports as refusal:
        raise Problem(str(refusal), code="too_many_requests", status=HTTPStatus.TOO_MANY_REQUESTS) from None


def started_bulk_edit(listing: Listing, checked: dict[str, Any], *, tenant: Tenant, by: ApiKey, now: datetime) -> Job:
    """The job. Raises Invalid for what the dialog would refuse."""
    verb, config = checked_verb(bulk_verbs(listing), checked, by)
    selection = Selection(tuple(dict.fromkeys(checked.get("ids", ()))), checked.get("query"), listing)
    try:
        count = selection.among(tenant=tenant, member=None, now=now).count()
    except CannotAsk as refusal:
        raise Invalid(faults=[Fault("/query", str(refusal))]) from None
    if not count:
        raise nobody_is_meant(checked, listing.noun)
    return start_bulk_edit(selection, verb, config, by=by, now=now)
