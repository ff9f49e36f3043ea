"""How well customers are: now and before, who moved, how segments and plans differ, and what pulls health down."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from accounts.health import report
from accounts.health.report import Bands, Cost, Group, HealthOn, Movers, Standing
from cs_platform.dashboard.reports.asked import Asked
from cs_platform.dashboard.reports.figures import YEAR, money, moved
from cs_platform.dashboard.reports.files import File, units
from cs_platform.dashboard.reports.tab import Tab
from cs_platform.web.charts import Bars, bars
from cs_platform.web.home import Fact
from cs_platform.web.pages import WorkspaceRequest

A_DAY = timedelta(days=1)
QUARTERS = (0, 25, 50, 75, 100)
KINDS = (("ok", "good"), ("warn", "watch"), ("bad", "risk"), ("neutral", "unknown"))
FACTS = (("Healthy", "good"), ("To watch", "watch"), ("At risk", "risk"), ("Without a reading", "unknown"))


@dataclass(frozen=True, slots=True)
class History:
    """At the end of each step of the time, the last one being now, and of the day before it began."""

    began: HealthOn
    steps: Sequence[HealthOn]


def standing_of(asked: Asked) -> Standing:
    return report.standing(tenant=asked.tenant, csms=asked.csms)


def history_of(asked: Asked, now: Bands) -> History:
    ends = [day - A_DAY for day in asked.steps]
    began, *past = report.over_time(tenant=asked.tenant, days=ends, csms=asked.csms)
    return History(began, [*past, HealthOn(asked.today, now)])


def movers_of(asked: Asked) -> Movers:
    return report.movers(tenant=asked.tenant, since=asked.since.date(), csms=asked.csms)


def segments_of(asked: Asked) -> list[Group]:
    return report.by_segment(tenant=asked.tenant, csms=asked.csms)


def plans_of(asked: Asked) -> list[Group]:
    return report.by_plan(tenant=asked.tenant, csms=asked.csms)


def costs_of(asked: Asked) -> list[Cost]:
    return report.costs(tenant=asked.tenant, csms=asked.csms)


# --- the page ---------------------------------------------------------------------------------------------------------


def _context(request: WorkspaceRequest, asked: Asked) -> Mapping[str, Any]:
    now = standing_of(asked)
    history = history_of(asked, now.bands)
    moves = movers_of(asked)
    return {
        "facts": list(_facts(now, history)),
        "history": list(zip(asked.step_titles, history.steps, strict=True)),
        "chart": _chart(asked, history.steps),
        "ways": (("Fell most", "No account’s health fell", moves.fallen), ("Rose most", "None’s rose", moves.risen)),
        "segments": segments_of(asked),
        "plans": [(one, _accounts_on(one.name)) for one in plans_of(asked)],
        "costs": costs_of(asked),
        "decimals": 1 if asked.tenant.health_scale < 100 else 0,
    }


def _facts(now: Standing, history: History) -> Iterator[Fact]:
    known = [one.bands.average for one in (history.began, *history.steps) if one.bands.average is not None]
    average = now.bands.average
    yield Fact("Average health", "–" if average is None else f"{average:.1f}", *moved(average, *known[:1] or (None,)))
    for label, band in FACTS:
        accounts, arr = getattr(now.bands, band), YEAR * now.mrr_cents[band]
        yield Fact(label, f"{accounts:,}", f"{money(arr)} ARR" if accounts else "")


def _chart(asked: Asked, history: Sequence[HealthOn]) -> Bars | None:
    if not any(one.bands.known for one in history):
        return None
    stacks = [[(kind, one.bands.share(band) or 0) for kind, band in KINDS] for one in history]
    values = [(word, "", parts) for word, parts in zip(asked.step_words, stacks, strict=True)]
    return bars(values, rows=[(mark, f"{mark}%") for mark in QUARTERS])


def _accounts_on(plan: str) -> str:
    """The address of their list."""
    return urlencode({"filter": json.dumps({"field": "plan", "op": "is", "value": plan})})


# --- its tables as files ----------------------------------------------------------------------------------------------

BANDS = ("accounts", "average", "healthy", "to_watch", "at_risk", "without_reading")


def _bands(bands: Bands) -> Sequence[str]:
    counts = (bands.good, bands.watch, bands.risk, bands.unknown)
    return (str(bands.accounts), _points(bands.average), *map(str, counts))


def _points(health: float | None) -> str:
    return "" if health is None else f"{health:.2f}"


def _history_rows(asked: Asked) -> Iterator[Sequence[str]]:
    for step, one in zip(asked.steps, history_of(asked, standing_of(asked).bands).steps, strict=True):
        yield (step.isoformat(), one.day.isoformat(), *_bands(one.bands))


def _mover_rows(asked: Asked) -> Iterator[Sequence[str]]:
    moves = movers_of(asked)
    for one in (*moves.fallen, *moves.risen):
        at = one.account
        whose = (at.name, at.external_id, at.csm.name if at.csm else "", units((at.mrr_cents or 0) * YEAR))
        yield (*whose, *map(_points, (one.before, one.after)))


def _group_rows(found: Callable[[Asked], Iterable[Group]]) -> Callable[[Asked], Iterator[Sequence[str]]]:
    def rows(asked: Asked) -> Iterator[Sequence[str]]:
        for one in found(asked):
            yield (one.name, units(one.mrr_cents * YEAR), *_bands(one.bands))

    return rows


def _cost_rows(asked: Asked) -> Iterator[Sequence[str]]:
    for one in costs_of(asked):
        counts = (one.healthy, one.concerning, one.poor, one.unknown)
        yield (one.measure.score.name, one.measure.name, _points(one.points), *map(str, counts))


HISTORY = File("health", "Health over time", ("begins", "until", *BANDS), _history_rows)
MOVERS = File(
    "health-movers",
    "What moved",
    ("account", "external_id", "csm", "arr", "health_then", "health_now"),
    _mover_rows,
)
COSTS = File(
    "health-measures",
    "What pulls health down",
    ("score", "measure", "points", "healthy", "concerning", "poor", "unknown"),
    _cost_rows,
)
SEGMENTS = File("health-segments", "Health by segment", ("segment", "arr", *BANDS), _group_rows(segments_of))
PLANS = File("health-plans", "Health by plan", ("plan", "arr", *BANDS), _group_rows(plans_of))
TAB = Tab("health", "Health", "dashboard/reports/_health.html", _context, (HISTORY, MOVERS, COSTS, SEGMENTS, PLANS))
