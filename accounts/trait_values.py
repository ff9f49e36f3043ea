"""A trait's value as a page shows it, whether it was read from a slot or from the document."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from accounts.models import TraitDefinition
from accounts.models.traits import TraitType
from cs_platform.web.templatetags import ui

URL_SHOWN = 40  # characters


@dataclass(frozen=True, slots=True)
class TraitValue:
    kind: str  # a TraitType
    value: Any


def presented(definition: TraitDefinition, value: Any, *, people: Mapping[int, str]) -> TraitValue | None:
    """None where nothing is set. Dates of the document become dates, members' ids their names."""
    if value is None or value == []:
        return None
    if definition.type == TraitType.PERSON:
        return TraitValue(TraitType.TEXT, people.get(value, f"member {value}"))
    if definition.type == TraitType.DATE and isinstance(value, str):
        return TraitValue(TraitType.DATE, date.fromisoformat(value))
    if definition.type == TraitType.MOMENT and isinstance(value, str):
        return TraitValue(TraitType.MOMENT, datetime.fromisoformat(value))
    return TraitValue(definition.type, _plain(value))


def _plain(value: Any) -> Any:
    """A slot keeps whole numbers as 12.0; nobody wants to read that. Lists become what can be compared and kept."""
    if isinstance(value, list):
        return tuple(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def written(trait: TraitValue, today: date | None) -> str:
    """What stands on a page; all that is not safe by itself still wants to be escaped."""
    match trait.kind:
        case TraitType.CURRENCY:
            return ui.money(trait.value)
        case TraitType.NUMBER:
            return f"{trait.value:,}"
        case TraitType.BOOLEAN:
            return "Yes" if trait.value else "No"
        case TraitType.DATE:
            return ui.day(trait.value, today)
        case TraitType.MOMENT:
            return ui.moment(timezone.localtime(trait.value), today)
        case TraitType.LIST:
            return _tags(trait.value)
        case TraitType.URL:
            shown = Truncator(trait.value).chars(URL_SHOWN)
            return format_html('<a class="link" href="{}" rel="noreferrer">{}</a>', trait.value, shown)
    return str(trait.value)


def _tags(items: Iterable[str]) -> SafeString:
    shown = format_html_join("", '<span class="tag">{}</span>', ((item,) for item in items))
    return format_html('<span class="row gap1 wrap">{}</span>', shown)
