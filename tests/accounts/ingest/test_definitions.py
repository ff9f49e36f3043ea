"""What an unknown key becomes."""

from typing import Any

import pytest

from accounts.ingest.definitions import infer_type, label_of
from accounts.models import Account, TraitDefinition, TraitProblem
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant
from tests.accounts.ingest.calls import group, identify
from tests.accounts.ingest.conftest import Ingest, reasons
from tests.accounts.ingest.state import wrong_mirrors
from tests.world import Workspace, trait

INFERRED: list[tuple[str, list[Any], str | None]] = [
    ("industry", ["Media"], "text"),
    ("seats", [4, 5, "6"], "number"),
    ("seats", ["6", 4], "number"),
    ("zip", ["01234", "99999"], "text"),
    ("mrr", ["48.90", 3274.58], "currency"),
    ("mrr", ["n/a", "14,118.99"], "currency"),
    ("mrr", ["n/a"], "text"),
    ("annual_revenue", [1], "currency"),
    ("contractAmount", [1], "currency"),
    ("ARR", [1], "currency"),
    ("arrived", [1], "number"),
    ("payment_failed", [False, "false"], "boolean"),
    ("payment_failed", ["false", "true"], "boolean"),
    ("renewal", ["2027-01-18", "26/12/2026"], "date"),
    ("renewal", ["2027-01-18", "soon"], "text"),
    ("ends", ["2026-11-27T06:00:00.000Z", "2026-11-27T06:00:00+00:00"], "moment"),
    ("code", ["20270118"], "text"),
    ("website", ["https://a.example"], "url"),
    ("website", ["https://a.example", "a.example"], "text"),
    ("products", [["a"], []], "list"),
    ("legacy", [{"crm": {"id": 37}}], None),
    ("legacy", [[{"id": 37}]], None),
    ("legacy", [{"id": 1}, "x"], "text"),
    ("nothing", ["", None, []], None),
    ("bad", ["a\x00", "\ud800"], "text"),
]


@pytest.mark.parametrize(("key", "values", "type"), INFERRED)
def test_values_tell_the_type_of_an_unknown_key(key: str, values: list[Any], type: str | None) -> None:
    assert infer_type(key, values) == type


@pytest.mark.parametrize(
    ("key", "label"),
    [
        ("trial_ends_at", "Trial ends at"),
        ("trialEndsAt", "Trial ends at"),
        ("mrr", "MRR"),
        ("csm_email", "CSM email"),
        ("Plan", "Plan"),
        ("_", "_"),
    ],
)
def test_a_key_gets_a_readable_label(key: str, label: str) -> None:
    assert label_of(key) == label


@pytest.mark.django_db
class TestDefinitions:
    def test_a_new_key_is_an_integrations_and_takes_the_next_slot(self, ingest: Ingest, orbiton: Workspace) -> None:
        with tenant_context(orbiton.tenant.pk):
            trait("stage")
        ingest(group("a", industry="Media", seats=4), identify("u", title="CTO"))
        with tenant_context(orbiton.tenant.pk):
            found = TraitDefinition.objects.filter(source="integration").values_list("scope", "key", "type", "slot")

            assert set(found) == {
                ("account", "industry", "text", "t02"),
                ("account", "seats", "number", "n01"),
                ("user", "title", "text", "t01"),
            }

    def test_without_a_free_slot_a_trait_stays_in_the_document(self, ingest: Ingest, orbiton: Workspace) -> None:
        ingest(group("a", **{f"flag{n}": True for n in range(12)}))
        with tenant_context(orbiton.tenant.pk):
            assert TraitDefinition.objects.filter(type="boolean", slot=None).count() == 2
            assert len(Account.objects.get().traits) == 12
        assert wrong_mirrors(orbiton.tenant) == []

    def test_a_known_trait_feeds_its_column_and_the_workspace_remembers_it(
        self, ingest: Ingest, orbiton: Workspace
    ) -> None:
        ingest(group("a", mrr=10, plan="Team"))

        assert Tenant.objects.get(pk=orbiton.tenant.pk).column_traits == {"mrr_cents": "mrr", "plan": "plan"}

    def test_a_column_mapped_meanwhile_is_not_forgotten(self, ingest: Ingest, orbiton: Workspace) -> None:
        Tenant.objects.filter(pk=orbiton.tenant.pk).update(column_traits={"plan": "tier"})
        ingest(group("a", mrr=10, tier="Team", plan="x"))

        assert Tenant.objects.get(pk=orbiton.tenant.pk).column_traits == {"plan": "tier", "mrr_cents": "mrr"}

    def test_the_workspaces_own_choice_of_feeder_wins(self, ingest: Ingest, orbiton: Workspace) -> None:
        orbiton.tenant.column_traits = {"mrr_cents": "monthly"}
        orbiton.tenant.save()
        ingest(group("a", mrr=10, monthly="20.50"))
        with tenant_context(orbiton.tenant.pk):
            assert Account.objects.get().mrr_cents == 2050
            assert TraitDefinition.objects.get(key="mrr").slot == "m01"

    def test_a_trait_edited_here_is_not_written_by_an_integration(self, ingest: Ingest, orbiton: Workspace) -> None:
        with tenant_context(orbiton.tenant.pk):
            trait("stage")
        report = ingest(group("a", stage="x"))
        with tenant_context(orbiton.tenant.pk):
            assert Account.objects.get().traits == {}
        assert reasons(report) == {"account.stage": "edited here: integrations do not write it"}

    def test_nested_values_are_listed_under_their_key(self, ingest: Ingest) -> None:
        report = ingest(group("a", legacy_ref={"crm": {"id": 37}}, tags=[{"a": 1}]))

        assert reasons(report) == {
            "account.legacy_ref": "nested objects are not kept",
            "account.tags": "nested objects are not kept",
        }

    def test_unusable_keys_share_one_line(self, ingest: Ingest, orbiton: Workspace) -> None:
        keys = ["", "*", " x", "a\x00", "\ud800", "k" * 101, "a\nb"]
        report = ingest(group("a", **dict.fromkeys(keys, 1)))
        with tenant_context(orbiton.tenant.pk):
            assert not TraitDefinition.objects.exists()
            assert [problem.count for problem in TraitProblem.objects.all()] == [len(keys)]
        assert set(reasons(report)) == {"account.(unusable)"}

    def test_invented_keys_fill_neither_definitions_nor_problems(
        self, ingest: Ingest, orbiton: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("accounts.ingest.definitions.TRAITS_LIMIT", 10)
        monkeypatch.setattr("accounts.ingest.problems.ROWS_LIMIT", 20)
        for batch in range(3):
            ingest(group("a", **{f"k{batch}_{n}": 1 for n in range(100)}))
        with tenant_context(orbiton.tenant.pk):
            assert TraitDefinition.objects.count() == 10
            assert TraitProblem.objects.count() <= 22
            assert sum(TraitProblem.objects.values_list("count", flat=True)) == 290

    def test_odd_but_usable_keys_are_ordinary_traits(self, ingest: Ingest, orbiton: Workspace) -> None:
        odd = {"100% sure": "a", "O'Brien": "b", "naïve {x}": "c", "a.b": "d", 'say "hi"': "e", "%s": "f"}
        ingest(group("a", **odd))
        with tenant_context(orbiton.tenant.pk):
            assert Account.objects.get().traits == odd
        assert wrong_mirrors(orbiton.tenant) == []
