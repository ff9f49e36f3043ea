"""Figures as the strips and charts of reports show them."""

from collections.abc import Sequence

from cs_platform.web.charts import Bars, bars, grouped, scale
from cs_platform.web.templatetags.ui import MINUS, money_short

YEAR = 12  # months of a recurring revenue
LABELLED = 6  # steps whose bars have room for their numbers where two stand side by side


def percent(share: float | None) -> str:
    return "–" if share is None else f"{share:g}%"


def money(cents: float) -> str:
    return str(money_short(int(cents)))


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def moved(now: float | None, then: float | None) -> tuple[str, str]:
    """How far it moved, in points, and whether that is good: for what stands beside a fact."""
    if now is None or then is None:
        return "", ""
    points = round(now - then, 1)
    sign = "+" if points > 0 else MINUS if points < 0 else ""
    return f"{sign}{abs(points):g} pts", "ok" if points > 0 else "bad" if points < 0 else ""


def days(number: float | None) -> str:
    if number is None:
        return "–"
    shown = number_of_days(number)
    return f"{shown} day{'' if shown == '1' else 's'}"


def number_of_days(number: float) -> str:
    """Whole ones from ten on: tenths of so many say nothing."""
    return f"{number:.1f}".removesuffix(".0") if number < 10 else f"{number:,.0f}"


def days_moved(now: float | None, then: float | None) -> tuple[str, str]:
    """As `moved`, where less is better."""
    if now is None or then is None:
        return "", ""
    more = round(now - then, 1)
    sign = "+" if more > 0 else MINUS if more < 0 else ""
    return f"{sign}{days(abs(more))}", "bad" if more > 0 else "ok" if more < 0 else ""


def whole_marks(highest: float) -> Sequence[tuple[float, str]]:
    """Grid lines for counts, with their words: from nothing up, and never a part of one."""
    marks = scale([0, highest], steps=4)
    return [(mark, f"{mark:,.0f}") for mark in marks if mark == int(mark)]


def begun_and_ended(words: Sequence[str], numbers: Sequence[tuple[int, int]]) -> Bars | None:
    """Two bars for each step; nothing where there is nothing."""
    if not any(map(any, numbers)):
        return None
    written = "{:,}".format if len(numbers) <= LABELLED else "".format
    pairs = [
        [(written(n) if n else "", [(kind, n)]) for kind, n in zip(("c1", "c2"), two, strict=True)] for two in numbers
    ]
    return grouped(list(zip(words, pairs, strict=True)), rows=whole_marks(max(map(max, numbers))))


def stacked(words: Sequence[str], parts: Sequence[Sequence[tuple[str, int]]]) -> Bars | None:
    """A bar of parts for each step, with how many they are together; nothing where there is nothing."""
    totals = [sum(number for _kind, number in each) for each in parts]
    if not any(totals):
        return None
    values = [
        (word, f"{total:,}" if total else "", each) for word, total, each in zip(words, totals, parts, strict=True)
    ]
    return bars(values, rows=whole_marks(max(totals)))
