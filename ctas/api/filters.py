from datetime import datetime
from functools import partial
from typing import Any

import django_filters as filters
from django.db.models import QuerySet
from django.db.models.functions import Greatest

from cs_platform.rest.filters import NumberInFilter, TextInFilter, is_given
from ctas.cockpit import in_stages
from ctas.lists import Kind, current_lists
from ctas.models import Cta, Task

BEGUN = [choice for choice in Cta.Status.choices if choice[0] != Cta.Status.DRAFT]


def listed(kind: str) -> list[tuple[str, str]]:
    return current_lists().choices(kind)


class CtaFilters(filters.FilterSet):
    account = NumberInFilter(field_name="account_id", label="Ids of accounts.")
    owner = NumberInFilter(field_name="owner_id", label="Ids of members.")
    type = filters.MultipleChoiceFilter(choices=partial(listed, Kind.TYPE))
    reason = TextInFilter(label="One or several reasons, separated by commas.")
    priority = filters.MultipleChoiceFilter(choices=partial(listed, Kind.PRIORITY))
    status = filters.MultipleChoiceFilter(choices=BEGUN, label="Categories of statuses.")
    stage = filters.MultipleChoiceFilter(
        choices=partial(listed, Kind.STATUS), method="of_stages", label="The workspace's own statuses."
    )
    due_from = filters.DateFilter(field_name="due_on", lookup_expr="gte")
    due_to = filters.DateFilter(field_name="due_on", lookup_expr="lte")
    created_since = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    updated_since = filters.IsoDateTimeFilter(method="changed_since", label="Created, worked on, closed or archived.")
    archived = filters.BooleanFilter(method="as_it_is", label="Archived ones instead of the present ones.")

    class Meta:
        model = Cta
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        begun = queryset.exclude(status=Cta.Status.DRAFT)
        return super().filter_queryset(is_given(begun, "archived_at", self.form.cleaned_data["archived"] or False))

    def as_it_is(self, queryset: QuerySet[Any], name: str, value: Any) -> QuerySet[Any]:
        """Answered above, because leaving it out means something too."""
        return queryset

    def of_stages(self, queryset: QuerySet[Any], name: str, value: list[str]) -> QuerySet[Any]:
        return queryset.filter(in_stages(value, lists=current_lists())) if value else queryset

    def changed_since(self, queryset: QuerySet[Any], name: str, value: datetime) -> QuerySet[Any]:
        last = Greatest("created_at", "touched_at", "closed_at", "archived_at")
        return queryset.alias(changed_at=last).filter(changed_at__gte=value)


class TaskFilters(filters.FilterSet):
    cta = NumberInFilter(field_name="cta_id", label="Ids of CTAs.")
    account = NumberInFilter(field_name="cta__account_id", label="Ids of accounts.")
    owner = NumberInFilter(field_name="owner_id", label="Ids of members.")
    status = filters.MultipleChoiceFilter(choices=Task.Status.choices)
    due_from = filters.DateFilter(field_name="due_on", lookup_expr="gte")
    due_to = filters.DateFilter(field_name="due_on", lookup_expr="lte")
    created_since = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    updated_since = filters.IsoDateTimeFilter(method="changed_since", label="Created, worked on, done or archived.")
    archived = filters.BooleanFilter(method="as_it_is", label="Archived ones instead of the present ones.")

    class Meta:
        model = Task
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        archived = self.form.cleaned_data["archived"] or False
        queryset = queryset.exclude(cta__status=Cta.Status.DRAFT)
        if not archived:
            queryset = queryset.filter(cta__archived_at__isnull=True)
        return super().filter_queryset(is_given(queryset, "archived_at", archived))

    def as_it_is(self, queryset: QuerySet[Any], name: str, value: Any) -> QuerySet[Any]:
        """Answered above, because leaving it out means something too."""
        return queryset

    def changed_since(self, queryset: QuerySet[Any], name: str, value: datetime) -> QuerySet[Any]:
        last = Greatest("created_at", "touched_at", "completed_at", "archived_at")
        return queryset.alias(changed_at=last).filter(changed_at__gte=value)
