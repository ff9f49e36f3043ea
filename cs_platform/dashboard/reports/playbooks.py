"""How much playbooks were applied, what they led to, and which of their actions wait for a person."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from accounts.rules.sql import Clock
from cs_platform.dashboard.reports.asked import Asked
from cs_platform.dashboard.reports.figures import counted
from cs_platform.dashboard.reports.files import File, share
from cs_platform.dashboard.reports.tab import Tab
from cs_platform.web.charts import Bars, bars, scale
from cs_platform.web.home import Fact
from cs_platform.web.pages import WorkspaceRequest
from cs_platform.web.templatetags.ui import percent as percent_of
from playbooks import applied
from playbooks.applied import Applied, Failures
from playbooks.compared import Compared
from playbooks.effect import Effect, effects

KINDS = (("ok", "finished"), ("c1", "under_way"), ("neutral", "stopped"))
COMPARED = (
    "outcome", "outcome_days", "compared_with", "reached_with", "compared_without", "reached_without", "percent_with",
    "percent_without", "difference", "difference_low", "difference_high",
)  # fmt: skip


def effects_of(asked: Asked) -> list[Effect]:
    return effects(since=asked.since, clock=Clock.at(asked.now, asked.zone), csms=asked.csms)


def applied_of(asked: Asked) -> list[Applied]:
    return applied.applied(starts=asked.starts, csms=asked.csms)


def failures_of(asked: Asked) -> list[Failures]:
    return applied.open_failures(csms=asked.csms)


# --- the page ---------------------------------------------------------------------------------------------------------


def _context(request: WorkspaceRequest, asked: Asked) -> Mapping[str, Any]:
    steps, failures = applied_of(asked), failures_of(asked)
    return {
        "facts": list(_facts(asked, steps, failures)),
        "steps": list(zip(asked.step_titles, steps, strict=True)),
        "chart": _chart(asked, steps),
        "effects": effects_of(asked),
        "failures": failures,
    }


def _facts(asked: Asked, steps: Sequence[Applied], failures: Sequence[Failures]) -> Iterator[Fact]:
    total = sum(one.total for one in steps)
    yield Fact("Applied", f"{total:,}", asked.during)
    yield Fact("Under way now", f"{applied.under_way(csms=asked.csms):,}", "whenever begun")
    for label, name in (("Finished", "finished"), ("Stopped", "stopped")):
        count = sum(getattr(one, name) for one in steps)
        yield Fact(label, f"{count:,}", f"{percent_of(count, total)}% of applied" if total else "")
    open = sum(one.total for one in failures)
    beside = f"of {counted(len(failures), 'playbook')}" if open else ""
    yield Fact("Failed actions open", f"{open:,}", beside, "bad" if open else "")


def _chart(asked: Asked, steps: Sequence[Applied]) -> Bars | None:
    if not any(one.total for one in steps):
        return None
    values = [
        (word, f"{one.total:,}" if one.total else "", [(kind, getattr(one, name)) for kind, name in KINDS])
        for word, one in zip(asked.step_words, steps, strict=True)
    ]
    marks = [mark for mark in scale([0, *(one.total for one in steps)], steps=4) if mark == int(mark)]
    return bars(values, rows=[(mark, f"{int(mark):,}") for mark in marks])


# --- its tables as files ----------------------------------------------------------------------------------------------


def _applied_rows(asked: Asked) -> Iterator[Sequence[str]]:
    for step, one in zip(asked.steps, applied_of(asked), strict=True):
        yield (step.isoformat(), *map(str, (one.total, one.finished, one.under_way, one.stopped)))


def _rows(asked: Asked) -> Iterator[Sequence[str]]:
    for one in effects_of(asked):
        counts = (one.applied, one.active, one.finished, one.stopped, one.tasks, one.tasks_done)
        more = (one.messages, one.replies, one.nps.answers)
        score = "" if one.nps.score is None else str(one.nps.score)
        took = "" if one.days_to_finish is None else f"{one.days_to_finish:.1f}"
        yield (one.playbook.name, *map(str, (*counts, *more)), score, took, *_compared(one.compared))


def _compared(found: Compared | None) -> Sequence[str]:
    """The outcome, how many reached it with the playbook and without, and the difference with its interval."""
    if found is None:
        return [""] * len(COMPARED)
    groups = (found.with_it, found.without)
    counts = [str(number) for one in groups for number in (one.compared, one.reached)]
    points = found.difference
    shown = ["", "", ""] if points is None else [f"{part:.1f}" for part in (points.value, points.low, points.high)]
    return (found.name, str(found.days), *counts, *(share(one.percent) for one in groups), *shown)


def _failure_rows(asked: Asked) -> Iterator[Sequence[str]]:
    for one in failures_of(asked):
        oldest = "" if one.oldest_at is None else str(one.oldest_at.astimezone(asked.zone).date())
        counts = (one.failed, one.uncertain, one.undo_failed, one.accounts)
        yield (one.playbook.name, *map(str, counts), oldest, one.reason)


APPLIED = File("applied", "Applied over time", ("begins", "applied", "finished", "under_way", "stopped"), _applied_rows)
PLAYBOOKS = File(
    "playbooks",
    "What playbooks led to",
    (
        "playbook", "applied", "active", "finished", "stopped", "tasks", "tasks_done", "messages", "replies",
        "nps_answers", "nps", "days_to_finish", *COMPARED,
    ),
    _rows,
)  # fmt: skip
FAILURES = File(
    "failed-actions",
    "Actions that failed",
    ("playbook", "failed", "uncertain", "undo_failed", "accounts", "oldest", "reason"),
    _failure_rows,
)
TAB = Tab("playbooks", "Playbooks", "dashboard/reports/_playbooks.html", _context, (APPLIED, PLAYBOOKS, FAILURES))
