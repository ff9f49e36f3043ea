"""What cells look like. In Python: a page has more than a thousand, and a template for each costs more than all the
rest of it. What does not come from format_html is escaped by accounts/table/rows.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from accounts.models import Account, EndUser
from accounts.models.account import Lifecycle
from accounts.table.columns import Around
from accounts.trait_values import TraitValue, written
from cs_platform.web.templatetags import ui

SOON = 30  # days before a renewal in which it wants somebody's eye
SHOWN = 2  # of several things in one cell
_ZERO = mark_safe('<span class="faint">0</span>')
_OVER = mark_safe('<span class="faint">over</span>')
_UNSUBSCRIBED = mark_safe(' <span class="badge">Unsubscribed</span>')
TONES = {Lifecycle.SUBSCRIBED: "ok", Lifecycle.TRIALING: "info", Lifecycle.CHURNED: "bad"}


def text(value: str, around: Around) -> str:
    return value


def number(value: int | None, around: Around) -> str:
    return f"{value:,}" if value else _ZERO


def net_score(value: TraitValue, around: Around) -> str:
    return ui.signed(value.value)


def money(cents: int, around: Around) -> str:
    return ui.money(cents)


def day(value: date | datetime, around: Around) -> str:
    return ui.day(timezone.localtime(value) if isinstance(value, datetime) else value, around.today)


def ago(value: datetime | None, around: Around) -> str:
    return ui.ago(value, around.now)


def person(name: str, around: Around) -> SafeString:
    return ui.who(name)


def trait(value: TraitValue, around: Around) -> str:
    return written(value, around.today)


def account(one: Account, around: Around) -> SafeString:
    """The list's own address leads to what it lists."""
    return format_html(
        '<span class="name"><span class="logo h{}" aria-hidden="true">{}</span><a href="{}{}/" data-open>{}</a></span>',
        ui.hue(one.name),
        ui.initials(one.name),
        around.path,
        one.pk,
        one.name,
    )


def user(one: EndUser, around: Around) -> SafeString:
    name = str(one)
    return format_html(
        '<span class="name"><span class="avatar sm h{}" aria-hidden="true">{}</span>'
        '<a href="{}{}/" data-open>{}</a>{}</span>',
        ui.hue(name),
        ui.initials(name),
        around.path,
        one.pk,
        name,
        _UNSUBSCRIBED if one.unsubscribed_at else "",
    )


def lifecycle(value: Lifecycle, around: Around) -> SafeString:
    return format_html('<span class="badge plain dot {}">{}</span>', TONES.get(value, "neutral"), value.label)


@dataclass(frozen=True, slots=True)
class Scored:
    """`delta` is the change in 30 days."""

    score: float
    delta: float | None = None

    def __str__(self) -> str:
        return f"{self.score:g}"


def health(scored: Scored, around: Around) -> SafeString:
    return ui.gauge(scored.score, around.health_scale, scored.delta)


def renewal(on: date, around: Around) -> SafeString:
    days = (on - around.today).days
    words = f"{-days} d ago" if days < 0 else f"{days} d" if days else "today"
    tone = "warn-text" if days <= SOON else "faint"
    return format_html('{} <span class="{}">· {}</span>', ui.day(on, around.today), tone, words)


def known_cause(value: tuple[str, date], around: Around) -> SafeString:
    cause, until = value
    if until < around.today:
        return _OVER
    return format_html(
        '<span class="truncate" title="{0}">{0}</span> <span class="faint">· until {1}</span>',
        cause,
        ui.day(until, around.today),
    )


def tags(names: Sequence[str], around: Around) -> SafeString:
    shown = format_html_join("", '<span class="tag">{}</span>', ((name,) for name in names[:SHOWN]))
    return format_html('<span class="row gap1">{}{}</span>', shown, more(names))


def more(things: Sequence[object]) -> SafeString:
    """How many are not shown; pointing at it names all of them."""
    if len(things) <= SHOWN:
        return SafeString("")
    return format_html('<small class="muted" title="{}">+{}</small>', ", ".join(map(str, things)), len(things) - SHOWN)
