"""The base of every endpoint: scope, limit, idempotency, precondition, one shape. A subclass says what, not how."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from cs_platform.rest import idempotency, preconditions
from cs_platform.rest.authentication import call_of
from cs_platform.rest.filters import Filters
from cs_platform.rest.json import MAX_BYTES, refuse_long_body
from cs_platform.rest.models import IdempotencyKey
from cs_platform.rest.problems import Conflict, Invalid, PreconditionFailed
from cs_platform.rest.throttling import Allowance, KeyThrottle
from cs_platform.tenancy.models import ApiKey, Tenant
from cs_platform.tenancy.roles import Ability

IDS = "[0-9]{1,18}"
UUIDS = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


class ApiViewSet(GenericViewSet):  # type: ignore[type-arg]
    """Reads need `reads`, everything else `writes`; an @action may name its own ability, cost and body size."""

    model: ClassVar[Any]
    reads: ClassVar[Ability] = Ability.READ
    writes: ClassVar[Ability | None] = None
    orderings: ClassVar[Mapping[str, str]] = {"id": "id"}
    default_ordering: ClassVar[str] = "-id"
    state_field: ClassVar[str] = "state"
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    filter_backends = [Filters]
    throttle_classes = [KeyThrottle]
    lookup_value_regex = IDS

    # Standard actions where repeating by accident would hurt.
    keyed_actions: ClassVar[frozenset[str]] = frozenset()

    # Overridden by @action(…).
    ability_of_action: Ability | None = None
    needs_idempotency_key = False
    throttle_cost = 1
    max_bytes = MAX_BYTES

    allowance: Allowance | None = None  # set by the throttle
    _idempotency: IdempotencyKey | None = None

    @property
    def ability(self) -> Ability:
        if self.ability_of_action:
            return self.ability_of_action
        ability = self.reads if self.request.method in SAFE_METHODS else self.writes
        if ability is None:
            raise TypeError(f"{type(self).__name__}.{self.action} changes something but names no ability.")
        return ability

    @property
    def _needs_key(self) -> bool:
        return self.needs_idempotency_key or self.action in self.keyed_actions

    @property
    def now(self) -> datetime:
        """The database's clock, read once when the request came in."""
        now = call_of(self.request).now
        assert now is not None  # authenticated: set together with the key
        return now

    @property
    def tenant(self) -> Tenant:
        tenant = call_of(self.request).tenant
        assert tenant is not None
        return tenant

    @property
    def caller(self) -> ApiKey:
        key = call_of(self.request).key
        assert key is not None
        return key

    def get_queryset(self) -> QuerySet[Any]:
        if getattr(self, "swagger_fake_view", False):
            return QuerySet(model=self.model)
        return self.rows()

    def rows(self) -> QuerySet[Any]:
        """Of the tenant in force, with everything the serializer will touch."""
        rows: QuerySet[Any] = self.model.objects.all()
        return rows

    # --- around every request ---------------------------------------------------------------------------------------

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method in SAFE_METHODS or self.action is None:
            return
        refuse_long_body(_announced_length(request), limit=self.max_bytes)
        _ = request._request.body  # kept for the fingerprint; the parser then reads the copy
        self._idempotency = idempotency.begin(request, caller=self.caller, required=self._needs_key, now=self.now)

    def handle_exception(self, exc: Exception) -> Any:
        if isinstance(exc, idempotency.Replay):
            return exc.response
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        for name, value in self.allowance.headers().items() if self.allowance else ():
            response[name] = value
        row = self._idempotency
        if row is not None and response.status_code < HTTPStatus.BAD_REQUEST:
            response.add_post_render_callback(lambda rendered: idempotency.keep(row, rendered))
        return response

    # --- answers ------------------------------------------------------------------------------------------------------

    def get_object(self) -> Any:
        """With If-Match the row is locked, so that what was compared is what is changed."""
        rows, matching = self.get_queryset(), self._must_match()
        if matching:
            rows = rows.select_for_update(of=("self",), no_key=True)
        found = get_object_or_404(rows, **{self.lookup_field: self.kwargs[self.lookup_field]})
        if matching:
            preconditions.refuse_mismatch(self.request, preconditions.etag_of(self.shown(found)))
        return found

    def _must_match(self) -> bool:
        return self.request.method not in SAFE_METHODS and preconditions.asks_for_match(self.request)

    def refuse_stale(self, **lookup: Any) -> None:
        """If-Match where the row may not exist yet: then there is nothing it could match."""
        if not self._must_match():
            return
        found = self.get_queryset().select_for_update(of=("self",), no_key=True).filter(**lookup).first()
        if found is None:
            raise PreconditionFailed
        preconditions.refuse_mismatch(self.request, preconditions.etag_of(self.shown(found)))

    def shown(self, found: Any) -> Any:
        return self.get_serializer(found).data

    def answer(self, found: Any, *, status: int = HTTPStatus.OK) -> Response:
        """One resource with its ETag, cut to the fields that were asked for."""
        shown = self.shown(found)
        headers = {"ETag": preconditions.etag_of(shown)}
        if self.request.method in SAFE_METHODS and preconditions.is_unchanged(self.request, headers["ETag"]):
            return Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(self.sparse(shown), status=status, headers=headers)

    def outcome(self, found: Any, *, acted: bool, state: str) -> Response:
        """A verb that finds its work done already succeeds; one that came too late is a conflict."""
        fresh = get_object_or_404(self.get_queryset(), pk=found.pk)
        is_archived = getattr(fresh, "archived_at", None) is not None
        if not acted and (is_archived or getattr(fresh, self.state_field) != state):
            words = "archived" if is_archived else getattr(fresh, f"get_{self.state_field}_display")()
            raise Conflict(f"Not possible now: it is {words}.")
        return self.answer(fresh)

    def fresh(self, found: Any) -> Response:
        return self.answer(get_object_or_404(self.get_queryset(), pk=found.pk))

    def page(self, queryset: QuerySet[Any]) -> Response:
        rows = self.paginate_queryset(queryset)
        items = self.get_serializer(rows, many=True).data
        return self.get_paginated_response([self.sparse(item) for item in items])

    def sparse(self, shown: Mapping[str, Any]) -> Mapping[str, Any]:
        asked = self.request.query_params.get("fields")
        if not asked:
            return shown
        wanted = asked.split(",")
        unknown = sorted(set(wanted) - set(shown))
        if unknown:
            raise Invalid.parameter("fields", f"There is no field {', '.join(unknown)} here.", code="unknown_field")
        return {name: shown[name] for name in shown if name in wanted}

    def valid(self, serializer_class: Any = None, *, instance: Any = None, partial: bool = False) -> dict[str, Any]:
        """The checked body."""
        build = serializer_class or self.get_serializer_class()
        serializer = build(instance, data=self.request.data, partial=partial, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        checked: dict[str, Any] = serializer.validated_data
        return checked

    def valid_value(self, serializer_class: Any, name: str, value: Any) -> dict[str, Any]:
        """One value that came in the address, checked like one of the body."""
        return {name: serializer_class().fields[name].run_validation(value)}


def _announced_length(request: Request) -> int:
    """What is no number counts as nothing: then nothing is read either."""
    length = str(request.META.get("CONTENT_LENGTH") or "")
    return int(length) if length.isascii() and length.isdecimal() else 0


class Listed:
    def list(self: Any, request: Request, **kwargs: Any) -> Response:
        return self.page(self.filter_queryset(self.get_queryset()))


class Retrieved:
    def retrieve(self: Any, request: Request, **kwargs: Any) -> Response:
        return self.answer(self.get_object())
