"""Filters by allow-list. A parameter nobody knows is refused: ignored, a typo would return everything."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import django_filters
from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.request import Request

from cs_platform.rest.problems import PARAMETER, Fault, Invalid

SHAPE_PARAMETERS = ("fields", "format")


@dataclass(frozen=True, slots=True)
class DeepParameter:
    """`trait[stage]=…`: what may stand in the brackets, the workspace says. A filter set names its one as `deep`."""

    name: str
    description: str

    def found_in(self, query: Mapping[str, str]) -> dict[str, str]:
        """By what stands in the brackets."""
        start = f"{self.name}["
        return {key[len(start) : -1]: query[key] for key in query if key.startswith(start) and key.endswith("]")}


class Filters(DjangoFilterBackend):
    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        self._refuse_unknown(request, queryset, view)
        filterset = self.get_filterset(request, queryset, view)
        if filterset is None:
            return queryset
        if not filterset.is_valid():
            raise Invalid(faults=_faults(filterset.errors))
        return filterset.qs

    def _refuse_unknown(self, request: Request, queryset: QuerySet[Any], view: Any) -> None:
        filterset_class = self.get_filterset_class(view, queryset)
        filters = filterset_class.base_filters if filterset_class else ()
        known = {*filters, *SHAPE_PARAMETERS, *view.pagination_class.parameters}
        deep: DeepParameter | None = getattr(filterset_class, "deep", None)
        if deep:
            known |= {f"{deep.name}[{key}]" for key in deep.found_in(request.query_params)}
        unknown = [name for name in request.query_params if name not in known]
        if unknown:
            message = f"There is no such parameter. Known are: {', '.join(sorted(known - {'format'}))}."
            raise Invalid(faults=[Fault(f"{PARAMETER}{name}", message, "unknown_parameter") for name in unknown])


class NumberInFilter(django_filters.BaseInFilter, django_filters.NumberFilter):
    """Several ids, separated by commas."""


class TextInFilter(django_filters.BaseInFilter, django_filters.CharFilter):
    """Several texts, separated by commas."""


def is_given(queryset: QuerySet[Any], column: str, given: bool) -> QuerySet[Any]:
    return queryset.filter(**{f"{column}__isnull": not given})


def _faults(errors: Any) -> list[Fault]:
    return [Fault(f"{PARAMETER}{name}", str(message)) for name, messages in errors.items() for message in messages]
