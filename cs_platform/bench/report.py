"""What a measurement found: a table for people, and one line of JSON for programs."""

import json
from dataclasses import dataclass, field
from typing import Any

from cs_platform.bench.measure import Cost

_HEADER = ("", "n", "server ms", "client ms", "wall ms")


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    n: int
    cost: Cost

    def cells(self) -> tuple[str, ...]:
        times = (f"{value:,.0f}" for value in (self.cost.server, self.cost.client, self.cost.wall))
        return (self.name, f"{self.n:,}", *times)


@dataclass(slots=True)
class Report:
    """The figures are what the JSON holds; a zero in `residue` and a true `equal` are what makes them worth reading."""

    figures: dict[str, Any] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        return bool(self.figures.get("equal", True)) and not self.figures.get("residue", 0)

    def as_json(self) -> str:
        return json.dumps(self.figures)

    def as_table(self) -> str:
        rows = [_HEADER, *(line.cells() for line in self.lines)]
        widths = [max(len(row[at]) for row in rows) for at in range(len(_HEADER))]
        figures = [f"{name.replace('_', ' ')}: {_shown(value)}" for name, value in self.figures.items()]
        return "\n".join([*(_laid_out(row, widths) for row in rows), "", *figures])


def _laid_out(row: tuple[str, ...], widths: list[int]) -> str:
    numbers = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
    return "  ".join([row[0].ljust(widths[0]), *numbers])


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "not measured"}[value]
    return f"{value:,}"


def rounded(value: float) -> float | int:
    """Three digits are more than a shared machine can promise; a count stays as it is."""
    return value if isinstance(value, int) else float(f"{value:.3g}")
