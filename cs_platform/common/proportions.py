"""How sure a share of a few cases is, and the difference between two of them.

Wilson's score interval for one share, and Newcombe's hybrid of two of them for a difference (method 10 in R. G.
Newcombe, Interval estimation for the difference between independent proportions, Statistics in Medicine 17, 1998,
pages 873 to 890). Unlike the textbook's formula both hold for small groups and for shares near 0 and 1.
"""

from dataclasses import dataclass
from math import sqrt

Z = 1.959964  # of the normal distribution, for 95 %


@dataclass(frozen=True, slots=True)
class Interval:
    """`low` to `high` hold the true value in 95 of 100 such cases."""

    value: float
    low: float
    high: float

    @property
    def holds_zero(self) -> bool:
        return self.low <= 0 <= self.high


def share(hits: int, cases: int) -> Interval:
    """Wilson's. There must be a case."""
    found = hits / cases
    middle = found + Z * Z / (2 * cases)
    half = Z * sqrt(found * (1 - found) / cases + Z * Z / (4 * cases * cases))
    whole = 1 + Z * Z / cases
    return Interval(found, (middle - half) / whole, (middle + half) / whole)


def difference(one: Interval, other: Interval) -> Interval:
    """Newcombe's, of two shares of independent groups: how much more the first is."""
    value = one.value - other.value
    down = sqrt((one.value - one.low) ** 2 + (other.high - other.value) ** 2)
    up = sqrt((one.high - one.value) ** 2 + (other.value - other.low) ** 2)
    return Interval(value, value - down, value + up)
