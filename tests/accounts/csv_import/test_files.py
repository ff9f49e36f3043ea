"""Hostile and odd files: taken in right, or refused in words; never an error of ours."""

import io
import zipfile

import pytest

from accounts.csv_import import files
from accounts.csv_import.files import CsvRefused, Place, rows_from
from accounts.models import Account, CsvImport
from cs_platform.jobs.models import JobError
from tests.world import Workspace

from .files import check, mapped, run, upload

GOOD = "id,name\n1,Åse\n2,Bø\n"


def _zip() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("a.csv", GOOD)
    return held.getvalue()


def _zip_that_claims(size: int) -> bytes:
    """A bomb: a kilobyte of zeros a thousand times over, and a header that announces more."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", b"\0" * 1_000_000)
    return held.getvalue().replace((1_000_000).to_bytes(4, "little"), size.to_bytes(4, "little"))


@pytest.mark.parametrize(
    "content",
    [
        GOOD.encode(),
        GOOD.encode("utf-8-sig"),
        GOOD.encode("utf-16"),
        GOOD.encode("utf-16-be").join([b"\xfe\xff", b""]),
        GOOD.encode("cp1252"),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace("\n", "\r").encode(),
        GOOD.replace(",", ";").encode(),
        GOOD.replace(",", "\t").encode(),
        GOOD.replace(",", "|").encode(),
        b"\n\n" + GOOD.encode() + b"\n\n,\n",
        GOOD.rstrip("\n").encode(),
        b'"id","name"\n"1","\xc3\x85se"\n"2","B\xc3\xb8"\n',
    ],
)
def test_one_table_in_many_forms_is_the_same_table(inside: Workspace, content: bytes) -> None:
    made = upload(inside, content)
    rows = [row.cells for row in rows_from(made, Place())]

    assert rows == [["id", "name"], ["1", "Åse"], ["2", "Bø"]]
    assert (made.header, made.samples) == (["id", "name"], [["1", "Åse"], ["2", "Bø"]])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"id,name\n", "no row below"),
        (_zip(), "zip"),
        (b"\x1f\x8b\x08" + b"x" * 99, "gzip"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"\xd0\xcf\x11\xe0rest", "Excel"),
        (b"\x00" * 4_000, "no text file"),
        (bytes(range(256)) * 2 + b"\x00" * 500, "no text file"),
        (",".join(map(str, range(10_000))).encode() + b"\n1,2\n", "10,000 columns"),
        ((b"a," * 499_999 + b"b\n") * 2, "500,000 columns"),
        (b"," * 1_000_001 + b"\n1,2\n", "longer than 1 MB"),
        (_zip_that_claims(1_000_000_000), "zip"),
        (b"x" * 2_000_000, "longer than 1 MB"),
        (b"id,name\n1," + b"y" * 10_000_000, "longer than 1 MB"),
        (b'id,name\n1,"' + b"never closed\n" * 20_000, "quote"),
        (b"a,b\n" + b"1,2\n" * 30, ""),
    ],
)
def test_what_is_no_table_is_refused_in_words(inside: Workspace, content: bytes, why: str) -> None:
    if not why:
        upload(inside, content)
        return
    with pytest.raises(CsvRefused, match=why):
        upload(inside, content)


def test_a_file_that_is_too_large_is_refused_while_it_comes(inside: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SIZE_LIMIT", 100_000)

    with pytest.raises(CsvRefused, match="larger than"):
        upload(inside, b"id,name\n" + b"1,x\n" * 50_000)


def test_rows_go_on_from_any_place_also_across_parts_and_line_breaks_in_cells(
    inside: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PART_BYTES", 7)
    made = upload(inside, 'id,name\n1,"Åse\nand ""Bo"""\n2,B\n3,C\n')
    rows = list(rows_from(made, Place()))

    assert [row.cells for row in rows][1] == ["1", 'Åse\nand "Bo"']
    for at, row in enumerate(rows[:-1]):
        assert [one.cells for one in rows_from(made, row.next)] == [one.cells for one in rows[at + 1 :]]


def test_a_row_that_cannot_be_kept_is_refused_and_the_others_are_taken(inside: Workspace) -> None:
    made = mapped(inside, b"id,name\n1,a\x00b\n2,ok\n,nameless\n4,a,b,c\n" + b"5" * 300 + b",x\n6\n")
    job = run(inside, made)

    assert (job.state, job.result["created"], job.failed) == ("done", 2, 4)
    said = dict(JobError.objects.filter(job=job).values_list("position", "message"))
    words = {2: "cannot be stored", 4: "is empty", 5: "has 4 cells", 6: "at most 255"}
    assert {row: words[row] in text for row, text in said.items()} == dict.fromkeys(words, True)


def test_what_is_no_utf_8_further_down_is_refused_row_by_row(
    inside: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PART_BYTES", 20)
    made = mapped(inside, b"id,name\n1,fine here\n2,\xff\xfe\n3,ok\n")
    job = run(inside, made)

    assert (job.result["created"], job.failed) == (2, 1)
    assert "not of the file's encoding" in JobError.objects.get().message


def test_formulas_are_texts_and_the_quote_of_an_export_goes_again(inside: Workspace) -> None:
    made = mapped(inside, "id,name\n1,'=1+1\n2,=2+2\n3,'tis\n")
    run(inside, made)

    assert list(Account.objects.order_by("external_id").values_list("name", flat=True)) == ["=1+1", "=2+2", "'tis"]


def test_duplicate_and_missing_headings_do_not_confuse_it(inside: Workspace) -> None:
    made = mapped(inside, "id,seats,seats,\n1,2,3,4\n", {"2": "", "3": ""})

    assert run(inside, made).result["created"] == 1
    assert Account.objects.get().traits == {"seats": 2}


def test_a_quote_that_breaks_off_further_down_ends_the_job_in_words(inside: Workspace) -> None:
    good = "".join(f"{at},x\n" for at in range(100))
    made = mapped(inside, f'id,name\n{good}500,"open\n' + "y,z\n" * 60_000)
    job = check(inside, made)

    assert job.state == "failed"
    assert "quote" in job.error
    assert CsvImport.objects.get().state == "uploaded"
