"""What integrations change leaves a trace; what they say for the first time begins with its subject."""

from typing import Any

import pytest

from accounts.actors import load_actors
from accounts.ingest.upsert import Item, upsert_accounts
from accounts.models import DataSource, TraitChange, TraitDefinition
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import ApiKey
from tests.accounts.ingest.calls import group, identify
from tests.accounts.ingest.conftest import NOW, Ingest
from tests.world import Workspace, days, trait

DAY_1, DAY_2, DAY_3 = ("2026-11-01T06:00:00Z", "2026-11-02T06:00:00Z", "2026-11-03T06:00:00Z")


def changes(world: Workspace) -> list[tuple[Any, ...]]:
    with tenant_context(world.tenant.pk):
        rows = TraitChange.objects.order_by("field", "pk")
        return list(
            rows.values_list("account__external_id", "end_user__external_id", "field", "before", "after", "actor")
        )


class TestCalls:
    def test_first_values_leave_nothing(self, ingest: Ingest, orbiton: Workspace) -> None:
        ingest(group("acc_1", DAY_1, plan="Team"), identify("u_1", DAY_1, of="acc_1", title="CTO"))
        ingest(group("acc_1", DAY_2, plan="Team", seats=4), group("acc_2", DAY_2, plan="Pro"))

        assert changes(orbiton) == []

    def test_changed_values_are_kept_with_their_sender(self, ingest: Ingest, orbiton: Workspace) -> None:
        ingest(group("acc_1", DAY_1, plan="Team", seats=4, products=["a"]), identify("u_1", DAY_1, title="CTO"))
        ingest(
            group("acc_1", DAY_2, plan="Business", seats=4, products=["a", "b"]),
            identify("u_1", DAY_2, title="CEO"),
            source="source:7",
        )

        assert changes(orbiton) == [
            ("acc_1", None, "trait:plan", "Team", "Business", "source:7"),
            ("acc_1", None, "trait:products", ["a"], ["a", "b"], "source:7"),
            (None, "u_1", "trait:title", "CTO", "CEO", "source:7"),
        ]
        with tenant_context(orbiton.tenant.pk):
            assert set(TraitChange.objects.values_list("at", flat=True)) == {NOW}

    def test_what_feeds_a_column_is_among_them(self, ingest: Ingest, orbiton: Workspace) -> None:
        ingest(group("acc_1", DAY_1, status="trialing", mrr=100))
        ingest(group("acc_1", DAY_2, status="active", mrr=250))

        assert [row[2:5] for row in changes(orbiton)] == [
            ("trait:mrr", 10_000, 25_000),
            ("trait:status", "trialing", "subscribed"),
        ]

    def test_removing_and_saying_again_are_both_changes(self, ingest: Ingest, orbiton: Workspace) -> None:
        ingest(group("acc_1", DAY_1, country="SE"))
        ingest(group("acc_1", DAY_2, country=None))
        ingest(group("acc_1", DAY_3, country="NO"))

        assert [row[3:5] for row in changes(orbiton)] == [("SE", None), (None, "NO")]

    def test_repeats_and_late_calls_are_none(self, ingest: Ingest, orbiton: Workspace) -> None:
        new, old = group("acc_1", DAY_2, plan="Business"), group("acc_1", DAY_1, plan="Team")
        ingest(new)
        ingest(old, new, group("acc_1", DAY_3, plan="Business"))

        assert changes(orbiton) == []

    def test_of_several_values_in_one_batch_the_last_counts(self, ingest: Ingest, orbiton: Workspace) -> None:
        ingest(group("acc_1", DAY_1, seats=1))
        ingest(group("acc_1", DAY_2, seats=2), group("acc_1", DAY_3, seats=3))

        assert [row[3:5] for row in changes(orbiton)] == [(1, 3)]


@pytest.mark.parametrize("source", ["custom", "integration"])
def test_the_api_leaves_them_in_the_name_of_its_key(orbiton: Workspace, source: str) -> None:
    with tenant_context(orbiton.tenant.pk):
        trait("stage", source=source)
        key, _ = ApiKey.issue(name="Sync", scopes=["write"], created_by=None, now=NOW)
        for day, stage in enumerate(("New", "Old", "Old", None)):
            item = Item("acc_1", traits={"stage": stage})
            upsert_accounts([item], tenant=orbiton.tenant, by=key, now=NOW + days(day))

    found = [("acc_1", None, "trait:stage", *values, key.actor) for values in (("New", "Old"), ("Old", None))]
    assert changes(orbiton) == found


def test_a_source_is_called_by_its_name(orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        source, _ = DataSource.open(name="Website", by=orbiton.olga, now=NOW)
        assert load_actors([source.actor])[source.actor].name == "the data source Website"
        assert not TraitDefinition.objects.exists()
