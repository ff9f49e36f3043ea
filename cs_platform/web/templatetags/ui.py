"""How values look on a page: icons, money, days, moments, people. Loaded into every template (settings.TEMPLATES)."""

import re
import zlib
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from django import template
from django.forms import BoundField, CheckboxInput, Select, Textarea
from django.template.defaultfilters import floatformat
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django_cotton.templatetags import Attrs

register = template.Library()

MINUS = "−"
NEAR_DAYS = {-1: "Yesterday", 0: "Today", 1: "Tomorrow"}
NOTHING = "–"
HUES = 12
GOOD_HEALTH, WATCHED_HEALTH = 75, 50
_NAMED = re.compile("“([^“”]+)”")
_VARIABLE = re.compile(r"\{\{\s*([\w.]+)[^}]*\}\}")
PIPS = frozenset({"done", "next", "failed", "skipped", "undone"})


@register.simple_tag
@lru_cache(maxsize=1024)  # a table has hundreds, of a few dozen kinds
def icon(name: str, classes: str = "") -> SafeString:
    """One icon of the sprite. It says nothing to a screen reader, so a word must stand beside it."""
    return format_html(
        '<svg class="{}" aria-hidden="true"><use href="{}#{}"></use></svg>',
        f"icon {classes}".rstrip(),
        static("icons.svg"),
        name,
    )


@register.simple_tag
def attributes(attrs: Attrs) -> SafeString:
    """What a component was given beyond its own attributes, escaped (cotton's own `{{ attrs }}` does not escape)."""
    given = attrs.attrs_dict().items()
    parts = [_attribute(name, value) for name, value in given if value is not None and value is not False]
    return mark_safe("".join(parts))


def _attribute(name: str, value: Any) -> SafeString:
    if value is True:
        return format_html(" {}", name)
    return format_html(' {}="{}"', name, value)


@register.filter
def initials(name: str) -> str:
    """First letters of the first and the last word; one word gives its first two letters."""
    words = [word for word in str(name).split() if word[0].isalnum()]
    if len(words) > 1:
        return (words[0][0] + words[-1][0]).upper()
    return "".join(words)[:2].upper()


@register.filter
def hue(name: str) -> int:
    """The same name has the same colour everywhere, for ever."""
    return zlib.crc32(str(name).encode()) % HUES + 1


@register.simple_tag
def avatar(name: str, size: str = "") -> SafeString:
    """A person's letters in their colour. It says nothing to a screen reader: the name stands beside it."""
    return format_html(
        '<span class="avatar {} h{}" title="{}" aria-hidden="true">{}</span>', size, hue(name), name, initials(name)
    )


@register.simple_tag
def who(name: str, size: str = "sm") -> SafeString:
    return format_html('<span class="who">{}<span>{}</span></span>', avatar(name, size), name)


@register.simple_tag
def nav_item(
    address: str, icon_name: str, label: str, current: bool, key: str = "", tally: str = "", count: str = ""
) -> SafeString:
    """A line of the sidebar. `key`: the letter that goes there after G; `tally`: what of it is counted, ever anew."""
    return format_html(
        '<a class="nav-item" href="{}"{}{}>{} <span class="label">{}</span>{}</a>',
        address,
        _CURRENT_PAGE if current else "",
        format_html(' data-go="{}"', key) if key else "",
        icon(icon_name),
        label,
        format_html(' <span class="count" id="tally-{}">{}</span>', tally, count) if tally else "",
    )


_CURRENT_PAGE = mark_safe(' aria-current="page"')


@register.filter
def money(cents: int | None) -> str:
    """`$184,000`: without cents, because nobody reads them in a table."""
    if cents is None:
        return NOTHING
    sign = MINUS if cents < 0 else ""
    return f"{sign}${(abs(cents) + 50) // 100:,}"


