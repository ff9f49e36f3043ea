"""What the Columns menu offers: those shown, in their order, then all others by where they come from."""

from collections.abc import Sequence
from dataclasses import dataclass

from accounts.table.catalogue import Catalogue
from accounts.table.columns import Column
from accounts.table.state import TableState


@dataclass(frozen=True, slots=True)
class Group:
    label: str
    columns: Sequence[Column]
    shown: bool = False


@dataclass(frozen=True, slots=True)
class Chooser:
    groups: Sequence[Group]
    shown: int
    known: int
    reset: str  # the address with the usual columns in their usual widths; empty where they are in force

    @classmethod
    def of(cls, state: TableState, catalogue: Catalogue) -> "Chooser":
        movable = [column for column in catalogue.columns if column.key != "name"]
        shown = [column for column in state.columns if column.key != "name"]
        chosen = "column" in state.params or "width" in state.params
        return cls(
            groups=[Group("Shown", shown, shown=True), *_others(movable, {column.key for column in shown})],
            shown=len(shown),
            known=len(movable),
            reset=state.address(column=None, width=None) if chosen else "",
        )


def _others(columns: Sequence[Column], shown: set[str]) -> list[Group]:
    """Groups in the order in which the catalogue first mentions them."""
    hidden = [column for column in columns if column.key not in shown]
    labels = dict.fromkeys(column.group for column in hidden)
    return [Group(label, [column for column in hidden if column.group == label]) for label in labels]
