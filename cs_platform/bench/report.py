"""What a measurement found: a table for people, and one line of JSON for programs."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cs_platform.bench.measure import Cost

_HEADER = ("", "n", "server ms", "client ms", "wall ms")
_PERCENTILES = ("", "n", "wall p50", "wall p95", "wall max", "processor p50", "processor p95")


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    n: int
    cost: Cost

    def cells(self) -> tuple[str, ...]:
        times = (f"{value:,.0f}" for value in (self.cost.server, self.cost.client, self.cost.wall))
        return (self.name, f"{self.n:,}", *times)


@dataclass(frozen=True, slots=True)
class Requests:
    """Many different requests of one kind: what most of them stay below."""

    name: str
    costs: Sequence[Cost]

    def cells(self) -> tuple[str, ...]:
        wall, processor = ([getattr(cost, part) for cost in self.costs] for part in ("wall", "processor"))
        shown = (
            percentile(wall, 50),
            percentile(wall, 95),
            max(wall),
            percentile(processor, 50),
            percentile(processor, 95),
        )
        return (self.name, f"{len(self.costs):,}", *(f"{value:,.0f}" for value in shown))


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest value that so many per cent do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


@dataclass(slots=True)
class Report:
    """The figures are what the JSON holds; a zero in `residue` and a true `equal` are what makes them worth reading."""

    figures: dict[str, Any] = field(default_factory=dict)
    lines: Sequence[Line | Requests] = ()

    @property
    def is_sound(self) -> bool:
        return bool(self.figures.get("equal", True)) and not self.figures.get("residue", 0)

    def as_json(self) -> str:
        return json.dumps(self.figures)

    def as_table(self) -> str:
        header = _PERCENTILES if any(isinstance(line, Requests) for line in self.lines) else _HEADER
        rows = [header, *(line.cells() for line in self.lines)]
        widths = [max(len(row[at]) for row in rows) for at in range(len(header))]
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
