"""One trait's value: typed, mirrored, tagged with its writer."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from accounts.models import Account, TimelineEntry, TraitDefinition
from accounts.models.account import writer_of
from accounts.traits import NotEditable, TraitValueError, set_trait, shown, typed_value
from cs_platform.tenancy.context import tenant_context
from tests import world
from tests.world import MONDAY, Workspace


@pytest.fixture
def orbiton(db: None) -> Iterator[Workspace]:
    space = world.workspace("orbiton")
    with tenant_context(space.tenant.pk):
        yield space


@pytest.fixture
def harbour(orbiton: Workspace) -> Account:
    return world.account()


VALUES: list[tuple[str, Any, Any, str, Any]] = [
    ("text", " Trial ", "Trial", "t01", "Trial"),
    ("choice", "A", "A", "t01", "A"),
    ("url", "https://a.example/x", "https://a.example/x", "t01", "https://a.example/x"),
    ("number", "12,000.5", 12000.5, "n01", 12000.5),
    ("number", "7", 7, "n01", 7.0),
    ("number", 3, 3, "n01", 3.0),
    ("currency", "$1,250.50", 125050, "m01", 125050),
    ("currency", 125050, 125050, "m01", 125050),
    ("boolean", "Yes", True, "b01", True),
    ("boolean", False, False, "b01", False),
    ("date", "2026-09-22", "2026-09-22", "d01", date(2026, 9, 22)),
    ("moment", "2026-09-22T09:30:00+02:00", "2026-09-22T07:30:00Z", "s01", datetime(2026, 9, 22, 7, 30, tzinfo=UTC)),
    ("list", "a, b, a", ["a", "b"], "l01", ["a", "b"]),
    ("list", ["x"], ["x"], "l01", ["x"]),
]


@pytest.mark.parametrize(("type", "given", "stored", "slot", "mirrored"), VALUES)
def test_it_writes_the_typed_value_its_mirror_and_its_writer(
    orbiton: Workspace, harbour: Account, type: str, given: Any, stored: Any, slot: str, mirrored: Any
) -> None:
    definition = world.trait("it", type)

    set_trait(harbour, definition, value=given, by=orbiton.priya, now=MONDAY)

    fresh = Account.objects.get()
    assert fresh.traits == harbour.traits == {"it": stored}
    assert writer_of(fresh, "it") == orbiton.priya.actor
    assert getattr(fresh, slot) == mirrored


@pytest.mark.parametrize(("type", "given", "stored", "slot", "mirrored"), VALUES)
def test_clearing_leaves_no_key_and_no_mirror(
    orbiton: Workspace, harbour: Account, type: str, given: Any, stored: Any, slot: str, mirrored: Any
) -> None:
    definition = world.trait("it", type)
    set_trait(harbour, definition, value=given, by=orbiton.priya, now=MONDAY)

    set_trait(harbour, definition, value="", by=orbiton.priya, now=MONDAY)

    fresh = Account.objects.get()
    assert (fresh.traits, getattr(fresh, slot)) == ({}, None)


@pytest.mark.parametrize(
    ("type", "given"),
    [
        ("number", "many"),
        ("number", "NaN"),
        ("number", "1e400"),
        ("number", True),
        ("number", 2**60),
        ("currency", "12.x"),
        ("currency", 1.5),
        ("currency", "9" * 40),
        ("boolean", "maybe"),
        ("date", "22.9.2026"),
        ("moment", "yesterday"),
        ("url", "javascript:alert(1)"),
        ("list", {"a": 1}),
        ("list", [1]),
        ("text", "nul \x00"),
        ("text", 7),
        ("person", "Priya"),
        ("person", 999_999),
    ],
)
def test_a_value_of_another_type_is_refused(orbiton: Workspace, harbour: Account, type: str, given: Any) -> None:
    definition = world.trait("it", type)

    with pytest.raises(TraitValueError):
        set_trait(harbour, definition, value=given, by=orbiton.priya, now=MONDAY)

    assert Account.objects.get().traits == {}


def test_the_same_value_becomes_the_persons_but_is_no_news(orbiton: Workspace, harbour: Account) -> None:
    definition = world.trait("it")
    Account.objects.update(traits={"it": "A"}, trait_writers={"it": "run:1"}, t01="A")

    change = set_trait(harbour, definition, value="A", by=orbiton.priya, now=MONDAY)

    assert not change
    assert writer_of(Account.objects.get(), "it") == orbiton.priya.actor
    assert not TimelineEntry.objects.exists()


def test_a_change_is_told_on_the_account(orbiton: Workspace, harbour: Account) -> None:
    definition = world.trait("worth", "currency")

    set_trait(harbour, definition, value="12.50", by=orbiton.priya, now=MONDAY)

    entry = TimelineEntry.objects.get()
    assert (entry.kind, entry.actor) == ("trait.changed", orbiton.priya.actor)
    assert entry.text == "Worth set to 12.50"
    assert entry.detail == {"key": "worth", "before": None, "after": 1250}


def test_a_users_change_is_told_on_each_of_their_accounts(orbiton: Workspace, harbour: Account) -> None:
    ben = world.user("Ben Novak", harbour, world.account("Yarrow Retail"))

    set_trait(ben, world.trait("tone", scope="user"), value="warm", by=orbiton.priya, now=MONDAY)

    assert TimelineEntry.objects.filter(end_user=ben).count() == 2


def test_other_traits_and_writers_stay_as_they_are(orbiton: Workspace, harbour: Account) -> None:
    Account.objects.update(traits={"other": 1}, trait_writers={"other": "run:1"})

    set_trait(harbour, world.trait("it"), value="A", by=orbiton.priya, now=MONDAY)

    fresh = Account.objects.get()
    assert fresh.traits == {"other": 1, "it": "A"}
    assert fresh.trait_writers["other"] == "run:1"


def test_what_an_integration_owns_cannot_be_edited(orbiton: Workspace, harbour: Account) -> None:
    definition = world.trait("plan_name", source="integration")

    with pytest.raises(NotEditable, match="comes from an integration"):
        set_trait(harbour, definition, value="A", by=orbiton.priya, now=MONDAY)


def test_a_users_trait_cannot_be_set_on_an_account(orbiton: Workspace, harbour: Account) -> None:
    with pytest.raises(TypeError, match="of the user"):
        set_trait(harbour, world.trait("tone", scope="user"), value="warm", by=orbiton.priya, now=MONDAY)


def test_a_trait_that_feeds_the_lifecycle_takes_only_lifecycles(orbiton: Workspace, harbour: Account) -> None:
    definition = TraitDefinition.objects.create(
        scope="account", key="status", label="Status", type="choice", column="lifecycle"
    )
    set_trait(harbour, definition, value="churned", by=orbiton.priya, now=MONDAY)
    assert Account.objects.get().lifecycle == "churned"

    with pytest.raises(TraitValueError, match="none of the choices"):
        set_trait(harbour, definition, value="gone", by=orbiton.priya, now=MONDAY)
    set_trait(harbour, definition, value=None, by=orbiton.priya, now=MONDAY)
    assert Account.objects.get().lifecycle == "subscribed"


def test_an_unslotted_trait_is_kept_in_the_document_alone(orbiton: Workspace, harbour: Account) -> None:
    definition = TraitDefinition.objects.create(scope="account", key="it", label="It", type="text")

    set_trait(harbour, definition, value="A", by=orbiton.priya, now=MONDAY)

    assert Account.objects.get().traits == {"it": "A"}


def test_typing_twice_changes_nothing() -> None:
    for type, given, stored, _slot, _mirrored in VALUES:
        definition = TraitDefinition(tenant_id=1, key="it", type=type)
        assert typed_value(definition, typed_value(definition, given)) == stored


@pytest.mark.parametrize(
    ("value", "type", "words"),
    [
        (None, "text", "not set"),
        (True, "boolean", "yes"),
        (["a", "b"], "list", "a, b"),
        (125000, "currency", "1,250"),
        (125050, "currency", "1,250.50"),
        (12000, "number", "12,000"),
        ("A", "text", "A"),
    ],
)
def test_values_read_as_people_write_them(value: Any, type: str, words: str) -> None:
    assert shown(value, type) == words


@pytest.mark.parametrize(("column", "type", "words"), [("name", "text", "name"), ("created_at", "moment", "first day")])
def test_a_trait_that_feeds_what_every_account_has_is_never_cleared(
    orbiton: Workspace, harbour: Account, column: str, type: str, words: str
) -> None:
    definition = TraitDefinition.objects.create(scope="account", key="it", label="It", type=type, column=column)
    before = getattr(harbour, column)

    with pytest.raises(TraitValueError, match=f"It is the account's {words}: enter a value"):
        set_trait(harbour, definition, value=" ", by=orbiton.priya, now=MONDAY)

    assert getattr(Account.objects.get(), column) == before
