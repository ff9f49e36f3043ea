from datetime import datetime
from typing import Any

import django_filters as filters
from django.db.models import QuerySet
from django.db.models.functions import Greatest

from cs_platform.rest.filters import NumberInFilter, TextInFilter, is_given
from success_plans.models import PlanTemplate, PlanType, SuccessPlan


class Archived(filters.FilterSet):
    archived = filters.BooleanFilter(method="as_it_is", label="Archived ones instead of the present ones.")

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return super().filter_queryset(is_given(queryset, "archived_at", self.form.cleaned_data["archived"] or False))

    def as_it_is(self, queryset: QuerySet[Any], name: str, value: Any) -> QuerySet[Any]:
        """Answered above, because leaving it out means something too."""
        return queryset


class PlanFilters(Archived):
    account = NumberInFilter(field_name="account_id", label="Ids of accounts.")
    owner = NumberInFilter(field_name="owner_id", label="Ids of members.")
    type = NumberInFilter(field_name="type_id", label="Ids of types of plans.")
    template = NumberInFilter(field_name="template_id", label="Ids of templates.")
    status = filters.MultipleChoiceFilter(choices=SuccessPlan.Status.choices)
    cta = filters.NumberFilter(field_name="objectives__cta_id", label="The plan this CTA is in.")
    due_from = filters.DateFilter(field_name="due_on", lookup_expr="gte")
    due_to = filters.DateFilter(field_name="due_on", lookup_expr="lte")
    updated_since = filters.IsoDateTimeFilter(method="changed_since", label="Created, worked on, closed or archived.")

    class Meta:
        model = SuccessPlan
        fields: list[str] = []

    def changed_since(self, queryset: QuerySet[Any], name: str, value: datetime) -> QuerySet[Any]:
        last = Greatest("created_at", "touched_at", "closed_at", "archived_at")
        return queryset.alias(changed_at=last).filter(changed_at__gte=value)


class TypeFilters(Archived):
    class Meta:
        model = PlanType
        fields: list[str] = []


class TemplateFilters(Archived):
    key = TextInFilter(label="One or several keys, separated by commas.")
    type = NumberInFilter(field_name="type_id", label="Ids of types of plans.")

    class Meta:
        model = PlanTemplate
        fields: list[str] = []