@register.filter
def money_short(cents: int | None) -> str:
    """`$1.98M` for totals."""
    if cents is None:
        return NOTHING
    sign, amount = (MINUS if cents < 0 else ""), abs(cents) / 100
    for limit, unit in ((1_000_000_000, "B"), (1_000_000, "M"), (10_000, "k")):
        if amount >= limit:
            return f"{sign}${_three_digits(amount / (1000 if unit == 'k' else limit))}{unit}"
    return money(cents)


def _three_digits(number: float) -> str:
    decimals = 2 if number < 10 else 1 if number < 100 else 0
    text = f"{number:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@register.filter
def yearly(cents: int) -> int:
    """What a month's revenue comes to in a year."""
    return 12 * cents


@register.filter
def signed(number: float | None) -> str:
    """`+3` and `−12`, with a real minus."""
    if number is None:
        return ""
    if number == 0:
        return "0"
    return f"{'+' if number > 0 else MINUS}{abs(number):g}"


@register.filter(expects_localtime=True)
def day(value: date | datetime | None, today: date | None = None) -> str:
    """`8 Dec`, with the year when it is not the year of `today`."""
    if not value:
        return NOTHING
    if today is not None and value.year == today.year:
        return f"{value.day} {value:%b}"
    return f"{value.day} {value:%b} {value.year}"


@register.filter(expects_localtime=True)
def weekday(value: date | datetime | None, today: date | None = None) -> str:
    """`Tue 17 Nov`, for what is due."""
    return f"{value:%a} {day(value, today)}" if value else NOTHING


@register.filter(expects_localtime=True)
def moment(value: datetime | None, today: date | None = None) -> str:
    """`19 Nov, 14:32` in the zone of the workspace; `Today, 06:02` on the day itself, and so the days beside it."""
    if not value:
        return NOTHING
    near = NEAR_DAYS.get((value.date() - today).days) if today is not None else None
    return f"{near or day(value, today)}, {value:%H:%M}"


@register.filter
def variables(said: str) -> str:
    """A sentence about a text that is not filled in yet: `{{ account.name }}` is shown as what stands there later."""
    if not said or "{{" not in said:
        return said
    pieces = _VARIABLE.split(said)
    words = format_html_join("", '{}<span class="var">{}</span>', zip(pieces[::2], pieces[1::2], strict=False))
    return format_html("{}{}", words, pieces[-1])


@register.filter
def named(said: str) -> SafeString:
    """A sentence of a list that is skimmed: what it names “so” stands out instead."""
    return mark_safe(_NAMED.sub(r"<b>\1</b>", conditional_escape(said)))


@register.filter
def uncap(said: str) -> str:
    """A moment within a sentence: `checked today, 06:02`."""
    return said[0].lower() + said[1:] if said.startswith(tuple(NEAR_DAYS.values())) else said


@register.filter(expects_localtime=True)
def clock(value: datetime | None, today: date | None = None) -> str:
    """`14:32` on the day itself, else `19 Nov, 14:32`."""
    if value and today is not None and value.date() == today:
        return f"{value:%H:%M}"
    return moment(value, today)


@register.filter
def days_from(value: date | None, today: date | None) -> int | None:
    """Days from today until a date; negative when it is past."""
    return (value - today).days if value and today else None


