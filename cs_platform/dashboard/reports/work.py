"""CTAs and tasks: what there is to do, how it ended, and whether automation helps."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cs_platform.dashboard.reports.asked import Asked
from cs_platform.dashboard.reports.figures import begun_and_ended, days, days_moved, moved, percent, stacked
from cs_platform.dashboard.reports.files import File, share
from cs_platform.dashboard.reports.people import Owned, by_person
from cs_platform.dashboard.reports.tab import Tab
from cs_platform.web.home import Fact
from cs_platform.web.pages import WorkspaceRequest
from ctas.lists import Kind, current_lists
from ctas.own_days import own_days
from ctas.work_report import Origin, Work, WorkReport, work_report

TYPES_SHOWN = 200  # with their reasons
ENDS = (("ok", "won"), ("bad", "lost"), ("neutral", "cancelled"))
ORIGINS = {
    Origin.PLAYBOOK: "Playbooks",
    Origin.PERSON: "People",
    Origin.RECURRING: "Recurring",
    Origin.API: "The API",
    Origin.OTHER: "Others",
}


@dataclass(frozen=True, slots=True)
class OfType:
    """`reason`: None for all of the type, "" for those without one."""

    type: str
    type_name: str
    reason: str | None
    reason_name: str
    work: Work


@dataclass(frozen=True, slots=True)
class OfOrigin:
    origin: Origin
    work: Work

    @property
    def name(self) -> str:
        return ORIGINS[self.origin]


def work_of(asked: Asked) -> WorkReport:
    today = own_days(asked.tenant, now=asked.now)
    return work_report(starts=asked.starts, until=asked.now, today=today, zone=asked.zone, owners=asked.csms)


def types_of(report: WorkReport) -> list[OfType]:
    """Each type in the order of the workspace's list, then its reasons, if any: those with the most work first."""
    lists = current_lists()
    order = {entry.key: at for at, entry in enumerate(lists.entries[Kind.TYPE])}

    def place(key: tuple[str, str | None]) -> tuple[Any, ...]:
        type, reason = key
        work = report.by_type[key]
        return order.get(type, len(order)), type, reason is not None, -work.open, -work.closed, reason or ""

    told_apart = {type for type, reason in report.by_type if reason}
    found = []
    for type, reason in sorted(report.by_type, key=place)[:TYPES_SHOWN]:
        if reason is not None and type not in told_apart:
            continue
        called = "All" if reason is None else lists.find(Kind.REASON, reason).name or "No reason"
        found.append(OfType(type, lists.find(Kind.TYPE, type).name, reason, called, report.by_type[type, reason]))
    return found


def owners_of(report: WorkReport) -> list[Owned[Work]]:
    return by_person(report.by_owner, weight=lambda work: (work.open, work.closed))


def origins_of(report: WorkReport) -> list[OfOrigin]:
    """None where there is no work at all; Others only where there are some."""
    if report.whole.is_nothing:
        return []
    found = ((origin, report.by_origin.get(origin)) for origin in Origin)
    return [OfOrigin(origin, work or Work()) for origin, work in found if work or origin is not Origin.OTHER]


def _context(request: WorkspaceRequest, asked: Asked) -> Mapping[str, Any]:
    report = work_of(asked)
    return {
        "facts": list(_facts(report)),
        "steps": list(zip(asked.step_titles, report.steps, strict=True)),
        "flow": begun_and_ended(asked.step_words, [(step.opened, step.closed) for step in report.steps]),
        "ends": stacked(
            asked.step_words, [[(kind, getattr(step, name)) for kind, name in ENDS] for step in report.steps]
        ),
        "types": types_of(report),
        "owners": owners_of(report),
        "origins": origins_of(report),
    }


def _facts(report: WorkReport) -> Iterator[Fact]:
    now, before = report.whole, report.before
    yield Fact("Open CTAs", f"{now.open:,}")
    yield Fact("Late", f"{now.late:,}")
    yield Fact("CTAs closed", f"{now.closed:,}")
    yield Fact("Closed on time", percent(now.on_time_share), *moved(now.on_time_share, before.on_time_share))
    yield Fact("Median time to close", days(now.median_days), *days_moved(now.median_days, before.median_days))
    yield Fact("Tasks done", f"{now.tasks_done:,}")


# --- as files ---------------------------------------------------------------------------------------------------------

_ENDED = ("closed", "won", "lost", "cancelled", "on_time", "median_days_to_close")


def _ended(work: Work) -> Sequence[str]:
    counts = (work.closed, work.won, work.lost, work.cancelled)
    return (*map(str, counts), share(work.on_time_share), share(work.median_days))


def _step_rows(asked: Asked) -> Iterator[Sequence[str]]:
    for day, work in zip(asked.steps, work_of(asked).steps, strict=True):
        yield (day.isoformat(), str(work.opened), *_ended(work))


def _type_rows(asked: Asked) -> Iterator[Sequence[str]]:
    for one in types_of(work_of(asked)):
        work = one.work
        yield (one.type_name, one.reason_name, *map(str, (work.open, work.late, work.opened)), *_ended(work))


def _owner_rows(asked: Asked) -> Iterator[Sequence[str]]:
    for one in owners_of(work_of(asked)):
        work = one.sums
        yield (one.name, *map(str, (work.open, work.late, work.opened)), *_ended(work), str(work.tasks_done))


def _origin_rows(asked: Asked) -> Iterator[Sequence[str]]:
    for one in origins_of(work_of(asked)):
        work = one.work
        yield (one.name, *map(str, (work.open, work.late, work.opened)), *_ended(work))


BY_STEP = File("ctas", "Opened and closed", ("begins", "opened", *_ENDED), _step_rows)
BY_TYPE = File("cta-types", "CTAs by type", ("type", "reason", "open", "late", "opened", *_ENDED), _type_rows)
BY_OWNER = File("cta-owners", "CTAs by owner", ("owner", "open", "late", "opened", *_ENDED, "tasks_done"), _owner_rows)
BY_ORIGIN = File("cta-origins", "CTAs by origin", ("origin", "open", "late", "opened", *_ENDED), _origin_rows)
TAB = Tab("work", "CTAs and tasks", "dashboard/reports/_work.html", _context, (BY_STEP, BY_TYPE, BY_OWNER, BY_ORIGIN))
