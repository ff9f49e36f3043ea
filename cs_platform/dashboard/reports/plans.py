"""Success plans: how those under way stand, what they reached, which need somebody, and which accounts have none."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cs_platform.dashboard.reports.asked import Asked
from cs_platform.dashboard.reports.figures import YEAR, begun_and_ended, percent, stacked
from cs_platform.dashboard.reports.files import File, share, units
from cs_platform.dashboard.reports.people import Owned, by_person
from cs_platform.dashboard.reports.tab import Tab
from cs_platform.web.home import Fact
from cs_platform.web.pages import WorkspaceRequest
from success_plans.plan_report import Covered, Needing, PlanReport, Plans, coverage, needing_attention, plan_report

REACHED = (("ok", "reached"), ("warn", "reached_late"), ("bad", "lost"))
STANDINGS = {"overdue": ("Overdue", "bad"), "at_risk": ("At risk", "warn"), "on_track": ("On track", "ok")}
STATES = {"active": "Plan under way", "draft": "Draft only", "none": "No plan"}


def plans_of(asked: Asked) -> PlanReport:
    return plan_report(starts=asked.starts, now=asked.now, zone=asked.zone, owners=asked.csms)


def needing_of(asked: Asked) -> list[Needing]:
    return needing_attention(now=asked.now, zone=asked.zone, owners=asked.csms)


def coverage_of(asked: Asked) -> list[Covered]:
    return coverage(csms=asked.csms)


def plan_owners_of(report: PlanReport) -> list[Owned[Plans]]:
    return by_person(report.by_owner, weight=lambda plans: (plans.active, plans.closed))


def _context(request: WorkspaceRequest, asked: Asked) -> Mapping[str, Any]:
    report, covered, words = plans_of(asked), coverage_of(asked), asked.step_words
    return {
        "facts": list(_facts(report.whole, covered)),
        "steps": list(zip(asked.step_titles, report.steps, strict=True)),
        "lives": begun_and_ended(words, [(step.begun, step.closed) for step in report.steps]),
        "objectives": stacked(
            words, [[(kind, getattr(step, name)) for kind, name in REACHED] for step in report.steps]
        ),
        "needing": [(one, *STANDINGS[one.standing]) for one in needing_of(asked)],
        "owners": plan_owners_of(report),
        "coverage": list(_shares(covered)),
        "today": asked.today,
    }


def _facts(plans: Plans, covered: Sequence[Covered]) -> Iterator[Fact]:
    overdue, late = plans.overdue, plans.reached_late
    yield Fact("Plans under way", f"{plans.active:,}", f"{plans.on_track:,} on track" if plans.active else "")
    yield Fact("At risk or overdue", f"{plans.at_risk + overdue:,}", f"{overdue:,} overdue" if overdue else "", "bad")
    yield Fact("Average progress", percent(None if plans.progress is None else round(plans.progress)))
    yield Fact("Plans closed", f"{plans.closed:,}")
    yield Fact("Objectives reached", f"{plans.all_reached:,}", f"{late:,} late" if late else "", "warn")
    accounts = sum(one.accounts for one in covered)
    with_one = next(one.accounts for one in covered if one.state == "active")
    yield Fact("Accounts with a plan", f"{with_one:,}", f"of {accounts:,}")


def _shares(covered: Sequence[Covered]) -> Iterator[tuple[str, str, Covered, float]]:
    """State, its words, its sums, and its share of the revenue."""
    whole = sum(one.mrr_cents for one in covered)
    for one in covered:
        if one.accounts or one.state != "draft":
            yield one.state, STATES[one.state], one, round(100 * one.mrr_cents / whole) if whole else 0


# --- as files ---------------------------------------------------------------------------------------------------------


def _step_rows(asked: Asked) -> Iterator[Sequence[str]]:
    for day, plans in zip(asked.steps, plans_of(asked).steps, strict=True):
        yield (day.isoformat(), *map(str, (plans.begun, plans.closed, plans.reached, plans.reached_late, plans.lost)))


def _needing_rows(asked: Asked) -> Iterator[Sequence[str]]:
    for one in needing_of(asked):
        plan = one.plan
        yield (
            str(plan.pk),
            plan.name,
            plan.account.name,
            plan.owner.name if plan.owner else "Nobody",
            one.standing,
            str(one.percent),
            plan.due_on.isoformat() if plan.due_on else "",
            one.last_done_at.astimezone(asked.zone).date().isoformat(),
        )


def _owner_rows(asked: Asked) -> Iterator[Sequence[str]]:
    for one in plan_owners_of(plans_of(asked)):
        plans = one.sums
        standing = (plans.active, plans.on_track, plans.at_risk, plans.overdue, plans.still)
        ended = (plans.begun, plans.closed, plans.reached, plans.reached_late, plans.lost)
        yield (one.name, *map(str, standing), share(plans.progress), *map(str, ended))


def _coverage_rows(asked: Asked) -> Iterator[Sequence[str]]:
    for one in coverage_of(asked):
        yield (one.state, str(one.accounts), units(one.mrr_cents * YEAR))


_OBJECTIVES = ("objectives_reached", "objectives_reached_late", "objectives_lost")
BY_STEP = File("plans", "Plans and objectives", ("begins", "begun", "closed", *_OBJECTIVES), _step_rows)
NEEDING = File(
    "plans-needing-attention",
    "Plans that need attention",
    ("id", "plan", "account", "owner", "standing", "progress", "due_on", "last_done_on"),
    _needing_rows,
)
BY_OWNER = File(
    "plan-owners",
    "Plans by owner",
    (
        "owner", "active", "on_track", "at_risk", "overdue", "standing_still", "progress", "begun", "closed",
        *_OBJECTIVES,
    ),
    _owner_rows,
)  # fmt: skip
COVERAGE = File("plan-coverage", "Accounts with and without a plan", ("state", "accounts", "arr"), _coverage_rows)
TAB = Tab(
    "plans",
    "Success plans",
    "dashboard/reports/_plans.html",
    _context,
    (BY_STEP, NEEDING, BY_OWNER, COVERAGE),
)
