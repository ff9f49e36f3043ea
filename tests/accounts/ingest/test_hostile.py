"""What nobody sends by accident, at every address: refused or neutralised, never a crash, no batch set aside."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from accounts.ingest import receiving
from accounts.ingest.draining import drain
from accounts.models import Account, DataSource, EndUser, ReceivedBatch, TraitProblem
from accounts.views.tracking import KINDS
from cs_platform.tenancy.context import tenant_context
from tests.accounts.ingest.test_receiving import post
from tests.visitor import Visitor
from tests.world import MONDAY, Workspace

FORMULAS = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\t=1", "\r=1", '=HYPERLINK("http://evil.example")']
SCRIPTS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7*7 }}{% debug %}",
    "javascript:alert(1)",
    "'; DROP TABLE accounts_account; --",
]
VALUES: list[Any] = [
    *FORMULAS,
    *SCRIPTS,
    "a\0b",
    "\u202egnp.exe",
    2**53 + 1,
    -(2**63),
    10**30,
    1e308,
    [[[[1]]]],
    {"$gt": ""},
    {"__proto__": {"admin": True}},
    {f"k{n}": n for n in range(600)},
    "x" * 20_000,
    [],
    {},
    True,
    None,
]
# Bodies that are not JSON to everybody.
RAW = [
    b'{"userId": "\\ud800", "groupId": "g", "event": "E", "traits": {"a": "\\udfff"}}',
    b'{"userId": NaN}',
    b'{"userId": Infinity}',
    b'{"userId": ' + b"9" * 6_000 + b"}",
    b'{"userId": "u", "userId": "v"}',
    b'{"traits": ' + b"[" * 3_000 + b"]" * 3_000 + b"}",
    b'{"traits": ' + b'{"a":' * 60 + b"1" + b"}" * 60 + b', "userId": "u", "groupId": "g"}',
    b"\xff\xfe{\x00}\x00",
    b"\0",
]
FIELDS = ("userId", "groupId", "event", "name", "messageId", "timestamp", "sentAt", "context", "type", "writeKey")


@pytest.fixture
def key(orbiton: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(receiving, "_backlog", receiving.Backlog())
    with tenant_context(orbiton.tenant.pk):
        yield DataSource.open(name="Website", by=orbiton.olga, now=MONDAY)[1]


def hostile_calls() -> Iterator[dict[str, Any]]:
    whole = {"userId": "u", "groupId": "g", "event": "E"}
    for value in VALUES:
        yield from (whole | {field: value} for field in FIELDS)
        yield whole | {"traits": {"title": value, "industry": value}}
        yield whole | {"traits": value, "properties": value}
        if isinstance(value, str):
            yield whole | {"traits": {value: 1}}


@pytest.mark.parametrize("kind", ["identify", "group", "track", "page", "screen", "alias", "batch", "import"])
def test_hostile_bodies_are_answered_and_taken_in(key: str, kind: str) -> None:
    if KINDS[kind] == "batch":
        calls = [call | {"type": type} for call in hostile_calls() for type in ("identify", "group", "track", "page")]
        bodies = [json.dumps({"batch": calls[at : at + 100]}).encode() for at in range(0, len(calls), 100)]
        bodies += [b'{"batch": [' + raw + b"]}" for raw in RAW]
    else:
        bodies = [json.dumps(call).encode() for call in hostile_calls()][::3] + RAW
    answers = {post(kind, body, key=key).status_code for body in bodies}
    assert answers <= {200, 400}
    drain()

    assert not ReceivedBatch.objects.exists()
    assert TraitProblem.objects.exists()
    written = repr(list(Account.objects.values_list("traits", "name"))) + repr(list(EndUser.objects.values()))
    assert "\\x00" not in written


def test_what_looks_like_a_script_stays_a_text(key: str, orbiton: Workspace) -> None:
    traits = {f"t{at}": text for at, text in enumerate((*SCRIPTS, *FORMULAS))}
    post("group", json.dumps({"groupId": SCRIPTS[0], "traits": {"name": SCRIPTS[1]} | traits}).encode(), key=key)
    drain()
    account = Account.objects.get()
    assert account.name == SCRIPTS[1]

    olga = Visitor(orbiton.olga)
    shown = olga.page(f"accounts/{account.pk}/").content.decode() + olga.page("accounts/").content.decode()
    assert "<img src=x" not in shown
    assert "<script>alert" not in shown
    assert 'href="javascript:' not in shown
