"""A plan's objectives as its page, its Gantt chart and the customer see them: with tasks, progress and warnings."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from django.db.models import OuterRef, Subquery

from ctas.models import Cta, Task
from success_plans.models import CustomerTask, Objective, SuccessPlan, span
from success_plans.scheduling import needs_of

OPEN = (Cta.Status.OPEN, Cta.Status.DRAFT)


@dataclass(slots=True)
class Line:
    """One objective."""

    objective: Objective
    tasks: Sequence[Task]
    needs: Sequence["Line"] = ()
    warnings: Sequence[str] = ()
    plan_start: date | None = None
    _others: Sequence["Line"] = field(default=(), repr=False)

    @property
    def cta(self) -> Cta:
        return self.objective.cta

    @property
    def is_open(self) -> bool:
        return self.cta.status in OPEN

    @property
    def counted(self) -> list[Task]:
        return [task for task in self.tasks if task.status != Task.Status.CANCELLED]

    @property
    def done(self) -> int:
        return sum(task.status == Task.Status.DONE for task in self.tasks)

    @property
    def total(self) -> int:
        return len(self.counted)

    @property
    def percent(self) -> int:
        """What is closed is whole, whatever became of its tasks."""
        if not self.is_open:
            return 100
        return 100 * self.done // self.total if self.total else 0

    @property
    def starts_on(self) -> date | None:
        """As somebody set it, else with the plan; never after it is due."""
        start = self.objective.start_on or self.plan_start
        return min(start, self.cta.due_on) if start and self.cta.due_on else start

    @property
    def bar(self) -> tuple[date, date] | None:
        return span(self.starts_on, self.cta.due_on)

    def task_bars(self) -> Iterator[tuple[Task, tuple[date, date] | None]]:
        """A task begins when the one before it is due: its list is an order, not a calendar."""
        start = self.starts_on
        for task in self.tasks:
            due = task.due_on
            yield task, (min(start or due, due), due) if due else None
            start = due or start


@dataclass(frozen=True, slots=True)
class Category:
    name: str
    lines: Sequence[Line]


def load_lines(plan: SuccessPlan, *, today: date) -> list[Line]:
    """In a fixed number of queries."""
    rows = plan.objectives.filter(cta__archived_at=None).select_related("cta__owner").order_by("position", "pk")
    tasks = _tasks(plan)
    lines = [Line(row, tasks.get(row.cta_id, ()), plan_start=plan.start_on) for row in rows]
    needs, by_id = needs_of(plan.pk), {line.objective.pk: line for line in lines}
    for line in lines:
        line.objective.plan = plan
        line.needs = [by_id[pk] for pk in sorted(needs[line.objective.pk]) if pk in by_id]
        line.warnings = list(_warnings(line, plan, today=today))
    return lines


def _tasks(plan: SuccessPlan) -> Mapping[int, list[Task]]:
    """`customer` of each is the name of who does it there."""
    found: dict[int, list[Task]] = defaultdict(list)
    mine = Objective.objects.filter(plan=plan).values("cta")
    given = Subquery(CustomerTask.objects.filter(task=OuterRef("pk")).values("stakeholder__name")[:1])
    tasks = Task.objects.present().filter(cta__in=mine).select_related("owner").annotate(customer=given)
    for task in tasks.order_by("position", "pk"):
        found[task.cta_id].append(task)
    return found


def _warnings(line: Line, plan: SuccessPlan, *, today: date) -> Iterator[str]:
    due = line.cta.due_on
    if not line.is_open:
        return
    if due and plan.due_on and due > plan.due_on:
        yield "Ends after the plan is due"
    for task in line.tasks:
        if task.status == Task.Status.OPEN and task.due_on and due and task.due_on > due:
            yield f"Task “{task.title}” is due after it"
    for other in line.needs:
        if other.is_open and line.starts_on and other.cta.due_on and other.cta.due_on > line.starts_on:
            yield f"Starts before “{other.cta.name}” ends"
    if due and due < today:
        yield "Overdue"


def by_category(lines: Sequence[Line], order: Sequence[str]) -> list[Category]:
    """In the type's order; categories it does not know follow by name, and those without one stand first."""
    groups: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        groups[line.objective.category].append(line)
    known = ["", *(name for name in order if name)]
    names = [*known, *sorted(groups.keys() - set(known))]
    return [Category(name, groups[name]) for name in names if groups.get(name)]