@register.filter
def ago(value: datetime | None, now: datetime | None) -> str:
    """`2 h ago` under 7 days, then the date."""
    if not value:
        return "never"
    if now is None:
        return day(timezone.localtime(value))
    minutes = max(0, int((now - value).total_seconds() // 60))
    if minutes < 60:
        return f"{minutes} min ago" if minutes else "just now"
    return f"{minutes // 60} h ago" if minutes < 24 * 60 else _days_ago(value, now)


def _days_ago(value: datetime, now: datetime) -> str:
    today, then = timezone.localdate(now), timezone.localdate(value)
    days = (today - then).days
    if days <= 1:
        return "yesterday"
    return f"{days} d ago" if days < 7 else day(then, today)


@register.filter
def pips(marks: Iterable[str] | None) -> SafeString:
    """One pip per action, plain when there is nothing to say of it. In Python: a page of accounts holds thousands."""
    return mark_safe("".join(f'<i class="{mark}"></i>' if mark in PIPS else "<i></i>" for mark in marks or ()))


@register.filter
def percent(part: float, whole: float) -> int:
    return round(100 * part / whole) if whole else 0


@register.filter
def band(score: float | None) -> str:
    """The word that goes with a health score; the colour only repeats it."""
    if score is None:
        return ""
    return "good" if score >= GOOD_HEALTH else "watch" if score >= WATCHED_HEALTH else "risk"


@register.simple_tag
def gauge(score: float | None, top: int = 100, delta: float | None = None) -> SafeString:
    """A health score from 0 to `top`; `delta` is its change in 30 days."""
    if score is None:
        return _NO_SCORE
    share, decimals = percent(score, top), 1 if top < 100 else 0
    return format_html(
        '<span class="health {0}"><i class="gauge" style="--score: {1}"></i>{2}'
        '<span class="sr"> of {3}, {0}</span>{4}</span>',
        band(share),
        share,
        floatformat(score, f"{decimals}u"),
        top,
        _change(delta, decimals) if delta else "",
    )


_NO_SCORE = mark_safe(
    '<span class="health"><i class="gauge" style="--score: 0"></i><span class="muted">No score</span></span>'
)


def _change(delta: float, decimals: int) -> SafeString:
    return format_html(
        '<span class="delta {}">{}<span class="sr"> in 30 days</span></span>',
        "up" if delta > 0 else "down",
        f"{'+' if delta > 0 else MINUS}{floatformat(abs(delta), decimals)}",
    )


@register.filter
def control(field: BoundField) -> SafeString:
    """A field's widget in our look, described by its error or else its hint; the first wrong one has the focus, or the
    one its form begins with.
    """
    described_by = _described_by(field) or False
    focus = bool(field.errors) or bool(field.field.widget.attrs.get("autofocus"))
    return field.as_widget(attrs={"class": _control_class(field), "aria-describedby": described_by, "autofocus": focus})


def _control_class(field: BoundField) -> str:
    widget = field.field.widget
    if isinstance(widget, Textarea):
        return "textarea"
    if isinstance(widget, CheckboxInput):
        return "check"
    return "select" if isinstance(widget, Select) else "input"


def _described_by(field: BoundField) -> str:
    if field.errors:
        return f"{field.auto_id}_error"
    return f"{field.auto_id}_helptext" if field.help_text else ""


@register.filter
def is_checkbox(field: BoundField) -> bool:
    return isinstance(field.field.widget, CheckboxInput)


SPARK_WIDTH, SPARK_HEIGHT, SPARK_MARGIN = 286, 48, 3


@register.simple_tag
def sparkline(days: Sequence[tuple[date, float | None]], top: float) -> SafeString:
    """Values of consecutive days as one line from 0 to `top`, its end marked. A table beside it says them in words."""
    step = (SPARK_WIDTH - 2 * SPARK_MARGIN) / max(1, len(days) - 1)
    tall = SPARK_HEIGHT - 2 * SPARK_MARGIN
    points = [
        (f"{SPARK_MARGIN + at * step:.1f}", f"{SPARK_HEIGHT - SPARK_MARGIN - tall * value / top:.1f}")
        for at, (_day, value) in enumerate(days)
        if value is not None
    ]
    if not points:
        return SafeString("")
    return format_html(
        '<svg class="spark {}" viewBox="0 0 {} {}" aria-hidden="true"><polyline points="{}"/>'
        '<circle cx="{}" cy="{}" r="2.6"/></svg>',
        band(next(value for _day, value in reversed(days) if value is not None) * 100 / top),
        SPARK_WIDTH,
        SPARK_HEIGHT,
        " ".join(f"{x},{y}" for x, y in points),
        *points[-1],
    )


@register.filter
def marked(text: str, asked: str) -> SafeString:
    """The part of a name that somebody typed, marked."""
    at = text.lower().find(asked.lower()) if asked else -1
    if at < 0:
        return format_html("{}", text)
    end = at + len(asked)
    return format_html("{}<mark>{}</mark>{}", text[:at], text[at:end], text[end:])
