"""Cells of a file: text that a spreadsheet would run is kept from it, numbers stay numbers."""

import pytest

from cs_platform.common.csv_text import csv_text, safe_cell


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+1", "-", "@SUM(A1)", "\tA", "-2.5.1", "-1\n"])
def test_what_begins_like_a_formula_becomes_a_text(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["-12", "-0.5", "12", "", "a-b", "2026-01-01"])
def test_numbers_below_nothing_and_ordinary_words_stay(text: str) -> None:
    assert safe_cell(text) == text


def test_lines_are_quoted_where_they_must_be() -> None:
    assert csv_text([["a", "b"], ["-4.2", 'say "x", y']]) == 'a,b\r\n-4.2,"say ""x"", y"\r\n'
