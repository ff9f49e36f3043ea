"""What accounts and users share: both are known by the id another system gave them, and sent one by one or in bulk."""

from http import HTTPStatus
from typing import Any, ClassVar

from django.shortcuts import get_object_or_404
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import serializers, upserts
from accounts.models import Account, EndUser, TraitDefinition
from accounts.traits import NotEditable, TraitValueError, set_trait
from cs_platform.rest.json import MAX_BULK_BYTES
from cs_platform.rest.problems import Conflict, Fault
from cs_platform.rest.viewsets import ApiViewSet

BY_EXTERNAL_ID = "by-external-id/(?P<external_id>.+?)"
BULK_COST = 10  # of a key's 50 requests


class UpsertViewSet(ApiViewSet):
    kind: ClassVar[upserts.Kind]
    scope: ClassVar[TraitDefinition.Scope]
    facts_serializer: ClassVar[Any]
    edits_serializer: ClassVar[Any] = serializers.TraitEditsSerializer

    def edit_facts(self, subject: Any, checked: dict[str, Any]) -> None:
        """What a PATCH may change beside traits."""

    def create(self, request: Request) -> Response:
        checked = self.valid(self.kind.item)
        if self.model.objects.filter(external_id=checked["external_id"]).exists():
            message = "There is one with this external_id. Change it with PUT by-external-id."
            raise Conflict(message, code="exists", faults=[Fault("/external_id", message, "exists")])
        return self._upserted(checked)

    def partial_update(self, request: Request, pk: str) -> Response:
        subject = self.get_object()
        checked = self.valid(self.edits_serializer)
        self.edit_facts(subject, checked)
        self._edit(subject, checked.get("traits", {}))
        return self.answer(self.get_queryset().get(pk=subject.pk))

    @action(detail=False, url_path=BY_EXTERNAL_ID)
    def by_external_id(self, request: Request, external_id: str) -> Response:
        return self.answer(get_object_or_404(self.get_queryset(), external_id=external_id))

    @by_external_id.mapping.put
    def put_by_external_id(self, request: Request, external_id: str) -> Response:
        self.refuse_stale(external_id=external_id)
        checked = self.valid(self.facts_serializer)
        return self._upserted(checked | self.valid_value(self.kind.item, "external_id", external_id))

    @action(
        detail=False,
        methods=["post"],
        needs_idempotency_key=True,
        throttle_cost=BULK_COST,
        max_bytes=MAX_BULK_BYTES,
    )
    def bulk(self, request: Request) -> Response:
        items = self.valid(serializers.BulkSerializer)["items"]
        return Response(upserts.upsert_many(self.kind, items, tenant=self.tenant, by=self.caller, now=self.now))

    def _upserted(self, checked: dict[str, Any]) -> Response:
        result = upserts.upsert_one(self.kind, checked, tenant=self.tenant, by=self.caller, now=self.now)
        status = HTTPStatus.CREATED if result.outcome == "created" else HTTPStatus.OK
        return self.answer(self.get_queryset().get(pk=result.id), status=status)

    def _edit(self, subject: Account | EndUser, values: dict[str, Any]) -> None:
        """As a person does it: each change is on the timeline, and no undo takes it back."""
        known = {one.key: one for one in TraitDefinition.objects.filter(scope=self.scope, key__in=values)}
        faults = {key: "There is no such trait." for key in values if key not in known}
        for key, definition in known.items():
            try:
                set_trait(subject, definition, value=values[key], by=self.caller, now=self.now)
            except (TraitValueError, NotEditable) as refusal:
                faults[key] = str(refusal)
        if faults:
            raise upserts.trait_faults(faults)
