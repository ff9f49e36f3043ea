"""How far an enrollment has come, as the track shows it: one mark per scheduled action, in the order of their days."""

from collections.abc import Iterable

from playbooks.models import ActionRun, Enrollment

State = ActionRun.State
_MARKS: dict[str, str] = {
    State.APPLIED: "done",
    State.KEPT: "done",
    State.SKIPPED: "skipped",
    State.DEAD: "failed",
    State.UNCERTAIN: "failed",
    State.UNDO_DEAD: "failed",
    State.UNDONE: "undone",
    State.UNDOING: "undone",
    State.CANCELLED: "",
    State.HELD: "next",
}
UNDER_WAY = (Enrollment.State.ACTIVE, Enrollment.State.PAUSED, Enrollment.State.STOPPING)


def marks(states: Iterable[str]) -> tuple[str, ...]:
    """What is not listed above is to come: the first of those is next. A held one waits too, for a person."""
    found, reached = [], False
    for state in states:
        mark = _MARKS.get(state)
        found.append(mark if mark is not None else "" if reached else "next")
        reached = reached or mark is None
    return tuple(found)


def track_state(state: str) -> str:
    """The class of the track."""
    if state in UNDER_WAY:
        return "active"
    return "completed" if state == Enrollment.State.COMPLETED else "stopped"
