"""Files: taken by a short list, given out only to be saved."""

import base64
import io
import struct
import zipfile
import zlib
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import Account, Note
from cs_platform.workspace.attachments import FileRefused, attach, scan, unscanned
from cs_platform.workspace.models import Attachment, AttachmentContent
from ctas.models import Cta
from tests.rest.client import Api
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace

PDF = b"%PDF-1.7\n1 0 obj\n%%EOF\n"


def png(width: int = 2, height: int = 2) -> bytes:
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


def jpeg(width: int, height: int) -> bytes:
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\x00"
    return b"\xff\xd8\xff\xe0\x00\x04ab" + frame + b"\xff\xd9"


def docx(*more: tuple[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in (("[Content_Types].xml", b"<Types/>"), ("word/document.xml", b"<w/>"), *more):
            file.writestr(name, content)
    return packed.getvalue()


def add(home: Workspace, name: str, content: bytes) -> Attachment:
    return attach(subject="cta:1", name=name, content=content, by=home.priya, now=MONDAY)


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("offer.PDF", PDF, "application/pdf"),
        ("screen.png", png(), "image/png"),
        ("photo.jpg", jpeg(800, 600), "image/jpeg"),
        ("list.csv", "näme,id\n".encode(), "text/csv"),
        ("plan.docx", docx(), "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ],
)
def test_a_file_is_what_its_ending_says(inside: Workspace, name: str, content: bytes, kind: str) -> None:
    added = add(inside, name, content)

    assert (added.content_type, added.size, added.state) == (kind, len(content), "clean")
    assert bytes(AttachmentContent.objects.get().content) == content


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("picture.svg", b"<svg onload='alert(1)'/>", "one of these kinds"),
        ("page.html", b"<script>", "one of these kinds"),
        ("noending", PDF, "one of these kinds"),
        ("offer.pdf", b"<html>%PDF-1.7 %%EOF", "not what its ending says"),
        ("offer.pdf", png(), "not what its ending says"),
        ("photo.jpg", b"\xff\xd8\xff\xe0" + b"\0" * 50, "not what its ending says"),
        ("notes.txt", b"a\0b", "not what its ending says"),
        ("plan.docx", PDF, "not what its ending says"),
        ("plan.xlsx", docx(), "not what its ending says"),
        ("plan.docx", docx(("word/vbaProject.bin", b"Sub")), "macros"),
        ("plan.docx", docx(("word/big.xml", b"0" * 100_000_001)), "too large"),
        ("screen.png", png(100_000, 100_000), "25 megapixels"),
        ("photo.jpg", jpeg(60_000, 60_000), "25 megapixels"),
        ("large.txt", b"a" * (10 * 1024 * 1024 + 1), "larger than 10 MB"),
        ("empty.txt", b"", "is empty"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_anything_else_is_refused_in_words(inside: Workspace, name: str, content: bytes, words: str) -> None:
    with pytest.raises(FileRefused, match=words):
        add(inside, name, content)
    assert not Attachment.objects.exists()


def test_a_name_carries_no_path_and_no_tricks(inside: Workspace) -> None:
    assert add(inside, '../../etc/"pass\u202ewd\r\n.txt', b"a").name == "passwd.txt"


def test_it_is_given_out_to_be_saved_and_never_shown(inside: Workspace, priya: Visitor, cta: Cta) -> None:
    priya.submit(f"ctas/{cta.pk}/files/", files=SimpleUploadedFile("Größe.txt", b"<script>alert(1)</script>"))
    added = Attachment.objects.get()
    answer = priya.page(f"files/{added.pk}/")

    assert answer.content == b"<script>alert(1)</script>"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename*=utf-8''Gr")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert "Größe.txt" in text(priya.page(f"accounts/{cta.account_id}/?cta={cta.pk}"))


def test_a_removed_file_is_gone_until_it_is_brought_back(inside: Workspace, priya: Visitor, cta: Cta) -> None:
    added = attach(subject=cta.subject, name="a.txt", content=b"a", by=inside.tom, now=MONDAY)
    priya.send(f"files/{added.pk}/archive/")
    assert priya.page(f"files/{added.pk}/").status_code == 200, "only who added it removes it"

    maya = Visitor(inside.maya)
    assert "restore" in maya.send(f"files/{added.pk}/archive/").headers["HX-Trigger"]
    assert maya.page(f"files/{added.pk}/").status_code == 404
    maya.submit(f"files/{added.pk}/restore/")
    assert maya.page(f"files/{added.pk}/").status_code == 200


def test_a_note_has_files_too(inside: Workspace, priya: Visitor, harbourline: Account) -> None:
    note = Note.write(harbourline, body="They met", by=inside.priya, now=MONDAY)
    files = [SimpleUploadedFile("minutes.pdf", PDF), SimpleUploadedFile("bad.exe", b"MZ")]
    answer = priya.send(f"accounts/notes/{note.pk}/files/", files=files)

    assert "one of these kinds" in answer.headers["HX-Trigger"]
    assert "minutes.pdf" in text(priya.page(f"accounts/{harbourline.pk}/"))


class Suspicious:
    def scan(self, content: bytes) -> str:
        return "It looks like a virus" if b"evil" in content else ""


def test_a_scanner_looks_before_anybody_gets_it(inside: Workspace, priya: Visitor, settings: Any) -> None:
    settings.ATTACHMENT_SCANNER = "tests.workspace.test_attachments.Suspicious"
    good, bad = add(inside, "good.txt", b"good"), add(inside, "bad.txt", b"evil")
    assert priya.page(f"files/{good.pk}/").status_code == 404
    while waiting := unscanned():
        scan(waiting)

    assert priya.page(f"files/{good.pk}/").status_code == 200
    assert priya.page(f"files/{bad.pk}/").status_code == 404
    bad.refresh_from_db()
    assert (bad.state, bad.reason) == ("refused", "It looks like a virus")
    assert not AttachmentContent.objects.filter(attachment=bad).exists()


def test_files_travel_over_the_api(inside: Workspace, cta: Cta) -> None:
    api, file = Api.with_key(inside.tenant), base64.b64encode(PDF).decode()
    added = api.post("/attachments/", {"subject": cta.subject, "name": "offer.pdf", "content": file}).json

    assert api.get(f"/attachments/{added['id']}/content/").response.content == PDF
    assert [row["name"] for row in api.get(f"/attachments/?subject={cta.subject}").results] == ["offer.pdf"]
    assert api.post(f"/attachments/{added['id']}/archive/").json["archived_at"]
    assert api.get(f"/attachments/{added['id']}/content/").status == 404
    assert api.post(f"/attachments/{added['id']}/restore/").json["archived_at"] is None
    wrong = {"subject": "cta:999999", "name": "offer.pdf", "content": "%"}
    assert set(api.post("/attachments/", wrong).errors) == {"/subject", "/content"}
    assert api.post("/attachments/", {"subject": cta.subject, "name": "a.svg", "content": file}).status == 400
