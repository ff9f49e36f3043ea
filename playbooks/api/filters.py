from datetime import datetime
from typing import Any

import django_filters as filters
from django.db.models import QuerySet
from django.db.models.functions import Greatest

from cs_platform.rest.filters import NumberInFilter, TextInFilter
from playbooks.models import ActionRun, Approval, Enrollment, Evaluation, Playbook, Withheld


class PlaybookFilters(filters.FilterSet):
    key = TextInFilter(label="One or several keys, separated by commas.")
    status = filters.MultipleChoiceFilter(choices=Playbook.Status.choices)
    audience = filters.ChoiceFilter(choices=Playbook.Audience.choices)
    category = filters.CharFilter()

    class Meta:
        model = Playbook
        fields: list[str] = []


class EnrollmentFilters(filters.FilterSet):
    playbook = NumberInFilter(field_name="playbook_id", label="Ids of playbooks.")
    account = NumberInFilter(field_name="account_id", label="Ids of accounts.")
    user = NumberInFilter(field_name="end_user_id", label="Ids of users.")
    cta = NumberInFilter(field_name="cta_id", label="Ids of CTAs.")
    state = filters.MultipleChoiceFilter(choices=Enrollment.State.choices)
    dry_run = filters.BooleanFilter(field_name="is_dry", label="Only recorded by a dry run.")
    outcome_reached = filters.BooleanFilter(
        field_name="outcome_at", lookup_expr="isnull", exclude=True, label="What the playbook is for was reached."
    )
    activated_since = filters.IsoDateTimeFilter(field_name="activated_at", lookup_expr="gte")
    updated_since = filters.IsoDateTimeFilter(
        method="changed_since", label="Applied, finished, stopped or its outcome reached since."
    )

    class Meta:
        model = Enrollment
        fields: list[str] = []

    def changed_since(self, queryset: QuerySet[Any], name: str, value: datetime) -> QuerySet[Any]:
        last = Greatest("activated_at", "completed_at", "outcome_at", "stop_requested_at", "stopped_at")
        return queryset.alias(changed_at=last).filter(changed_at__gte=value)


class LeftOutFilters(filters.FilterSet):
    account = NumberInFilter(field_name="account_id", label="Ids of accounts.")
    user = NumberInFilter(field_name="end_user_id", label="Ids of users.")
    outcome_reached = filters.BooleanFilter(
        field_name="outcome_at", lookup_expr="isnull", exclude=True, label="What the playbook is for was reached."
    )
    matched_since = filters.IsoDateTimeFilter(field_name="matched_at", lookup_expr="gte")
    updated_since = filters.IsoDateTimeFilter(method="changed_since", label="Left out, or its outcome reached since.")

    class Meta:
        model = Withheld
        fields: list[str] = []

    def changed_since(self, queryset: QuerySet[Any], name: str, value: datetime) -> QuerySet[Any]:
        return queryset.alias(changed_at=Greatest("matched_at", "outcome_at")).filter(changed_at__gte=value)


class RunFilters(filters.FilterSet):
    state = filters.MultipleChoiceFilter(choices=ActionRun.State.choices)
    enrollment = NumberInFilter(field_name="enrollment_id", label="Ids of enrollments.")
    playbook = NumberInFilter(field_name="enrollment__playbook_id", label="Ids of playbooks.")
    account = NumberInFilter(field_name="enrollment__account_id", label="Ids of accounts.")
    due_from = filters.DateFilter(field_name="due_on", lookup_expr="gte")
    due_to = filters.DateFilter(field_name="due_on", lookup_expr="lte")
    updated_since = filters.IsoDateTimeFilter(field_name="settled_at", lookup_expr="gte", label="Settled since.")

    class Meta:
        model = ActionRun
        fields: list[str] = []


class ApprovalFilters(filters.FilterSet):
    state = filters.MultipleChoiceFilter(choices=Approval.State.choices)
    playbook = NumberInFilter(field_name="enrollment__playbook_id", label="Ids of playbooks.")
    account = NumberInFilter(field_name="enrollment__account_id", label="Ids of accounts.")
    enrollment = NumberInFilter(field_name="enrollment_id", label="Ids of enrollments.")
    asks = TextInFilter(label="Who is asked: csm, ae, team:admin, team:manager, or member: and an email address.")
    expires_before = filters.IsoDateTimeFilter(field_name="expires_at", lookup_expr="lt")
    updated_since = filters.IsoDateTimeFilter(field_name="decided_at", lookup_expr="gte", label="Settled since.")

    class Meta:
        model = Approval
        fields: list[str] = []


class EvaluationFilters(filters.FilterSet):
    playbook = NumberInFilter(field_name="playbook_id", label="Ids of playbooks.")
    run = NumberInFilter(field_name="run_id", label="Ids of evaluation runs.")
    state = filters.MultipleChoiceFilter(choices=Evaluation.State.choices)

    class Meta:
        model = Evaluation
        fields: list[str] = []
