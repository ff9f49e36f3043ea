"""Filters of the lists of this app, by allow-list; `rule` takes what a playbook's rules take."""

from typing import Any
from zoneinfo import ZoneInfo

import django_filters as filters
from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL

from accounts.api.trait_filters import TRAITS, trait_rule
from accounts.fields import workspace_fields
from accounts.models import (
    Account,
    AccountRole,
    AccountUser,
    Conversation,
    EndUser,
    Indicator,
    SegmentMembership,
    TimelineEntry,
    TraitDefinition,
    TraitProblem,
)
from accounts.models.account import AccountQuerySet, Lifecycle
from accounts.models.traits import TraitType
from accounts.rules.compile import Audience, matching_users, predicate
from accounts.rules.fields import Subject
from accounts.rules.grammar import Rule, RuleErrors, parse
from accounts.rules.sql import Clock
from cs_platform.rest.filters import NumberInFilter, TextInFilter, is_given
from cs_platform.rest.json import strict_json
from cs_platform.rest.problems import PARAMETER, Fault, Invalid, pointer_of_path


class AccountFilters(filters.FilterSet):
    name = filters.CharFilter(lookup_expr="icontains", label="Part of the name.")
    external_id = TextInFilter(label="One or several ids, separated by commas.")
    plan = TextInFilter(label="One or several plans, separated by commas.")
    lifecycle = filters.MultipleChoiceFilter(choices=Lifecycle.choices)
    csm = NumberInFilter(field_name="csm_id", label="Ids of members.")
    ae = NumberInFilter(field_name="ae_id", label="Ids of members.")
    mrr_cents_min = filters.NumberFilter(field_name="mrr_cents", lookup_expr="gte")
    mrr_cents_max = filters.NumberFilter(field_name="mrr_cents", lookup_expr="lte")
    health_min = filters.NumberFilter(field_name="health", lookup_expr="gte")
    health_max = filters.NumberFilter(field_name="health", lookup_expr="lte")
    renewal_from = filters.DateFilter(field_name="renewal_on", lookup_expr="gte")
    renewal_to = filters.DateFilter(field_name="renewal_on", lookup_expr="lte")
    trial_end_from = filters.DateFilter(field_name="trial_end_on", lookup_expr="gte")
    trial_end_to = filters.DateFilter(field_name="trial_end_on", lookup_expr="lte")
    timezone = TextInFilter(label="One or several time zones, separated by commas.")
    parent = NumberInFilter(field_name="parent_id", label="Ids of parent accounts.")
    known_cause_at = filters.DateFilter(
        field_name="known_cause_until", lookup_expr="gte", label="Whose known cause still holds on this day."
    )
    users_min = filters.NumberFilter(field_name="user_count", lookup_expr="gte")
    users_max = filters.NumberFilter(field_name="user_count", lookup_expr="lte")
    last_seen_from = filters.IsoDateTimeFilter(field_name="last_seen_at", lookup_expr="gte")
    last_seen_to = filters.IsoDateTimeFilter(field_name="last_seen_at", lookup_expr="lte")
    created_from = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    created_to = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lte")
    role_holder = NumberInFilter(method="held_by", label="Ids of members who hold any key role there.")
    segment = NumberInFilter(method="in_segments", label="Ids of segments of accounts.")
    updated_since = filters.IsoDateTimeFilter(field_name="updated_at", lookup_expr="gte")
    archived = filters.BooleanFilter(method="with_archived", label="Archived ones instead of the present ones.")
    rule = filters.CharFilter(
        method="matching", label='A rule, as JSON: {"field": "plan", "op": "is", "value": "Pro"}.'
    )
    deep = TRAITS

    class Meta:
        model = Account
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        present = super().filter_queryset(_present(queryset, self.form.cleaned_data["archived"]))
        rule = trait_rule(self.data, Subject.ACCOUNT)
        return self._where(present, rule) if rule else present

    def with_archived(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        return queryset

    def matching(self, queryset: AccountQuerySet, name: str, value: str) -> QuerySet[Account]:
        return self._where(queryset, _rule(value, Subject.ACCOUNT))

    def held_by(self, queryset: QuerySet[Any], name: str, value: list[int]) -> QuerySet[Any]:
        held = AccountRole.objects.filter(member_id__in=value, role__archived_at=None)
        return queryset.filter(pk__in=held.values("account_id"))

    def in_segments(self, queryset: QuerySet[Any], name: str, value: list[int]) -> QuerySet[Any]:
        stays = SegmentMembership.objects.filter(segment_id__in=value, left_at=None, account__isnull=False)
        return queryset.filter(pk__in=stays.values("account_id"))

    def _where(self, queryset: AccountQuerySet, rule: Rule) -> QuerySet[Account]:
        return queryset.where(predicate(rule, tenant_id=self.request.api.tenant.pk, clock=_clock(self.request)))


def _present(queryset: QuerySet[Any], archived: bool | None) -> QuerySet[Any]:
    return is_given(queryset, "archived_at", archived or False)


def _clock(request: Any) -> Clock:
    return Clock.at(request.api.now, ZoneInfo(request.api.tenant.timezone))


def _rule(text: str, subject: Subject) -> Rule:
    try:
        return parse(strict_json(text.encode()), fields=workspace_fields(), subject=subject, path="")
    except RuleErrors as errors:
        faults = [Fault(f"{PARAMETER}rule{pointer_of_path(error.path)}", error.message) for error in errors.errors]
        raise Invalid("This rule cannot be asked.", code="invalid_rule", faults=faults) from None
    except Invalid as invalid:
        faults = [Fault(f"{PARAMETER}rule{fault.pointer}", fault.message, fault.code) for fault in invalid.faults]
        raise Invalid("This rule is not JSON.", code="invalid_rule", faults=faults) from None


class UserFilters(filters.FilterSet):
    external_id = TextInFilter(label="One or several ids, separated by commas.")
    email = filters.CharFilter(lookup_expr="iexact")
    name = filters.CharFilter(lookup_expr="icontains", label="Part of the name.")
    account = NumberInFilter(method="at_accounts", label="Ids of accounts.")
    role = TextInFilter(method="in_roles", label="One or several roles at an account, separated by commas.")
    key_contact = filters.BooleanFilter(method="key_contacts", label="Whether they are one of any account.")
    segment = NumberInFilter(method="in_segments", label="Ids of segments of users.")
    unsubscribed = filters.BooleanFilter(field_name="unsubscribed_at", lookup_expr="isnull", exclude=True)
    last_seen_from = filters.IsoDateTimeFilter(field_name="last_seen_at", lookup_expr="gte")
    last_seen_to = filters.IsoDateTimeFilter(field_name="last_seen_at", lookup_expr="lte")
    created_from = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    created_to = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lte")
    updated_since = filters.IsoDateTimeFilter(field_name="updated_at", lookup_expr="gte")
    archived = filters.BooleanFilter(method="with_archived", label="Archived ones instead of the present ones.")
    rule = filters.CharFilter(
        method="matching",
        label='A rule that holds at one of their accounts: {"field": "role", "op": "is", "value": "admin"}.',
    )
    deep = TRAITS

    class Meta:
        model = EndUser
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        present = super().filter_queryset(_present(queryset, self.form.cleaned_data["archived"]))
        rule = trait_rule(self.data, Subject.USER)
        return self._where(present, rule) if rule else present

    def _where(self, queryset: QuerySet[Any], rule: Rule) -> QuerySet[Any]:
        """Of traits only: they are the user's own, at whichever account."""
        tenant_id = self.request.api.tenant.pk
        holds = predicate(rule, tenant_id=tenant_id, clock=_clock(self.request))
        ids = RawSQL(
            f"SELECT u.id FROM accounts_enduser u WHERE u.tenant_id = %s AND ({holds.text})", [tenant_id, *holds.params]
        )
        return queryset.filter(pk__in=ids)

    def with_archived(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        return queryset

    def matching(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        audience = Audience(user=_rule(value, Subject.USER), lifecycles=None)
        ties = matching_users(audience, tenant_id=self.request.api.tenant.pk, clock=_clock(self.request))
        ids = RawSQL(f"SELECT t.end_user_id FROM ({ties.text}) t", ties.params)
        return queryset.filter(pk__in=ids)

    def at_accounts(self, queryset: QuerySet[Any], name: str, value: list[int]) -> QuerySet[Any]:
        """A sub-select, so that a user of two of them appears once."""
        ties = AccountUser.objects.filter(account_id__in=value)
        return queryset.filter(pk__in=ties.values("end_user_id"))

    def in_roles(self, queryset: QuerySet[Any], name: str, value: list[str]) -> QuerySet[Any]:
        ties = AccountUser.objects.filter(role__in=value)
        return queryset.filter(pk__in=ties.values("end_user_id"))

    def key_contacts(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        found = Q(pk__in=AccountUser.objects.filter(is_key_contact=True).values("end_user_id"))
        return queryset.filter(found if value else ~found)

    def in_segments(self, queryset: QuerySet[Any], name: str, value: list[int]) -> QuerySet[Any]:
        stays = SegmentMembership.objects.filter(segment_id__in=value, left_at=None, end_user__isnull=False)
        return queryset.filter(pk__in=stays.values("end_user_id"))


class TraitFilters(filters.FilterSet):
    scope = filters.ChoiceFilter(choices=TraitDefinition.Scope.choices)
    source = filters.ChoiceFilter(choices=TraitDefinition.Source.choices)
    key = TextInFilter(label="One or several keys, separated by commas.")
    type = filters.MultipleChoiceFilter(choices=TraitType.choices)
    archived = filters.BooleanFilter(field_name="archived_at", lookup_expr="isnull", exclude=True)

    class Meta:
        model = TraitDefinition
        fields: list[str] = []


class IndicatorFilters(filters.FilterSet):
    account = NumberInFilter(field_name="account_id", label="Ids of accounts.")
    kind = filters.ChoiceFilter(choices=Indicator.Kind.choices)
    state = filters.MultipleChoiceFilter(choices=Indicator.State.choices)
    title = filters.CharFilter()
    assignee = NumberInFilter(field_name="assignee_id", label="Ids of members.")
    raised_since = filters.IsoDateTimeFilter(field_name="raised_at", lookup_expr="gte")

    class Meta:
        model = Indicator
        fields: list[str] = []


class ConversationFilters(filters.FilterSet):
    account = NumberInFilter(field_name="account_id", label="Ids of accounts.")
    user = NumberInFilter(field_name="end_user_id", label="Ids of users.")
    sender = NumberInFilter(field_name="sender_id", label="Ids of members.")
    channel = TextInFilter(label="One or several channels, separated by commas.")
    state = filters.MultipleChoiceFilter(choices=Conversation.State.choices)
    created_since = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")

    class Meta:
        model = Conversation
        fields: list[str] = []


class TimelineFilters(filters.FilterSet):
    kind = TextInFilter(label="One or several kinds, separated by commas.")
    subject = TextInFilter(label="What it is about, such as cta:9 or task:12; several separated by commas.")
    since = filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")

    class Meta:
        model = TimelineEntry
        fields: list[str] = []


class TraitProblemFilters(filters.FilterSet):
    scope = filters.CharFilter()
    key = filters.CharFilter()
    outcome = filters.ChoiceFilter(choices=TraitProblem.Outcome.choices)
    since = filters.IsoDateTimeFilter(field_name="last_at", lookup_expr="gte")

    class Meta:
        model = TraitProblem
        fields: list[str] = []
