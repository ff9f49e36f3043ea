"""A CSV file on its way in: looked at, kept in parts, and read row by row from any place.

Everything is judged by content, whatever the file is called. What cannot be read is refused in words, never guessed.
"""

import codecs
import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.models import CsvImport, CsvPart
from cs_platform.tenancy.models import Doer

SIZE_LIMIT = 50_000_000
ROWS_LIMIT = 1_000_000
COLUMNS_LIMIT = 200
ROW_BYTES = 1_000_000
PART_BYTES = 1_000_000
SAMPLE_ROWS = 5
SAMPLE_CHARACTERS = 120
HEADER_CHARACTERS = 100
LOOKED_AT = 64_000

UTF_8, WINDOWS = "utf-8", "cp1252"
ENCODINGS = (("utf-8", "UTF-8"), ("cp1252", "Windows (Western)"), ("iso8859-15", "ISO 8859-15"), ("mac-roman", "Mac"))
DELIMITERS = ((",", "Comma"), (";", "Semicolon"), ("\t", "Tab"), ("|", "Bar"))
_MARKS = ((codecs.BOM_UTF8, UTF_8), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_NO_TEXT = (
    (b"PK\x03\x04", "a zip or an Excel file"),
    (b"PK\x05\x06", "an empty zip file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"%PDF", "a PDF"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file"),
    (b"{\\rtf", "an RTF document"),
)


class CsvRefused(ValueError):
    """The text says what is wrong with the file and what to do."""


def keep_upload(
    chunks: Iterable[bytes],
    *,
    scope: str,
    file_name: str,
    by: Doer,
    now: datetime,
    encoding: str = "",
    delimiter: str = "",
) -> CsvImport:
    """Empty encoding and delimiter are found out. Raises CsvRefused; nothing is kept then."""
    made = CsvImport(scope=scope, file_name=storable(file_name)[:200], size=0, created_at=now, created_by=by.member)
    made.save(force_insert=True)
    parts = [CsvPart(csv_import=made, position=at, content=part) for at, part in enumerate(_parts(_normal(chunks)))]
    CsvPart.objects.bulk_create(parts, batch_size=5)
    made.size = sum(len(part.content) for part in parts)
    read_anew(made, encoding=encoding, delimiter=delimiter)
    return made


def read_anew(made: CsvImport, *, encoding: str = "", delimiter: str = "") -> None:
    """Header and samples, as they read in this encoding with this delimiter."""
    start = bytes(CsvPart.objects.filter(csv_import=made, position=0).values_list("content", flat=True).first() or b"")
    if not start.strip():
        raise CsvRefused("The file is empty. Choose one with a line of headings and a row below it.")
    made.encoding = encoding or _encoding_of(start)
    made.delimiter = delimiter or _delimiter_of(_decoded(start[:LOOKED_AT], made.encoding))
    rows = rows_from(made, Place())
    header = next(rows, None)
    if header is None:
        raise CsvRefused("The file is empty. Choose one with a line of headings and a row below it.")
    if len(header.cells) > COLUMNS_LIMIT:
        raise CsvRefused(f"The file has {len(header.cells):,} columns; up to {COLUMNS_LIMIT} can be imported.")
    made.header = [storable(cell.strip())[:HEADER_CHARACTERS] for cell in header.cells]
    made.samples = [
        [storable(cell)[:SAMPLE_CHARACTERS] for cell in row.cells[:COLUMNS_LIMIT]]
        for row, _ in zip(rows, range(SAMPLE_ROWS), strict=False)
    ]
    if not made.samples:
        raise CsvRefused("The file has headings and no row below them.")
    made.mapping = {}
    made.save()


def storable(text: str) -> str:
    """What a page can show of anything: without what PostgreSQL cannot keep."""
    return "".join(
        "\ufffd" if character == "\x00" or "\ud800" <= character <= "\udfff" else character for character in text
    )


# --- into parts -------------------------------------------------------------------------------------------------------


def _normal(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """In a form of one byte per line break, without a mark at the start: UTF-16 becomes UTF-8."""
    size, decoder, is_first = 0, None, True
    old_mac = False
    for chunk in chunks:
        size += len(chunk)
        if size > SIZE_LIMIT:
            raise CsvRefused(f"The file is larger than {SIZE_LIMIT // 1_000_000} MB. Split it, or use the API.")
        if is_first:
            _refuse_no_text(chunk)
            mark, encoding = next(((mark, one) for mark, one in _MARKS if chunk.startswith(mark)), (b"", ""))
            chunk = chunk[len(mark) :]
            decoder = codecs.getincrementaldecoder(encoding)("replace") if encoding.startswith("utf-16") else None
            old_mac = b"\r" in chunk and b"\n" not in chunk
            is_first = False
        if decoder:
            chunk = decoder.decode(chunk).encode()
        yield chunk.replace(b"\r", b"\n") if old_mac else chunk


def _refuse_no_text(start: bytes) -> None:
    for mark, what in _NO_TEXT:
        if start.startswith(mark):
            raise CsvRefused(f"This is {what}, whatever its name says. Save it as CSV and choose that file.")
    is_utf_16 = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if not is_utf_16 and start[:LOOKED_AT].count(b"\x00") * 10 > len(start[:LOOKED_AT]):
        raise CsvRefused("This is no text file. Save it as CSV in UTF-8 and choose that file.")


def _parts(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Of equal size, so that a place in the file says in which part it lies."""
    held = bytearray()
    for chunk in chunks:
        held += chunk
        while len(held) >= PART_BYTES:
            yield bytes(held[:PART_BYTES])
            del held[:PART_BYTES]
    yield bytes(held)


def _encoding_of(start: bytes) -> str:
    """Cut in the middle of a character at the end of a part, it is still UTF-8."""
    try:
        codecs.getincrementaldecoder(UTF_8)().decode(start)
    except UnicodeDecodeError:
        return WINDOWS
    return UTF_8


def _decoded(raw: bytes, encoding: str) -> str:
    return raw.decode(encoding, "replace")


def _delimiter_of(text: str) -> str:
    """The one that divides the most of the first lines alike; of none, the comma."""
    lines = text.splitlines()[:20]
    return max((mark for mark, _ in DELIMITERS), key=lambda mark: _agreement(lines, mark))


def _agreement(lines: Sequence[str], mark: str) -> tuple[int, int]:
    try:
        widths = [len(row) for row in csv.reader(lines, delimiter=mark) if row]
    except csv.Error:
        return (0, 0)
    usual = widths[0] if widths else 1
    return (sum(width == usual for width in widths) if usual > 1 else 0, usual)


# --- row by row -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row begins: bytes from the start, and how many rows stand before it."""

    at: int = 0
    row: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    cells: list[str]
    number: int  # the heading is row 1
    next: Place


def rows_from(made: CsvImport, start: Place) -> Iterator[Row]:
    """Raises CsvRefused at a row that cannot be read. Empty lines are no rows."""
    lines = _Lines(made, start.at)
    reader, number = csv.reader(lines, delimiter=made.delimiter), start.row
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise CsvRefused(f"Row {number + 1:,} cannot be read: {_why(error)}") from None
        number += 1
        if number > ROWS_LIMIT + 1:
            raise CsvRefused(f"The file has more than {ROWS_LIMIT:,} rows. Split it.")
        if any(cells):
            yield Row(cells, number, Place(lines.at, number))


def _why(error: csv.Error) -> str:
    if "field larger" in str(error):
        return "one cell is far too long. Perhaps a quote is opened and not closed."
    return f"{error}."


class _Lines:
    """The lines of a file from a place on, and the place after the last one handed out."""

    def __init__(self, made: CsvImport, at: int) -> None:
        self.at = at
        self._encoding = made.encoding
        self._lines = _byte_lines(made.pk, at)

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.at += len(line)
        return _decoded(line, self._encoding)


def _byte_lines(pk: int, at: int) -> Iterator[bytes]:
    position, skip, held = at // PART_BYTES, at % PART_BYTES, b""
    while (part := _part(pk, position)) is not None:
        *whole, held = (held + part[skip:]).split(b"\n")
        yield from (_bounded(line) + b"\n" for line in whole)
        _bounded(held)
        position, skip = position + 1, 0
    if held:
        yield held


def _bounded(line: bytes) -> bytes:
    if len(line) > ROW_BYTES:
        raise CsvRefused(f"A row is longer than {ROW_BYTES // 1_000_000} MB. Is this a CSV file with line breaks?")
    return line


def _part(pk: int, position: int) -> bytes | None:
    found = CsvPart.objects.filter(csv_import_id=pk, position=position).values_list("content", flat=True).first()
    return None if found is None else bytes(found)
