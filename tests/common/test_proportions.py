"""Intervals as they stand in the literature: Newcombe 1998, tables of Statistics in Medicine 17, pages 857 and 873."""

import pytest

from cs_platform.common.proportions import Interval, difference, share


@pytest.mark.parametrize(
    ("hits", "cases", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_a_share_has_wilsons_interval(hits: int, cases: int, low: float, high: float) -> None:
    found = share(hits, cases)
    assert found.value == hits / cases
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ],
)
def test_a_difference_has_newcombes(one: tuple[int, int], other: tuple[int, int], low: float, high: float) -> None:
    found = difference(share(*one), share(*other))
    assert found.value == pytest.approx(one[0] / one[1] - other[0] / other[1])
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
    back = difference(share(*other), share(*one))
    assert (back.low, back.high) == (pytest.approx(-found.high), pytest.approx(-found.low))


def test_a_difference_that_holds_zero_may_be_chance() -> None:
    assert Interval(0.1, -0.01, 0.2).holds_zero
    assert not Interval(0.1, 0.01, 0.2).holds_zero
