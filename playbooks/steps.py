"""The actions of a draft as somebody arranges them: a list of steps in the JSON of a definition, finished or not.

Each function answers the new list. The list is kept in the order of days; steps of one day stand as they were put.
"""

from collections.abc import Mapping, Sequence
from typing import Any

StepJson = dict[str, Any]
Steps = Sequence[StepJson]
Place = tuple[bool, str, int]


def of_draft(draft: Mapping[str, Any]) -> list[StepJson]:
    """What of a draft's steps can be shown at all: an import may hold anything."""
    found = draft.get("steps")
    return [step for step in found if isinstance(step, dict)] if isinstance(found, list) else []


def place(step: StepJson) -> Place:
    """Where it stands in the schedule: the days of the playbook first, then by the date it hangs on."""
    anchor = step.get("anchor")
    if isinstance(anchor, dict):
        return True, str(anchor.get("field") or ""), _whole(anchor.get("days"), 0)
    return False, "", _whole(step.get("day"), 1)


def in_order(steps: Steps) -> list[StepJson]:
    return sorted(steps, key=place)


def find(steps: Steps, key: str) -> StepJson | None:
    return next((step for step in steps if step.get("key") == key), None)


def add(steps: Steps, action: str, *, day: int) -> tuple[list[StepJson], str]:
    key = _free_key(steps, action.replace("_", "-"))
    return in_order([*steps, {"key": key, "day": day, "action": action, "config": {}}]), key


def duplicate(steps: Steps, key: str) -> tuple[list[StepJson], str]:
    """Right after the one it is a copy of."""
    at = _index(steps, key)
    if at is None:
        return list(steps), key
    copy = {**steps[at], "key": _free_key(steps, key.rstrip("-0123456789") or key)}
    return [*steps[: at + 1], copy, *steps[at + 1 :]], copy["key"]


def remove(steps: Steps, key: str) -> list[StepJson]:
    return [step for step in steps if step.get("key") != key]


def replace(steps: Steps, key: str, changed: StepJson) -> list[StepJson]:
    return in_order([{**changed, "key": key} if step.get("key") == key else step for step in steps])


def shift(steps: Steps, key: str, by: int) -> list[StepJson]:
    """One place up or down: past its neighbour on the same day, else onto the neighbour's day."""
    at = _index(steps, key)
    if at is None or not 0 <= at + by < len(steps):
        return list(steps)
    result, step, neighbour = list(steps), steps[at], steps[at + by]
    if place(step) == place(neighbour):
        result[at], result[at + by] = neighbour, step
    else:
        result[at] = _at_time_of(neighbour, step)
    return in_order(result)


def move(steps: Steps, key: str, *, day: int | None, before: str = "") -> list[StepJson]:
    """To this day of the playbook and there before another one, or to where that other one stands."""
    at, other = _index(steps, key), find(steps, before)
    if at is None or before == key:
        return list(steps)
    step = steps[at]
    moved = _at_time_of(other, step) if other else _on_day(step, day or 1)
    rest = remove(steps, key)
    there = rest.index(other) if other else len(rest)
    return in_order([*rest[:there], moved, *rest[there:]])


def reschedule(steps: Steps, day: int, to: int) -> list[StepJson]:
    """All that happens on a day of the playbook, to another one."""
    return in_order([_on_day(step, to) if place(step) == (False, "", day) else step for step in steps])


def _at_time_of(other: StepJson, step: StepJson) -> StepJson:
    timeless = {name: value for name, value in step.items() if name not in ("day", "anchor")}
    return timeless | {name: other[name] for name in ("day", "anchor") if name in other}


def _on_day(step: StepJson, day: int) -> StepJson:
    return {name: value for name, value in step.items() if name != "anchor"} | {"day": day}


def _index(steps: Steps, key: str) -> int | None:
    return next((at for at, step in enumerate(steps) if step.get("key") == key), None)


def _free_key(steps: Steps, stem: str) -> str:
    taken = {step.get("key") for step in steps}
    stem = stem[:36]
    return next(key for key in (stem, *(f"{stem}-{n}" for n in range(2, 1_000))) if key not in taken)


def _whole(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise
