"""Fast traits: they move into indexed slots with all their values, and nobody else loses any."""

import pytest

from accounts.fast_traits import FAST_LIMIT, CannotBeFast, make_fast, make_slow, mend
from accounts.models import Account, TraitDefinition
from accounts.models.slots import FAST, fast_slot_names, slot_names
from accounts.models.traits import SLOT_FAMILY, TraitType
from cs_platform.tenancy.context import tenant_context
from tests.world import Workspace, account, trait

SORTABLE = [type for type in TraitType if SLOT_FAMILY[type] in FAST]


def values(slot: str) -> list[object]:
    return list(Account.objects.order_by("pk").values_list(slot, flat=True))


@pytest.fixture
def stage(inside: Workspace) -> TraitDefinition:
    stage = trait("stage")
    for value in ("Won", None, "Lost"):
        account(str(value), t01=value, traits={"stage": value} if value else {})
    return stage


def test_a_fast_trait_moves_into_an_indexed_slot_with_its_values(stage: TraitDefinition) -> None:
    make_fast(stage)

    assert (stage.is_fast, stage.slot) == (True, "t16")
    assert values("t16") == ["Won", None, "Lost"]
    assert values("t01") == [None] * 3


def test_another_workspace_keeps_its_slots(stage: TraitDefinition, inside: Workspace, halyard: Workspace) -> None:
    with tenant_context(halyard.tenant.pk):
        account("Foreign", t01="Mine")
    with tenant_context(inside.tenant.pk):
        make_fast(stage)
    with tenant_context(halyard.tenant.pk):
        assert values("t01") == ["Mine"]


def test_whoever_lies_in_an_indexed_slot_and_is_not_fast_changes_places(stage: TraitDefinition) -> None:
    for at, slot in enumerate(fast_slot_names("t")):
        TraitDefinition.objects.filter(pk=trait(f"other{at}").pk).update(slot=slot)
    Account.objects.filter(name="Won").update(t16="First")
    make_fast(stage)

    assert values("t16") == ["Won", None, "Lost"]
    assert values("t01") == ["First", None, None]
    assert TraitDefinition.objects.get(key="other0").slot == "t01"


def test_a_trait_that_had_no_slot_is_read_from_the_traits(stage: TraitDefinition) -> None:
    TraitDefinition.objects.filter(pk=stage.pk).update(slot=None)
    make_fast(stage)

    assert values("t16") == ["Won", None, "Lost"]


def test_what_a_writer_put_into_the_old_slot_is_mended(stage: TraitDefinition) -> None:
    make_fast(stage)
    Account.objects.filter(name="Won").update(t01="Later", traits={"stage": "Later"})

    assert mend(stage) == 1
    assert values("t16") == ["Later", None, "Lost"]
    assert mend(stage) == 0


@pytest.mark.parametrize("type", SORTABLE)
def test_every_type_that_can_be_sorted_has_indexed_slots(inside: Workspace, type: str) -> None:
    kept = trait("kept", type)
    make_fast(kept)

    assert kept.slot in fast_slot_names(SLOT_FAMILY[type])


def test_making_it_fast_again_moves_nothing(stage: TraitDefinition) -> None:
    make_fast(stage)
    make_fast(stage)

    assert (stage.slot, values("t16")) == ("t16", ["Won", None, "Lost"])


def test_a_slow_trait_makes_room(inside: Workspace) -> None:
    fast = [trait(f"kept{at}") for at in range(FAST_LIMIT)]
    for one in fast:
        make_fast(one)
    with pytest.raises(CannotBeFast, match="5 traits are fast already"):
        make_fast(trait("more"))
    make_slow(fast[0])
    make_fast(more := trait("again"))

    assert more.slot == "t16"
    assert TraitDefinition.objects.filter(slot="t16").count() == 1


def test_lists_and_traits_of_users_cannot_be_fast(inside: Workspace) -> None:
    with pytest.raises(CannotBeFast, match="No indexed place"):
        make_fast(trait("modules", "list"))
    with pytest.raises(CannotBeFast, match="Only traits of accounts"):
        make_fast(trait("role", scope="user"))
    with pytest.raises(CannotBeFast, match="fast as it is"):
        make_fast(trait("plan", column="plan"))


def test_indexed_slots_are_the_last_to_be_given_away() -> None:
    for family in FAST:
        assert slot_names(family)[: -FAST[family]] + fast_slot_names(family) == slot_names(family)
