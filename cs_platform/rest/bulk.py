"""Bulk edits over the API: which things, what to do, and what the dialog would refuse."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied

from cs_platform.jobs.bulk import MOST_IDS, BulkVerb
from cs_platform.rest.problems import Fault, Invalid
from cs_platform.tenancy.models import ApiKey
from cs_platform.tenancy.roles import scopes_allow


class BulkEditSerializer(serializers.Serializer[Any]):
    ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1), required=False, max_length=MOST_IDS
    )
    query = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=60_000,
        help_text="Instead of ids: the query string of the page that lists them.",
    )
    verb = serializers.CharField(max_length=40, help_text="What to do; docs/jobs.md lists the verbs.")
    config = serializers.DictField(help_text="The verb's settings.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("query" in attrs) == bool(attrs.get("ids")):
            raise serializers.ValidationError({"ids": "Give ids or a query: one of the two."})
        return attrs


def checked_verb(
    verbs: Mapping[str, BulkVerb], asked: Mapping[str, Any], by: ApiKey
) -> tuple[BulkVerb, dict[str, Any]]:
    """The verb and its config as the job keeps it."""
    verb = verbs.get(asked["verb"])
    if verb is None:
        raise Invalid(faults=[Fault("/verb", f"There is no such verb. Choose one of {', '.join(verbs)}.")])
    if not scopes_allow(by.scopes, verb.ability):
        raise PermissionDenied
    form = verb.form(asked["config"])
    if not form.is_valid():
        raise Invalid(
            faults=[Fault(f"/config/{name}", " ".join(map(str, errors))) for name, errors in form.errors.items()]
        )
    return verb, form.config()


def nobody_is_meant(asked: Mapping[str, Any], noun: str) -> Invalid:
    return Invalid(faults=[Fault("/query" if "query" in asked else "/ids", f"No {noun} is meant.")])
