"""Every field a workspace's rules, filters and tables can ask about."""

from collections.abc import Iterator

from django.conf import settings
from django.utils.module_loading import import_string

from accounts.models import EventType, Indicator, TraitDefinition
from accounts.nps.fields import NpsFields
from accounts.rules.fields import FieldSet, FieldSource
from accounts.rules.sources import EventFields, IndicatorFields

MAX_LISTED = 1_000  # what a picker can show; keys beyond it are still known to rules


def workspace_fields() -> FieldSet:
    """Of the tenant in force: built-in, traits, events, indicators, NPS, and the RULE_FIELD_SOURCES of upper layers."""
    return FieldSet.of(TraitDefinition.objects.order_by("label", "id"), _sources())


def _sources() -> Iterator[FieldSource]:
    yield EventFields(tuple(EventType.objects.order_by("name").values_list("id", "name")))
    titles = Indicator.objects.order_by("title").values_list("title", flat=True).distinct()
    yield IndicatorFields(titles[:MAX_LISTED])  # asked when a picker lists them, and not by every rule that is parsed
    yield NpsFields()
    yield from (import_string(path)() for path in settings.RULE_FIELD_SOURCES)
