"""The tables of reports as files: money in units with cents, shares in per cent, nothing where nothing is known."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from cs_platform.dashboard.reports.asked import Asked


@dataclass(frozen=True, slots=True)
class File:
    """One table. Its key is the name of the file and of the endpoint, its title the words of *Export*."""

    key: str
    title: str
    head: Sequence[str]
    rows: Callable[[Asked], Iterable[Sequence[str]]]

    def lines(self, asked: Asked) -> Iterator[Sequence[str]]:
        yield self.head
        yield from self.rows(asked)


def units(cents: int) -> str:
    return f"{cents / 100:.2f}"


def share(percent: float | None) -> str:
    return "" if percent is None else f"{percent:.1f}"
