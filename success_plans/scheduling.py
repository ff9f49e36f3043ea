"""Objectives in time: where each stands, from when to when, and which waits for which."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django.db import transaction

from cs_platform.tenancy.models import Doer
from success_plans.models import Dependency, Objective, SuccessPlan
from success_plans.planning import CannotPlan

PLACE = frozenset({"category", "weight", "start_on"})


def change_place(objective: Objective, *, by: Doer, now: datetime, **changes: Any) -> bool:
    """Category, weight or start: what the plan says of the CTA, not the CTA itself. Raises CannotPlan."""
    if unknown := changes.keys() - PLACE:
        raise TypeError(f"{', '.join(sorted(unknown))} cannot be edited.")
    due_on = objective.cta.due_on
    if changes.get("start_on") and due_on and changes["start_on"] > due_on:
        raise CannotPlan("It would start after it is due.", "start_on")
    changes = {name: value for name, value in changes.items() if getattr(objective, name) != value}
    if not changes:
        return False
    with transaction.atomic():
        Objective.objects.filter(pk=objective.pk).update(**changes)
        for name, value in changes.items():
            setattr(objective, name, value)
        objective.plan.work({}, {}, by=by, now=now)
        return True


def reschedule(objective: Objective, *, start_on: date | None, due_on: date | None, by: Doer, now: datetime) -> bool:
    """Both ends at once, as a bar is moved. Raises CannotPlan."""
    if start_on and due_on and due_on < start_on:
        raise CannotPlan("It would be due before it starts.", "due_on")
    with transaction.atomic():
        moved = objective.cta.edit(due_on=due_on, by=by, now=now)
        return change_place(objective, start_on=start_on, by=by, now=now) or moved


def move(objective: Objective, *, to: int, by: Doer, now: datetime) -> bool:
    """To this place among the plan's objectives, counted from 0; the others close up."""
    with transaction.atomic():
        SuccessPlan.objects.select_for_update(no_key=True).get(pk=objective.plan_id)
        rows = list(Objective.objects.filter(plan=objective.plan_id).order_by("position", "pk"))
        order = [row.pk for row in rows if row.pk != objective.pk]
        order.insert(max(0, min(to, len(order))), objective.pk)
        if order == [row.pk for row in rows]:
            return False
        by_id = {row.pk: row for row in rows}
        for position, pk in enumerate(order):
            by_id[pk].position = position
        Objective.objects.bulk_update(rows, ["position"])
        objective.plan.work({}, {}, by=by, now=now)
        return True


# --- what waits for what ----------------------------------------------------------------------------------------------


def set_needs(objective: Objective, needed: set[int], *, by: Doer, now: datetime) -> bool:
    """The objectives that must end before this one begins, by id. Raises CannotPlan."""
    with transaction.atomic():
        SuccessPlan.objects.select_for_update(no_key=True).get(pk=objective.plan_id)
        graph = needs_of(objective.plan_id)
        if graph[objective.pk] == needed:
            return False
        _refuse_needs(objective, needed, graph)
        Dependency.objects.filter(objective=objective).delete()
        Dependency.objects.bulk_create([Dependency(objective=objective, needed_id=pk) for pk in sorted(needed)])
        objective.plan.work({}, {}, by=by, now=now)
        return True


def needs_of(plan_id: int) -> defaultdict[int, set[int]]:
    """objective -> what it waits for"""
    found: defaultdict[int, set[int]] = defaultdict(set)
    rows = Dependency.objects.filter(objective__plan=plan_id).values_list("objective_id", "needed_id")
    for objective_id, needed_id in rows:
        found[objective_id].add(needed_id)
    return found


def _refuse_needs(objective: Objective, needed: set[int], graph: Mapping[int, set[int]]) -> None:
    if objective.pk in needed:
        raise CannotPlan("An objective cannot wait for itself.", "needs")
    known = set(Objective.objects.filter(plan=objective.plan_id).values_list("pk", flat=True))
    if needed - known:
        raise CannotPlan("Objectives can only wait for others of the same plan.", "needs")
    if objective.pk in _reached(needed, graph):
        raise CannotPlan("They would wait for each other. Take away one of the two.", "needs")


def _reached(start: set[int], graph: Mapping[int, set[int]]) -> set[int]:
    """Everything these wait for, themselves included."""
    seen, ahead = set(), list(start)
    while ahead:
        pk = ahead.pop()
        if pk not in seen:
            seen.add(pk)
            ahead += graph.get(pk, set())
    return seen
