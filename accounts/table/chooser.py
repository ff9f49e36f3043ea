"""What the Columns menu offers: those shown, in their order, then all others by where they come from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from accounts.table.catalogue import Catalogue
from accounts.table.columns import Column
from accounts.table.state import TableState

SAID = ("column", "width", "pin")  # parameters of the address that say which columns stand where


@dataclass(frozen=True, slots=True)
class Group:
    label: str
    columns: Sequence[Column]
    shown: bool = False
    explained: str = ""


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
        """The address with the usual columns in their usual widths, none pinned; empty where they are in force."""
        chosen = any(name in self.state.params for name in SAID)
        return self.state.address(**dict.fromkeys(SAID)) if chosen else ""


def _movable(columns: Sequence[Column]) -> list[Column]:
    """The name always leads."""
    return [column for column in columns if column.key != "name"]


def _others(columns: Sequence[Column], shown: Sequence[Column]) -> Iterator[Group]:
    """What needs a word of explanation first, then in the order in which the catalogue mentions the groups. A group
    with such a word is there even where all of it is shown: whoever looks for it finds it.
    """
    keys = {column.key for column in shown}
    explained = {column.group: column.explained for column in columns if column.explained}
    hidden = [column for column in columns if column.key not in keys]
    for label in dict.fromkeys([*explained, *(column.group for column in hidden)]):
        yield Group(label, [one for one in hidden if one.group == label], explained=explained.get(label, ""))
