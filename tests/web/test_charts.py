"""Charts as numbers: grid lines, stacks, groups and the words below them."""

from itertools import pairwise

import pytest

from cs_platform.web.charts import bars, grouped, scale


@pytest.mark.parametrize(
    ("values", "marks"),
    [
        ([92.6, 108.4], [90, 95, 100, 105, 110]),
        ([100.0], [100, 100.5]),
        ([0, 694_000], [0, 200_000, 400_000, 600_000, 800_000]),
    ],
)
def test_grid_lines_are_even_numbers_that_hold_all_values(values: list[float], marks: list[float]) -> None:
    assert scale(values, steps=4) == marks


def test_bars_are_stacked_from_nothing_up() -> None:
    [bar] = bars([("Nov", "$3", [("ok", 1), ("c1", 0), ("bad", 2)])], rows=[(0, "0"), (4, "4")]).bars

    assert [part.kind for part in bar.parts] == ["ok", "bad"]
    low, high = bar.parts
    assert low.y + low.height == pytest.approx(168)
    assert high.y + high.height < low.y
    assert bar.top < high.y


def test_bars_stand_side_by_side_around_their_word() -> None:
    chart = grouped([("Nov", [("", [("c1", 1)]), ("", [("ok", 2)])]), ("Dec", [])], rows=[(0, "0"), (2, "2")])

    [opened, closed] = chart.bars
    assert opened.x + chart.thickness < closed.x
    assert (opened.middle + closed.middle) / 2 == pytest.approx(chart.steps[0].at)
    assert [step.label for step in chart.steps] == ["Nov", "Dec"]


@pytest.mark.parametrize("count", [1, 6, 12, 14, 53])
def test_many_bars_are_thin_and_their_words_do_not_touch(count: int) -> None:
    chart = grouped([("28 Sep", [("", [("c1", 1)])] * 2)] * count, rows=[(0, "0"), (1, "1")])

    lefts = [bar.x for bar in chart.bars]
    assert all(right - left >= chart.thickness for left, right in pairwise(lefts))
    assert all(right.at - left.at > 6 * 6.5 for left, right in pairwise(chart.steps))
    assert chart.steps[-1].at == pytest.approx((chart.bars[-1].middle + chart.bars[-2].middle) / 2, abs=0.1)


def test_fewer_words_stand_where_letters_are_larger() -> None:
    chart = grouped([("28 Sep", [("", [("c1", 1)])])] * 10, rows=[(0, "0"), (1, "1")])

    assert [step.is_spare for step in chart.steps] == [True, False] * 5
