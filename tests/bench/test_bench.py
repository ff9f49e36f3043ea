"""A measurement compares equals, and says what docs/benchmarks.md says it says. How fast is nobody's business here."""

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from cs_platform.bench import api, cockpit, ingest, measure, overlap, preview, table
from cs_platform.bench.evaluator import compiled
from cs_platform.bench.playbooks import ACCOUNT_RULES, RULES
from cs_platform.bench.profiles import PROFILES, Profile
from cs_platform.bench.scale import exponent_of
from cs_platform.tenancy.models import Tenant

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])

KEYS = {
    "evaluate": "accounts rules ratio_to_floor account_rules_to_floor speedup_vs_naive speedup_vs_prefetched"
    " speedup_vs_per_playbook enroll_ratio enroll_ratio_0 enroll_ratio_1 enroll_ratio_2"
    " accounts_per_cpu_s rls_ratio equal",
    "preview": "accounts rules too_long preview_ms_p50 preview_ms_p95 review_ms_p50 review_ms_p95 equal",
    "apply": "runs actions_per_s speedup_vs_naive speedup_vs_batched two_workers assign_speedup"
    " external_100x200ms_s equal",
    "ingest": "calls calls_per_s peak_mb equal",
    "stop": "enrollments seconds speedup_vs_rowwise residue",
    "cockpit": "ctas tasks p95_ms_mine p95_ms_team p95_ms_tasks p95_ms_snoozed p95_ms_closed p95_ms_grouped"
    " p95_ms_filtered p95_ms_board p95_ms_board_due p95_ms_board_team p95_ms_calendar p95_ms_calendar_team"
    " bulk_10000_s equal",
    "api": "accounts list_p95_ms list_per_s ratio_to_bare_view bulk_accounts_per_s equal",
    "scale": "accounts rules exponent equal",
    "table": "accounts p95_ms_default p95_ms_filter p95_ms_sort p95_ms_playbook p95_ms_never p95_ms_search p95_ms_deep"
    " p95_ms_count equal",
}


@pytest.fixture(autouse=True)
def one_round(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """And fresh sessions afterwards, since a measurement changes the settings of its own."""
    monkeypatch.setattr(measure, "ROUNDS", 1)
    yield
    connections.close_all()


def bench(name: str, *options: str) -> dict[str, Any]:
    out = StringIO()
    call_command("bench", name, *options, "--json", stdout=out)
    figures = json.loads(out.getvalue().splitlines()[-1])
    assert list(figures) == KEYS[name].split()
    return figures  # type: ignore[no-any-return]


def test_one_pass_python_and_a_query_each_find_the_same_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROFILES, "S", Profile(accounts=100_000, workspaces=2))
    figures = bench("evaluate", "--accounts", "60")
    assert figures["equal"] is True
    assert (figures["accounts"], figures["rules"]) == (60, 30)


def test_a_preview_counts_what_an_evaluation_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "ROUNDS", 1)
    figures = bench("preview", "--accounts", "60")
    assert (figures["accounts"], figures["rules"], figures["equal"]) == (60, 30, True)
    assert figures["too_long"] == 0


def test_the_engine_does_what_the_orm_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap, "ANSWER_SECONDS", 0)
    figures = bench("apply", "--runs", "20")
    assert figures["equal"] is True
    assert figures["runs"] == 20


def test_a_stop_leaves_nothing_behind() -> None:
    figures = bench("stop", "--enrollments", "4")
    assert (figures["enrollments"], figures["residue"]) == (4, 0)


def test_the_table_shows_what_a_plain_statement_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "REQUESTS", 1)
    figures = bench("table", "--accounts", "600")
    assert figures["equal"] is True
    assert figures["accounts"] == 600


def test_the_cockpit_shows_what_a_plain_query_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cockpit, "REQUESTS", 1)
    figures = bench("cockpit", "--ctas", "400")
    assert (figures["ctas"], figures["tasks"], figures["equal"]) == (400, 1600, True)


def test_the_api_answers_what_a_bare_view_does_and_takes_all_that_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "REQUESTS", 5)
    monkeypatch.setattr(api, "PAGE", 20)
    monkeypatch.setattr(api, "SENT", 30)
    figures = bench("api", "--accounts", "60")
    assert (figures["accounts"], figures["equal"]) == (60, True)


def test_three_sizes_are_asked_the_same_rules() -> None:
    figures = bench("scale", "--accounts", "200")
    assert (figures["accounts"], figures["rules"], figures["equal"]) == (200, 30, True)


def test_ten_times_the_cost_for_ten_times_the_accounts_is_an_exponent_of_one() -> None:
    assert exponent_of({10: 2, 100: 20, 1000: 200}) == pytest.approx(1)
    assert exponent_of({10: 2, 1000: 2 * 100**1.5}) == pytest.approx(1.5)


def test_calls_sent_over_http_are_all_there_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "KILLS", 0)  # tests/accounts/ingest/test_over_http.py kills
    figures = bench("ingest", "--calls", "400", "--megabytes", "1")
    assert (figures["calls"], figures["equal"]) == (400, True)
    assert 0 < figures["peak_mb"] < 400


def test_a_database_in_use_is_left_alone() -> None:
    Tenant.objects.create(slug="acme", name="Acme", created_at="2026-01-01T00:00Z")
    with pytest.raises(CommandError, match="in use"):
        call_command("bench", "stop", stdout=StringIO())


def test_shares_sum_up_to_the_accounts() -> None:
    for profile in (*PROFILES.values(), Profile(7, 5)):
        shares = profile.shares()
        assert (sum(shares), len(shares)) == (profile.accounts, profile.workspaces)
        assert shares == sorted(shares, reverse=True)


def test_there_are_thirty_rules_and_python_understands_them() -> None:
    assert len(RULES) == 30
    assert len({rule["key"] for rule in RULES}) == 30
    assert all("user" not in rule and ":" not in _relational(rule) for rule in RULES[:ACCOUNT_RULES])
    assert all(callable(compiled(rule)) for rule in RULES)


def _relational(rule: dict[str, Any]) -> str:
    return "".join(word for word in ("event:", "indicator:") if word in json.dumps(rule))
