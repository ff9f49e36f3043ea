"""What an integration's value means to a trait of a known type: kept, coerced with a note, or refused with a reason.

Notes and reasons never contain the value, so that equal ones add up to one problem (docs/data-in.md lists them).
Unlike a form (accounts/traits.py) an integration sends amounts of money in units, people as addresses, and anything.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from accounts.models import TraitDefinition
from accounts.models.account import Lifecycle
from accounts.models.traits import TraitType
from accounts.traits import LIST_LIMIT, TEXT_LIMIT, choice_values

EXACT_INTEGER = 2**53
# Shorter than a B-tree entry may be: these columns are indexed.
INDEXED_TEXT_LIMIT = 500
# Room on both sides for zones and shifts.
_PLAUSIBLE_YEARS = range(1900, 9990)

NESTED = "nested objects are not kept"
NOT_UNICODE = "contains characters that cannot be stored"
EMPTY = "empty text read as no value"

Reading = tuple[Any, str]  # the canonical value (None: not set), and what had to be done to it


class Refused(ValueError):
    """The value is not kept; whatever was there stays."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What reading depends on beside the definition."""

    zone: ZoneInfo
    people: Mapping[str, int] = field(default_factory=dict)  # lower-case address -> Membership id
    shift: timedelta = timedelta(0)


def read(raw: Any, definition: TraitDefinition, *, terms: Terms) -> Reading:
    if raw is None or raw == []:
        return None, ""
    if isinstance(raw, dict):
        raise Refused(NESTED)
    if isinstance(raw, str):
        raw = clean(raw)
        if not raw:
            return None, EMPTY
    value, note = _READERS[definition.type](raw, definition, terms)
    refuse_unfit_for_column(definition.column, value)
    return value, note


def clean(text: str) -> str:
    if not storable(text):
        raise Refused(NOT_UNICODE)
    if len(text) > TEXT_LIMIT:
        raise Refused(f"longer than {TEXT_LIMIT:,} characters")
    return text.strip()


def storable(text: str) -> bool:
    """PostgreSQL keeps neither NUL nor half of a surrogate pair."""
    if text.isascii():
        return "\x00" not in text
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def refuse_unfit_for_column(column: str, value: Any) -> None:
    if column in ("name", "email", "plan") and isinstance(value, str) and len(value) > INDEXED_TEXT_LIMIT:
        raise Refused(f"longer than {INDEXED_TEXT_LIMIT} characters")
    if column == "timezone" and value is not None and value not in _time_zones():
        raise Refused("not a time zone such as Europe/Berlin")


@cache
def _time_zones() -> set[str]:
    return available_timezones()


def _one(raw: Any) -> Any:
    if isinstance(raw, list):
        raise Refused("a list where one value is expected")
    return raw


# --- text -------------------------------------------------------------------------------------------------------------


def _text(raw: Any, definition: TraitDefinition, terms: Terms) -> Reading:
    if isinstance(_one(raw), str):
        return raw, ""
    if isinstance(raw, bool):
        return str(raw).lower(), "yes or no read as text"
    return str(_finite(raw)), "number read as text"


_LIFECYCLE_WORDS = {
    "trial": Lifecycle.TRIALING,
    "active": Lifecycle.SUBSCRIBED,
    "customer": Lifecycle.SUBSCRIBED,
    "paying": Lifecycle.SUBSCRIBED,
    "canceled": Lifecycle.CHURNED,
    "cancelled": Lifecycle.CHURNED,
}


def _choice(raw: Any, definition: TraitDefinition, terms: Terms) -> Reading:
    text, note = _text(raw, definition, terms)
    is_lifecycle = definition.column == "lifecycle"
    choices = Lifecycle.values if is_lifecycle else choice_values(definition)
    if not choices or text in choices:
        return text, note
    words = {choice.lower(): choice for choice in choices} | (_LIFECYCLE_WORDS if is_lifecycle else {})
    found = words.get(text.lower())
    if found is None:
        raise Refused("none of the choices")
    return str(found), "read as the choice it means"


