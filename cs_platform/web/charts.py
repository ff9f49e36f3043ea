"""Charts as numbers for inline SVG: templates draw them, nothing here knows what they are about."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

WIDTH, HEIGHT = 540, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 500, 12, 166
_GAP, _HALF_A_LETTER, _LINE = 9, 4, 14
_THICKNESS, _SEAM, _ABOVE = 42, 2, 6


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    label: str

    @property
    def baseline(self) -> float:
        """Where a word stands that is centred on it."""
        return self.at + _HALF_A_LETTER


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    value: float


@dataclass(frozen=True, slots=True)
class Line:
    """One line over equal steps. Where a value is missing it breaks off, and begins again at the next one."""

    rows: Sequence[Tick]  # grid lines, by y
    steps: Sequence[Tick]  # words below, by x
    dots: Sequence[Dot]
    pieces: Sequence[str]  # `points` of polylines

    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = _RIGHT
    nudge: float = 0  # how much lower its last value is written

    @property
    def end(self) -> Dot | None:
        return self.dots[-1] if self.dots else None

    @property
    def beside(self) -> tuple[float, float] | None:
        """Where its last value stands."""
        return (self.end.x + _GAP, self.end.y + _HALF_A_LETTER + self.nudge) if self.end else None


def apart(one: Line, other: Line) -> tuple[Line, Line]:
    """Both, with their last values written where neither lies on the other."""
    if one.end is None or other.end is None or abs(one.end.y - other.end.y) >= _LINE:
        return one, other
    missing = (_LINE - abs(one.end.y - other.end.y)) / 2
    up = -missing if one.end.y <= other.end.y else missing
    return replace(one, nudge=up), replace(other, nudge=-up)


def line(
    values: Sequence[tuple[str, float | None]],
    *,
    low: float,
    high: float,
    rows: Sequence[tuple[float, str]],
    right: int = _RIGHT,
) -> Line:
    """`values` are words and numbers in order; `rows` the grid lines with their words. `right`: where it ends."""
    step = (right - _LEFT) / max(1, len(values) - 1)
    places = [(_LEFT + at * step, word, value) for at, (word, value) in enumerate(values)]
    dots = [Dot(round(x, 1), _y(value, low, high), value) for x, _, value in places if value is not None]
    return Line(
        rows=[Tick(_y(value, low, high), word) for value, word in rows],
        steps=[Tick(round(x, 1), word) for at, (x, word, _) in enumerate(places) if not (len(places) - 1 - at) % 2],
        dots=dots,
        pieces=_pieces([(x, value) for x, _, value in places], low, high),
        right=right,
    )


def scale(values: Sequence[float], *, steps: int = 5) -> Sequence[float]:
    """Even numbers for grid lines that hold all of these: 85, 90, 95 … or 0, 200, 400 …"""
    low, high = (min(values), max(values)) if values else (0, 1)
    apart = _round_step(max(high - low, abs(high) * 0.02, 1e-9) / steps)
    first, last = math.floor(low / apart), math.ceil(high / apart)
    return [round(number * apart, 6) for number in range(first, max(last, first + 1) + 1)]


def _round_step(least: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50 …"""
    unit = 10 ** math.floor(math.log10(least))
    return next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= least * 0.999)


@dataclass(frozen=True, slots=True)
class Part:
    y: float
    height: float
    kind: str


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    middle: float
    word: str
    total: str
    top: float
    parts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class Bars:
    """Stacked bars from nothing up, a word below each and its total above."""

    rows: Sequence[Tick]
    bars: Sequence[Bar]

    thickness: int = _THICKNESS
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH


def bars(values: Sequence[tuple[str, str, Sequence[tuple[str, float]]]], *, rows: Sequence[tuple[float, str]]) -> Bars:
    """`values`: the word below, the total above, and parts of a kind from the bottom up; `rows` begin with nothing."""
    high = rows[-1][0]
    step = (WIDTH - _LEFT) / max(1, len(values))
    middles = (_LEFT + step * (at + 0.5) for at in range(len(values)))
    return Bars(
        rows=[Tick(_y(value, 0, high), word) for value, word in rows],
        bars=[_bar(middle, *one, high=high) for middle, one in zip(middles, values, strict=False)],
    )


def _bar(middle: float, word: str, total: str, parts: Sequence[tuple[str, float]], *, high: float) -> Bar:
    drawn, below = [], 0.0
    for kind, value in parts:
        top, bottom = _y(below + value, 0, high), _y(below, 0, high)
        if value:
            drawn.append(Part(top, round(max(bottom - top - (_SEAM if below else 0), 1), 1), kind))
        below += value
    return Bar(round(middle - _THICKNESS / 2, 1), round(middle, 1), word, total, _y(below, 0, high) - _ABOVE, drawn)


def _y(value: float, low: float, high: float) -> float:
    return round(_BOTTOM - (value - low) / (high - low) * (_BOTTOM - _TOP), 1)


def _pieces(places: Sequence[tuple[float, float | None]], low: float, high: float) -> list[str]:
    pieces: list[list[str]] = [[]]
    for x, value in places:
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{x:.1f},{_y(value, low, high)}")
    return [" ".join(piece) for piece in pieces if len(piece) > 1]
