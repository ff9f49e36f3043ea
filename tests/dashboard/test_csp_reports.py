"""What browsers report about the policy reaches the log, and nobody can flood the log with it."""

import json
from typing import Any

import pytest
from django.test import Client

from cs_platform.dashboard import csp_reports
from cs_platform.dashboard.csp_reports import LINES_A_MINUTE, MOST_BYTES, Minute

PATH = "/csp-report/"
OLD = {
    "csp-report": {
        "document-uri": "https://cs.example/w/orbiton/accounts/?q=secret#part",
        "effective-directive": "script-src-elem",
        "blocked-uri": "inline",
        "source-file": "https://cs.example/static/js/app.js",
        "line-number": 12,
        "disposition": "enforce",
        "script-sample": "something of a customer's",
    }
}
NEW = {"type": "csp-violation", "body": {"documentURL": "https://cs.example/", "effectiveDirective": "img-src"}}


@pytest.fixture(autouse=True)
def fresh_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csp_reports, "LINES", Minute(LINES_A_MINUTE))


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Any:
    return lambda: [record.getMessage() for record in caplog.records if record.name == csp_reports.__name__]


def send(body: Any, type: str = "application/csp-report") -> int:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Client(enforce_csrf_checks=True).post(PATH, content, content_type=type).status_code


@pytest.mark.parametrize(
    ("body", "type", "told"),
    [
        (OLD, "application/csp-report", [("https://cs.example/w/orbiton/accounts/", "script-src-elem")]),
        ([NEW, NEW], "application/reports+json", [("https://cs.example/", "img-src")] * 2),
    ],
)
def test_a_report_becomes_one_line(lines: Any, body: Any, type: str, told: list[tuple[str, str]]) -> None:
    assert send(body, type) == 204
    read = [json.loads(line.removeprefix("csp-violation ")) for line in lines()]
    assert [(one["document"], one["directive"]) for one in read] == told
    assert not [line for line in lines() if "secret" in line or "customer" in line]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 5_000,
        b"null",
        b"7",
        b'{"csp-report": []}',
        b'[{"body": 1}, 2]',
        json.dumps({"csp-report": {"document-uri": "x" * MOST_BYTES}}).encode(),
    ],
)
def test_what_is_no_report_is_passed_over(lines: Any, body: bytes) -> None:
    assert send(body) == 204
    assert lines() == []


def test_a_line_stays_one_line_and_short(lines: Any) -> None:
    send({"csp-report": {"document-uri": "a\r\nb" + "x" * 5_000}})
    (line,) = lines()
    assert "\n" not in line
    assert "\r" not in line
    assert len(line) < 600


def test_a_flood_is_logged_so_many_times_a_minute(lines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(csp_reports, "LINES", Minute(5, clock=lambda: clock[0]))
    for _ in range(3):
        send([NEW] * 100, "application/reports+json")
    assert len(lines()) == 5
    clock[0] = 60.0
    send(NEW)
    assert len(lines()) == 6


def test_only_a_post_is_a_report() -> None:
    assert Client().get(PATH).status_code == 405


def test_every_page_says_where_to_report(db: None) -> None:
    page = Client().get("/account/login/")
    policy = page["Content-Security-Policy"]
    assert "report-uri /csp-report/" in policy
    assert "report-to csp" in policy
    assert page["Reporting-Endpoints"] == f'csp="{PATH}"'