def _url(raw: Any, definition: TraitDefinition, terms: Terms) -> Reading:
    text, note = _text(raw, definition, terms)
    if re.fullmatch(r"(?i)[a-z0-9-]+(\.[a-z0-9-]+)+(:[0-9]+)?(/\S*)?", text):
        text, note = f"https://{text}", "https:// put in front"
    if not is_url(text):
        raise Refused("not a link that starts with https:// or http://")
    return text, note


def is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and not re.search(r"\s", text)


def _list(raw: Any, definition: TraitDefinition, terms: Terms) -> Reading:
    if not isinstance(raw, list):
        text, _ = _text(raw, definition, terms)
        return [text], "single value read as a list"
    if len(raw) > LIST_LIMIT:
        raise Refused(f"a list of more than {LIST_LIMIT} items")
    items = [_item(item, definition, terms) for item in raw]
    kept = list(dict.fromkeys(text for text in items if text))
    if len(kept) < len(items):
        return kept or None, "empty and repeated items dropped"
    return kept, "" if all(isinstance(item, str) for item in raw) else "items read as text"


def _item(item: Any, definition: TraitDefinition, terms: Terms) -> str:
    if isinstance(item, dict | list):
        raise Refused(NESTED)
    if item is None:
        return ""
    return clean(item) if isinstance(item, str) else _text(item, definition, terms)[0]


def _person(raw: Any, definition: TraitDefinition, terms: Terms) -> Reading:
    member = terms.people.get(raw.lower()) if isinstance(_one(raw), str) else None
    if member is None:
        raise Refused("no team member has this address")
    return member, ""


# --- numbers ----------------------------------------------------------------------------------------------------------


def _number(raw: Any, definition: TraitDefinition, terms: Terms) -> Reading:
    if isinstance(_one(raw), str):
        return _exact(_plain(decimal_in(raw))), "text read as a number"
    if isinstance(raw, bool):
        raise Refused("yes or no where a number is expected")
    return _exact(_finite(raw)), ""


def _currency(raw: Any, definition: TraitDefinition, terms: Terms) -> Reading:
    if isinstance(_one(raw), bool):
        raise Refused("yes or no where a number is expected")
    note = "text read as a number" if isinstance(raw, str) else ""
    amount = decimal_in(_without_symbol(raw)) if isinstance(raw, str) else Decimal(str(_finite(raw)))
    cents = (amount * 100).to_integral_value(ROUND_HALF_UP)
    return _exact(int(cents)), note if cents == amount * 100 else "rounded to cents"


def _finite(number: Any) -> int | float:
    if isinstance(number, float) and not math.isfinite(number):
        raise Refused("not a finite number")
    return _exact(number)


def _exact(number: int | float) -> int | float:
    """Whole numbers become integers, so that 5 and 5.0 are one value."""
    if abs(number) > EXACT_INTEGER:
        raise Refused("too large a number to be kept exactly")
    return int(number) if number == int(number) else number


def _plain(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)


_SYMBOL = re.compile(r"^(?:[$€£¥]|[A-Z]{3}(?![A-Z]))\s*|\s*(?:[$€£¥]|(?<![A-Z])[A-Z]{3})$")
_AMBIGUITY_FREE: tuple[tuple[re.Pattern[str], str, str], ...] = (
    # pattern, group separators to drop, decimal separator
    (re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,2})?|[+-]?\.[0-9]+"), "", "."),
    (re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?"), ",", "."),
    (re.compile(r"[+-]?[0-9]{1,3}([ '’\u00a0\u202f][0-9]{3})+(\.[0-9]+)?"), " '’\u00a0\u202f", "."),
    (re.compile(r"[+-]?[0-9]{1,3}(\.[0-9]{3})+,[0-9]+"), ".", ","),
    (re.compile(r"[+-]?[0-9]{1,3}([ '’\u00a0\u202f][0-9]{3})+,[0-9]+"), " '’\u00a0\u202f", ","),
    (re.compile(r"[+-]?[0-9]+,[0-9]{1,2}"), "", ","),
)


