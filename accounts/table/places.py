"""How wide columns are, and where those stay that are pinned when a table is scrolled sideways.

A pinned column stays beside those before it, so it has to be known how wide they are: the name and all that are pinned
have a width, whoever has resized them or not.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from accounts.table.columns import Column
from accounts.table.state import TableState

OF_NAME = 256  # pixels of a pinned column that nobody has resized
AT_LEAST, AT_MOST = 144, 240
LETTER, AROUND = 7, 60  # of its label, and what else is in its head


@dataclass(frozen=True, slots=True)
class Place:
    width: int | None = None
    at: int | None = None  # pixels from where the name begins
    order: int = 0  # among those pinned

    def classes(self, own: str) -> str:
        more = (("sized", self.width is not None), ("pin pinned edge", self.at is not None))
        return " ".join([own, *(word for word, holds in more if holds)]).strip()

    @property
    def style(self) -> SafeString:
        """Only numbers: the stylesheet says what they mean."""
        if self.width is None:
            return mark_safe("")
        if self.at is None:
            return format_html(' style="--w: {}"', self.width)
        return format_html(' style="--w: {}; --at: {}; --n: {}"', self.width, self.at, self.order)


ANYWHERE = Place()


def places(state: TableState) -> Mapping[str, Place]:
    """By column; all others are as wide as what is in them, and anywhere."""
    resized = {key: Place(width) for key, width in state.widths.items()}
    return resized | dict(_pinned(state)) if state.pinned else resized


def _pinned(state: TableState) -> Iterator[tuple[str, Place]]:
    name, *others = state.columns[: len(state.pinned) + 1]
    at = state.widths.get(name.key, OF_NAME)
    yield name.key, Place(at)
    for order, column in enumerate(others, 1):
        width = state.widths.get(column.key) or _room(column)
        yield column.key, Place(width, at, order)
        at += width


def _room(column: Column) -> int:
    return min(max(AT_LEAST, len(column.label) * LETTER + AROUND), AT_MOST)
