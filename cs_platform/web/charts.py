"""Charts as numbers for inline SVG: templates draw them, nothing here knows what they are about."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

WIDTH, HEIGHT = 540, 190
_RIGHT, _BOTTOM = 500, 168
_TOP_OF_LINES, _TOP_OF_BARS = 10, 18  # a total stands above the highest bar
_BEFORE, _GAP, _HALF_A_LETTER, _LINE = 8, 9, 4, 16
_THICKNESS, _SEAM, _ABOVE = 43.3, 2, 6
_FILLED = 0.72  # of a step by what stands on it
_LETTER, _WIDE_LETTER, _ON_A_PHONE = 6, 6.5, 9.5
_LOOSE = 8  # steps at most beside each other whose totals may be larger on a phone


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    label: str
    is_spare: bool = False  # left out on a phone, where letters are larger

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
    left: int

    width: int = WIDTH
    height: int = HEIGHT
    right: int = _RIGHT
    nudge: float = 0  # how much lower its last value is written

    @property
    def words_end(self) -> int:
        """Of grid lines."""
        return self.left - _BEFORE

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
    left = _beginning(rows, letters=4)
    step = (right - left) / max(1, len(values) - 1)
    places = [(left + at * step, word, value) for at, (word, value) in enumerate(values)]
    height = partial(_y, low=low, high=high, top=_TOP_OF_LINES)
    dots = [Dot(round(x, 1), height(value), value) for x, _, value in places if value is not None]
    return Line(
        rows=[Tick(height(value), word) for value, word in rows],
        steps=[Tick(round(x, 1), word) for at, (x, word, _) in enumerate(places) if not (len(places) - 1 - at) % 2],
        dots=dots,
        pieces=_pieces([(x, None if value is None else height(value)) for x, _, value in places]),
        left=left,
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
    total: str
    top: float
    parts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars from nothing up, each with its total above; a word below each step."""

    rows: Sequence[Tick]
    steps: Sequence[Tick]
    bars: Sequence[Bar]
    thickness: float
    left: int

    width: int = WIDTH
    height: int = HEIGHT
    right: int = WIDTH

    @property
    def words_end(self) -> int:
        return self.left - _BEFORE

    @property
    def is_close(self) -> bool:
        return len(self.steps) > _LOOSE


Stack = tuple[str, Sequence[tuple[str, float]]]  # the total above, and parts of a kind from the bottom up


def bars(values: Sequence[tuple[str, *Stack]], *, rows: Sequence[tuple[float, str]]) -> Bars:
    """Stacked: the word below each, and what it is made of; `rows` begin with nothing."""
    return grouped([(word, [(total, parts)]) for word, total, parts in values], rows=rows)


def grouped(values: Sequence[tuple[str, Sequence[Stack]]], *, rows: Sequence[tuple[float, str]]) -> Bars:
    """As many side by side at each step, with one word below them."""
    left = _beginning(rows, letters=5)
    height = partial(_y, low=0, high=rows[-1][0], top=_TOP_OF_BARS)
    step = (WIDTH - left) / max(1, len(values))
    abreast = max([1, *(len(stacks) for _word, stacks in values)])
    thickness = round(min(_THICKNESS, (step * _FILLED - _SEAM * (abreast - 1)) / abreast), 1)
    places = [(left + step * (at + 0.5), *one) for at, one in enumerate(values)]
    return Bars(
        rows=[Tick(height(value), word) for value, word in rows],
        steps=_words_with_room([(middle, word) for middle, word, _ in places], step),
        bars=[
            _bar(middle + (at - (len(stacks) - 1) / 2) * (thickness + _SEAM), thickness, *stack, height)
            for middle, _, stacks in places
            for at, stack in enumerate(stacks)
        ],
        thickness=thickness,
        left=left,
    )


def _beginning(rows: Sequence[tuple[float, str]], *, letters: int) -> int:
    """Where grid lines begin: right of the longest of their words, which have room for at least so many letters."""
    return _BEFORE + 2 + _LETTER * max(letters, *(len(word) for _value, word in rows))


def _words_with_room(places: Sequence[tuple[float, str]], step: float) -> list[Tick]:
    """All words, or only so many that none touches the next; the last one stays."""
    letters = max([1, *(len(word) + 1 for _, word in places)])
    apart = math.ceil(letters * _WIDE_LETTER / step)
    apart_on_a_phone = apart * math.ceil(letters * _ON_A_PHONE / (apart * step))
    return [
        Tick(round(x, 1), word, is_spare=bool(to_last % apart_on_a_phone))
        for to_last, (x, word) in zip(range(len(places) - 1, -1, -1), places, strict=True)
        if not to_last % apart
    ]


def _bar(
    middle: float,
    thickness: float,
    total: str,
    parts: Sequence[tuple[str, float]],
    height: Callable[[float], float],
) -> Bar:
    drawn, below = [], 0.0
    for kind, value in parts:
        top, bottom = height(below + value), height(below)
        if value:
            drawn.append(Part(top, round(max(bottom - top - (_SEAM if below else 0), 1), 1), kind))
        below += value
    return Bar(round(middle - thickness / 2, 1), round(middle, 1), total, height(below) - _ABOVE, drawn)


def _y(value: float, *, low: float, high: float, top: int) -> float:
    return round(_BOTTOM - (value - low) / (high - low) * (_BOTTOM - top), 1)


def _pieces(places: Sequence[tuple[float, float | None]]) -> list[str]:
    pieces: list[list[str]] = [[]]
    for x, y in places:
        if y is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{x:.1f},{y}")
    return [" ".join(piece) for piece in pieces if len(piece) > 1]