def _without_symbol(text: str) -> str:
    return _SYMBOL.sub("", text)


def decimal_in(text: str) -> Decimal:
    """14,118.99 and 14.118,99 are the same number; 1,234 is a thousand and more."""
    for pattern, groups, point in _AMBIGUITY_FREE:
        if len(text) <= 40 and pattern.fullmatch(text):
            return Decimal(text.translate(dict.fromkeys(map(ord, groups))).replace(point, "."))
    raise Refused("not a number")


_YES_NO = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}


def _boolean(raw: Any, definition: TraitDefinition, terms: Terms) -> Reading:
    if isinstance(_one(raw), bool):
        return raw, ""
    answer = _YES_NO.get(str(raw).lower())
    if answer is None:
        raise Refused("neither yes nor no")
    return answer, f"{'text' if isinstance(raw, str) else 'number'} read as yes or no"


# --- days and moments -------------------------------------------------------------------------------------------------

_DAY_FIRST = re.compile(r"([0-9]{1,2})[/.]([0-9]{1,2})[/.]([0-9]{4})")
_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _date(raw: Any, definition: TraitDefinition, terms: Terms) -> Reading:
    day, note = day_in(raw) if isinstance(_one(raw), str) else (None, "")
    if day is None:
        day, note = _day_of_moment(_moment_in(raw, "not a date")[0], terms)
    _refuse_implausible(day.year)
    return (day + terms.shift).isoformat(), note


def day_in(text: str) -> tuple[date | None, str]:
    """A day written as such. 03/04/2027 is the third of April; 12/26/2026 is none, lest half of a column be swapped."""
    slashed = _DAY_FIRST.fullmatch(text)
    try:
        if slashed:
            day, month, year = map(int, slashed.groups())
            return date(year, month, day), "read as day/month/year"
        return (date.fromisoformat(text), "") if _ISO_DAY.fullmatch(text) else (None, "")
    except ValueError:
        raise Refused("not a date (day/month/year)" if slashed else "not a date") from None


def _day_of_moment(moment: datetime, terms: Terms) -> tuple[date, str]:
    """Midnight is how many systems write a day: it stays that day in every zone."""
    _refuse_implausible(moment.year)
    if moment.time() != time.min:
        moment = moment.astimezone(terms.zone)
    return moment.date(), "time of day dropped"


def _moment(raw: Any, definition: TraitDefinition, terms: Terms) -> Reading:
    day, note = day_in(raw) if isinstance(_one(raw), str) else (None, "")
    if day is not None:
        moment = datetime(day.year, day.month, day.day, tzinfo=terms.zone)
        note = note or "date read as its first moment"
    else:
        moment, note = _moment_in(raw, "not a date and time")
    _refuse_implausible(moment.year)
    return (moment + terms.shift).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), note


def _moment_in(raw: Any, reason: str) -> tuple[datetime, str]:
    if isinstance(raw, str):
        return moment_in(raw, reason)
    if isinstance(raw, bool) or not 10**9 <= raw < 10**13 or 10**10 <= raw < 10**12:
        raise Refused(reason)
    seconds = raw / 1000 if raw >= 10**12 else raw
    return datetime.fromtimestamp(seconds, tz=UTC), "number read as time since 1970"


def moment_in(text: str, reason: str) -> tuple[datetime, str]:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(reason) from None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC), "no offset: read as UTC"
    return moment, ""


def _refuse_implausible(year: int) -> None:
    if year not in _PLAUSIBLE_YEARS:
        raise Refused("not a plausible year")


_READERS: Mapping[str, Callable[[Any, TraitDefinition, Terms], Reading]] = {
    TraitType.TEXT: _text,
    TraitType.CHOICE: _choice,
    TraitType.URL: _url,
    TraitType.LIST: _list,
    TraitType.PERSON: _person,
    TraitType.NUMBER: _number,
    TraitType.CURRENCY: _currency,
    TraitType.BOOLEAN: _boolean,
    TraitType.DATE: _date,
    TraitType.MOMENT: _moment,
}
