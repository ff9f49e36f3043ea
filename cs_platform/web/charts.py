"""Charts as numbers for inline SVG: templates draw them, nothing here knows what they are about."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 540, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 500, 12, 166
_GAP, _HALF_A_LETTER = 9, 4


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

    @property
    def beside(self) -> tuple[float, float]:
        """Where its value stands."""
        return self.x + _GAP, self.y + _HALF_A_LETTER


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

    @property
    def end(self) -> Dot | None:
        return self.dots[-1] if self.dots else None


def line(
    values: Sequence[tuple[str, float | None]], *, low: float, high: float, rows: Sequence[tuple[float, str]]
) -> Line:
    """`values` are words and numbers in order; `rows` the grid lines with their words."""
    step = (_RIGHT - _LEFT) / max(1, len(values) - 1)
    places = [(_LEFT + at * step, word, value) for at, (word, value) in enumerate(values)]
    dots = [Dot(round(x, 1), _y(value, low, high), value) for x, _, value in places if value is not None]
    return Line(
        rows=[Tick(_y(value, low, high), word) for value, word in rows],
        steps=[Tick(round(x, 1), word) for at, (x, word, _) in enumerate(places) if not (len(places) - 1 - at) % 2],
        dots=dots,
        pieces=_pieces([(x, value) for x, _, value in places], low, high),
    )


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
