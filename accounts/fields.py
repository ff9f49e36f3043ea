"""Every field a workspace's rules, filters and tables can ask about."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.utils.module_loading import import_string

from accounts.models import EventType, HealthScore, Indicator, KeyRole, Segment, TraitDefinition
from accounts.nps.fields import NpsFields
from accounts.rules.aggregates import Aggregate
from accounts.rules.fields import Field, FieldSet, FieldSource, Subject
from accounts.rules.health import HealthFields
from accounts.rules.segments import SegmentFields
from accounts.rules.sources import EventFields, FamilyFields, IndicatorFields, KeyRoleFields

MAX_LISTED = 1_000  # what a picker can show; keys beyond it are still known to rules


def workspace_fields() -> FieldSet:
    """Of the tenant in force: built-in, traits, events, indicators, NPS, and the RULE_FIELD_SOURCES of upper layers."""
    return FieldSet.of(TraitDefinition.objects.order_by("label", "id"), _sources())


def _sources() -> Iterator[FieldSource]:
    yield EventFields(tuple(EventType.objects.order_by("name").values_list("id", "name")))
    titles = Indicator.objects.order_by("title").values_list("title", flat=True).distinct()
    yield IndicatorFields(titles[:MAX_LISTED])  # asked when a picker lists them, and not by every rule that is parsed
    yield SegmentFields(_listed(Segment.objects.order_by("name", "id"), "scope"))
    yield from _counted_sources()


def _counted_sources() -> Iterator[FieldSource]:
    roles = KeyRole.objects.order_by("position", "id").values_list("id", "key", "name", "archived_at")
    yield KeyRoleFields(tuple((id, key, name, at is not None) for id, key, name, at in roles))
    yield FamilyFields()
    yield NpsFields()
    yield HealthFields(_listed(HealthScore.objects.order_by("position", "id")))
    yield from (import_string(path)() for path in settings.RULE_FIELD_SOURCES)


def counted_fields(subject: Subject) -> list[Field]:
    """Those with one value for each account (or user) that lies in rows of other tables, unless they have columns of
    their own there.
    """
    sources = (source for source in _counted_sources() if not getattr(source, "has_columns", False))
    offered = (field for source in sources for field in source.fields(subject))
    return [field for field in offered if isinstance(field.source, Aggregate)]


def _listed(rows: QuerySet[Any], *more: str) -> QuerySet[Any, Any]:
    """Asked when a rule or a picker first needs one of them."""
    is_archived = ExpressionWrapper(Q(archived_at__isnull=False), output_field=BooleanField())
    return rows.annotate(is_archived=is_archived).values_list("id", "name", *more, "is_archived")
