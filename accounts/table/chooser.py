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
    state: TableState
    catalogue: Catalogue

    @property
    def shown(self) -> int:
        return len(_movable(self.state.columns))

    @property
    def known(self) -> int:
        return len(_movable(self.catalogue.columns))

    @property
    def groups(self) -> list[Group]:
        shown = _movable(self.state.columns)
        return [Group("Shown", shown, shown=True), *_others(_movable(self.catalogue.columns), shown)]

    @property
    def reset(self) -> str:
        """The address with the usual columns in their usual widths; empty where they are in force."""
        chosen = "column" in self.state.params or "width" in self.state.params
        return self.state.address(column=None, width=None) if chosen else ""


def _movable(columns: Sequence[Column]) -> list[Column]:
    """The name always leads."""
    return [column for column in columns if column.key != "name"]


def _others(columns: Sequence[Column], shown: Sequence[Column]) -> list[Group]:
    """Groups in the order in which the catalogue first mentions them."""
    keys = {column.key for column in shown}
    hidden = [column for column in columns if column.key not in keys]
    labels = dict.fromkeys(column.group for column in hidden)
    return [Group(label, [column for column in hidden if column.group == label]) for label in labels]
