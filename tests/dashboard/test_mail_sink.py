"""Mail of the demo, read in the app; nothing of the kind exists outside a demo."""

from email.message import EmailMessage
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

NAME = "01795318719000000000"


@pytest.fixture
def sink(settings: Settings, tmp_path: Path) -> Path:
    settings.DEMO, settings.MAIL_SINK_DIR = True, str(tmp_path)
    return tmp_path


def keep(sink: Path, *, name: str = NAME, subject: str = "Your renewal", html: str = "") -> None:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = subject, "us@example.com", "Ann <ann@example.com>"
    mail.set_content("Dear Ann, see https://example.com/plan")
    if html:
        mail.add_alternative(html, subtype="html")
    (sink / f"{name}.eml").write_bytes(b"X-Envelope-To: ann@example.com\r\n" + mail.as_bytes())


def test_the_newest_comes_first(client: Client, sink: Path) -> None:
    keep(sink, name="0" * 19 + "1", subject="Older")
    keep(sink, name="0" * 19 + "2", subject="Newer")
    page = client.get("/mail-sink/").content.decode()
    assert page.index("Newer") < page.index("Older")
    assert "To ann@example.com" in page


def test_an_empty_sink_says_what_to_do(client: Client, sink: Path) -> None:
    assert "No mail yet" in client.get("/mail-sink/").content.decode()


def test_a_message_shows_its_text_with_links(client: Client, sink: Path) -> None:
    keep(sink)
    page = client.get(f"/mail-sink/{NAME}/").content.decode()
    assert "From us@example.com to ann@example.com" in page
    assert 'href="https://example.com/plan"' in page


def test_html_of_a_message_stays_inside_a_sandbox(client: Client, sink: Path) -> None:
    keep(sink, html="<script>alert(1)</script><b>Dear Ann</b>")
    page = client.get(f"/mail-sink/{NAME}/").content.decode()
    assert "<script>alert" not in page
    assert 'sandbox title="The message as its reader sees it" srcdoc="&lt;script&gt;' in page


@pytest.mark.parametrize("name", ["1" * 20, "..%2f..%2fsecret-key", "x"])
def test_an_unknown_message_is_not_found(client: Client, sink: Path, name: str) -> None:
    keep(sink)
    assert client.get(f"/mail-sink/{name}/").status_code == 404


@pytest.mark.parametrize(("demo", "kept"), [(False, True), (True, False)])
def test_outside_a_demo_there_is_no_such_page(
    client: Client, settings: Settings, tmp_path: Path, demo: bool, kept: bool
) -> None:
    settings.DEMO, settings.MAIL_SINK_DIR = demo, str(tmp_path) if kept else ""
    assert client.get("/mail-sink/").status_code == 404
    assert client.get(f"/mail-sink/{NAME}/").status_code == 404
