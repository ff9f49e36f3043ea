"""A real export: about a twentieth of its accounts over its whole time, with everything that is wrong in it."""

import random
from collections import Counter
from datetime import timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings

from accounts.ingest import by_day, read_calls, run
from accounts.models import AccountUser, TraitProblem
from cs_platform.tenancy.context import tenant_context
from tests.accounts.ingest.calls import group, identify, track
from tests.accounts.ingest.conftest import NOW, Ingest, problems
from tests.accounts.ingest.state import facts, hashes, wrong_mirrors
from tests.world import Workspace

pytestmark = pytest.mark.django_db

EXPORT = settings.BASE_DIR / "data" / "segment-export.ndjson.gz"


@cache
def sample() -> list[dict[str, Any]]:
    return [call for call in read_calls(EXPORT) if _belongs(call)]


def _belongs(call: dict[str, Any]) -> bool:
    group_id = call.get("groupId") or call.get("context", {}).get("groupId") or ""
    lone = call["userId"].startswith("u_lone") if not group_id else False
    return lone or group_id[-2:] in ("03", "37", "45", "60", "95")


def nasties() -> list[Any]:
    """Crafted on top of what the export already brings."""
    return [
        group("acc_1003", "2026-11-21T06:00:00Z", mrr="n/a", seats=float("nan"), plan="a\x00b", website="javascript:x"),
        group("acc_1003", "2026-11-21T07:00:00Z", seats=10**20, employees="1.234,5", legacy_ref=[{"a": 1}]),
        identify("u_multi_0", "2026-11-21T06:00:00Z", of="acc_1003", role="owner", title="\ud800"),
        identify("u_solo", "2026-11-20T06:00:00Z", role="admin", unsubscribed="yes"),
        track("u_solo", "Signed In", "2026-11-21T06:00:00Z", of="acc_1037"),
        {"type": "alias", "userId": "a", "messageId": "alias-1"},
        {"type": "track", "anonymousId": "x", "event": "E", "messageId": "anonymous-1"},
    ]


def test_a_second_run_changes_nothing(ingest: Ingest, orbiton: Workspace) -> None:
    calls = [*sample(), *nasties()]
    first = ingest(*calls)
    before = hashes(orbiton.tenant)
    second = ingest(*calls, now=NOW + timedelta(hours=1))

    assert first.taken > 2_000
    assert first.refused == 2
    assert (second.taken, second.refused, second.repeated) == (0, 0, len(calls))
    assert hashes(orbiton.tenant) == before
    assert wrong_mirrors(orbiton.tenant) == []


def test_the_order_of_arrival_and_the_cut_of_batches_do_not_matter(
    ingest: Ingest, orbiton: Workspace, halyard: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = [*sample(), *nasties()]
    ingest(*calls)
    monkeypatch.setattr(run, "BATCH_CALLS", 777)
    ingest(*random.Random(7).sample(calls, len(calls)), into=halyard)

    expected, found = facts(orbiton.tenant), facts(halyard.tenant)
    for table in expected:
        assert found[table] == expected[table], table
    assert wrong_mirrors(halyard.tenant) == []


def test_day_by_day_comes_to_the_same_as_at_once(ingest: Ingest, orbiton: Workspace, halyard: Workspace) -> None:
    ingest(*sample())
    for _, calls in by_day(sample(), zone=ZoneInfo("Europe/Berlin")):
        ingest(*calls, into=halyard)

    assert facts(halyard.tenant) == facts(orbiton.tenant)


def test_what_the_export_gets_wrong_is_listed_per_trait(ingest: Ingest, orbiton: Workspace) -> None:
    report = ingest(*read_groups())

    assert problems(report) == {
        ("account.ae_email", "refused", "no team member has this address"),
        ("account.csm_email", "refused", "no team member has this address"),
        ("account.industry", "coerced", "empty text read as no value"),
        ("account.legacy_ref", "refused", "nested objects are not kept"),
        ("account.mrr", "coerced", "text read as a number"),
        ("account.mrr", "refused", "not a number"),
        ("account.payment_failed", "coerced", "text read as yes or no"),
        ("account.renewal_date", "coerced", "read as day/month/year"),
        ("account.seats", "coerced", "text read as a number"),
        ("account.trial_ends_at", "coerced", "time of day dropped"),
    }
    with tenant_context(orbiton.tenant.pk):
        stored = TraitProblem.objects.from_source("segment").by_trait()
        assert {(p.key, p.outcome, p.count) for p in stored} >= {("mrr", "refused", 10), ("legacy_ref", "refused", 24)}


@cache
def read_groups() -> list[dict[str, Any]]:
    return [call for call in read_calls(EXPORT) if call["type"] == "group"]


def test_consultants_belong_to_two_accounts(ingest: Ingest, orbiton: Workspace) -> None:
    ingest(*(call for call in read_calls(EXPORT) if call.get("userId", "").startswith("u_multi")))
    with tenant_context(orbiton.tenant.pk):
        per_user = Counter(AccountUser.objects.values_list("end_user_id", flat=True))

    assert sorted(per_user.values()) == [2] * 12
