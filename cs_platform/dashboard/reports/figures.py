"""Figures as the strips and charts of reports show them."""

from cs_platform.web.templatetags.ui import MINUS, money_short

YEAR = 12  # months of a recurring revenue


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
