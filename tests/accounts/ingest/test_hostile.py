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
from tests.hostile.corpus import FORMULAS, MARKUP, RAW, TEXTS, faults_in
from tests.hostile.corpus import VALUES as NO_TEXTS
from tests.visitor import Visitor
from tests.world import MONDAY, Workspace

VALUES: list[Any] = [*FORMULAS[:2], *TEXTS.values(), *NO_TEXTS, -(2**63), 1e308, True, [[[[1]]]], []]
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
    traits = {f"t{at}": text for at, text in enumerate((*MARKUP, *FORMULAS))}
    post("group", json.dumps({"groupId": MARKUP[0], "traits": {"name": MARKUP[1]} | traits}).encode(), key=key)
    drain()
    account = Account.objects.get()
    assert account.name == MARKUP[1]

    olga = Visitor(orbiton.olga)
    for path in (f"accounts/{account.pk}/", "accounts/", "traits/", "sources/"):
        assert faults_in(olga.page(path).content.decode()) == []
