"""What is done to, or with, many accounts or users at once, by a job."""

from datetime import datetime
from http import HTTPStatus
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied

from accounts.bulk.kind import start_bulk_edit
from accounts.bulk.selection import Selection
from accounts.bulk.verbs import BulkVerb, bulk_verbs
from accounts.exports import TooManyExports, start_export
from accounts.table.asked import CannotAsk
from accounts.table.listing import Listing
from cs_platform.jobs.bulk import MOST_IDS
from cs_platform.jobs.models import Job
from cs_platform.rest.problems import Fault, Invalid, Problem
from cs_platform.tenancy.models import ApiKey, Tenant
from cs_platform.tenancy.roles import scopes_allow


class BulkEditSerializer(serializers.Serializer[Any]):
    ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1), required=False, max_length=MOST_IDS
    )
    query = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=60_000,
        help_text="Instead of ids: the query string of the table, such as `status=trialing&q=harbour`.",
    )
    verb = serializers.CharField(max_length=40, help_text="What to do; docs/jobs.md lists the verbs.")
    config = serializers.DictField(help_text="The verb's settings.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("query" in attrs) == bool(attrs.get("ids")):
            raise serializers.ValidationError({"ids": "Give ids or a query: one of the two."})
        return attrs


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
    verb = _verb(listing, checked["verb"], by)
    form = verb.form(checked["config"])
    if not form.is_valid():
        raise Invalid(
            faults=[Fault(f"/config/{name}", " ".join(map(str, errors))) for name, errors in form.errors.items()]
        )
    selection = Selection(tuple(dict.fromkeys(checked.get("ids", ()))), checked.get("query"), listing)
    try:
        count = selection.among(tenant=tenant, member=None, now=now).count()
    except CannotAsk as refusal:
        raise Invalid(faults=[Fault("/query", str(refusal))]) from None
    if not count:
        raise Invalid(
            faults=[Fault("/query" if selection.query is not None else "/ids", f"No {listing.noun} is meant.")]
        )
    return start_bulk_edit(selection, verb, form.config(), by=by, now=now)


def _verb(listing: Listing, key: str, by: ApiKey) -> BulkVerb:
    verbs = bulk_verbs(listing)
    verb = verbs.get(key)
    if verb is None:
        raise Invalid(faults=[Fault("/verb", f"There is no such verb. Choose one of {', '.join(verbs)}.")])
    if not scopes_allow(by.scopes, verb.ability):
        raise PermissionDenied
    return verb
