"""Pages by position, not by number: rows that come and go between two requests neither repeat nor hide others.

A position is the value of the sort column and the id. Rows without a value come last, in a band of their own, so
that each query stays one range of an index.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django.core import signing
from django.db.models import Q, QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from cs_platform.rest.problems import Invalid

SALT = "api cursor"


@dataclass(frozen=True, slots=True)
class Order:
    name: str
    column: str
    descending: bool
    nullable: bool


@dataclass(frozen=True, slots=True)
class Position:
    """`value` is None in the band of rows without one."""

    value: Any
    id: Any
    backward: bool


class CursorPages(BasePagination):
    page_size: ClassVar[int] = 50
    max_page_size: ClassVar[int] = 100
    parameters: ClassVar[tuple[str, ...]] = ("cursor", "limit", "ordering")

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self._url = request.build_absolute_uri()
        self._order = _order(request, view, queryset)
        size = self._size(request)
        start = self._position(request)
        rows = list(self._rows(queryset, start, size + 1))
        more, rows = len(rows) > size, rows[:size]
        backward = start is not None and start.backward
        if backward:
            rows.reverse()
        self._next = self._link(rows[-1], backward=False) if rows and (more or backward) else None
        self._previous = self._link(rows[0], backward=True) if rows and (more if backward else start) else None
        return rows

    def get_paginated_response(self, data: Any) -> Response:
        links = {"next": self._next, "prev": self._previous}
        header = ", ".join(f'<{url}>; rel="{rel}"' for rel, url in links.items() if url)
        body = {"next": self._next, "previous": self._previous, "results": data}
        return Response(body, headers={"Link": header} if header else None)

    def _rows(self, queryset: QuerySet[Any], start: Position | None, wanted: int) -> Iterator[Any]:
        downward = self._order.descending != (start is not None and start.backward)
        for condition in _bands(self._order, start, downward):
            sign = "-" if downward else ""
            rows = queryset.filter(condition).order_by(f"{sign}{self._order.column}", f"{sign}pk")[:wanted]
            for row in rows:
                wanted -= 1
                yield row
            if wanted <= 0:
                return

    def _size(self, request: Request) -> int:
        asked = request.query_params.get("limit", str(self.page_size))
        size = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 5 else 0
        if not 1 <= size <= self.max_page_size:
            raise Invalid.parameter("limit", f"Choose a number from 1 to {self.max_page_size}.")
        return size

    def _position(self, request: Request) -> Position | None:
        cursor = request.query_params.get("cursor")
        if cursor is None:
            return None
        try:
            order, *position = signing.loads(cursor, salt=SALT)
        except signing.BadSignature:
            order, position = None, []
        if order != _signature(self._order):
            message = "This cursor is not one of this list in this order. Start again without it."
            raise Invalid.parameter("cursor", message, code="invalid_cursor")
        return Position(*position)

    def _link(self, row: Any, *, backward: bool) -> str:
        value = getattr(row, self._order.column)
        shown = value if value is None or isinstance(value, int | float) else str(value)
        id = row.pk if isinstance(row.pk, int) else str(row.pk)
        cursor = signing.dumps([_signature(self._order), shown, id, backward], salt=SALT)
        return replace_query_param(self._url, "cursor", cursor)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        size = {"type": "integer", "minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
        names = [f"{sign}{name}" for name in view.orderings for sign in ("", "-")]
        orders = {"type": "string", "enum": names, "default": view.default_ordering}
        return [
            _parameter("cursor", {"type": "string"}, "From the `next` or `previous` link of another page."),
            _parameter("limit", size, "Items on a page."),
            _parameter("ordering", orders, "Sort by; rows without a value come last."),
        ]


def _parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}


def _order(request: Request, view: Any, queryset: QuerySet[Any]) -> Order:
    asked = request.query_params.get("ordering", view.default_ordering)
    orderings: Mapping[str, str] = view.orderings
    name = asked.removeprefix("-")
    if name not in orderings:
        raise Invalid.parameter("ordering", f"Choose one of: {', '.join(orderings)}, each with or without a minus.")
    column = orderings[name]
    return Order(name, column, asked.startswith("-"), _is_nullable(queryset, column))


def _is_nullable(queryset: QuerySet[Any], column: str) -> bool:
    if column in queryset.query.annotations:
        return True
    return queryset.model._meta.get_field(column).null


def _signature(order: Order) -> str:
    return f"{'-' if order.descending else ''}{order.name}"


def _bands(order: Order, start: Position | None, downward: bool) -> list[Q]:
    """Conditions whose rows, one after the other, are everything behind the position."""
    if not order.nullable:
        return [_behind(order, start, downward) if start else Q()]
    present, absent = Q(**{f"{order.column}__isnull": False}), Q(**{f"{order.column}__isnull": True})
    if start is None:
        return [present, absent]
    if start.value is None:
        behind = absent & Q(**{f"pk__{'lt' if downward else 'gt'}": start.id})
        return [behind, present] if start.backward else [behind]
    behind = present & _behind(order, start, downward)
    return [behind] if start.backward else [behind, absent]


def _behind(order: Order, start: Position, downward: bool) -> Q:
    """The outer comparison alone is a range of the index; the inner one settles rows of equal value."""
    than, id_than = ("lt", "pk__lt") if downward else ("gt", "pk__gt")
    if order.column in ("id", "pk"):
        return Q(**{id_than: start.id})
    inner = Q(**{f"{order.column}__{than}": start.value}) | Q(**{id_than: start.id})
    return Q(**{f"{order.column}__{than}e": start.value}) & inner
