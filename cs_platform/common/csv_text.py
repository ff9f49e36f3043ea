"""Text of a CSV file (RFC 4180) in which no cell is a formula, whoever opens it."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

NUMBER = re.compile(r"-\d+(\.\d+)?")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\0")


def csv_text(lines: Iterable[Sequence[str]]) -> str:
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerows([safe_cell(cell) for cell in line] for line in lines)
    return written.getvalue()


def safe_cell(text: str) -> str:
    """Spreadsheets run what begins like a formula; a quote before it makes it a text again. A number is none."""
    return f"'{text}" if text.startswith(FORMULA) and not NUMBER.fullmatch(text) else text
