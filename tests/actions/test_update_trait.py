"""TRUST §2.3, “Set trait”: restored by writer, never by value, and without residue in any order."""

from datetime import timedelta
from typing import Any

import pytest

from accounts.models import Account, EndUser, TraitDefinition
from accounts.traits import set_trait
from actions.base import Audience, Held, Skipped
from actions.checks import ActionErrors, clean_config
from actions.registry import action_for
from actions.trait_fields import what_becomes
from playbooks.models import Step
from tests import world
from tests.actions.world import LATER, Played, kept, play, undone, visible
from tests.world import MONDAY, Workspace


def stage(value: str = "Renewal", **parts: Any) -> dict[str, Any]:
    return {"trait": "stage", "mode": "set", "value": value} | parts


def stage_of(subject: Any) -> tuple[Any, str | None, Any]:
    """Value, writer and mirror."""
    subject.refresh_from_db()
    return subject.traits.get("stage"), subject.trait_writers.get("stage"), subject.t01


def traits_and(account: Account, slot: str) -> tuple[dict[str, Any], Any]:
    account.refresh_from_db()
    return account.traits, getattr(account, slot)


def set_by_hand(subject: Account | EndUser, value: Any, by: Any, *, scope: str = "account") -> None:
    definition = TraitDefinition.objects.get(scope=scope, key="stage")
    set_trait(subject, definition, value=value, by=by, now=LATER)


# What it writes


def test_it_writes_value_mirror_and_writer(harbour: Account) -> None:
    played = play("update_trait", stage(), harbour)

    assert stage_of(harbour) == ("Renewal", played.runs[0].writer, "Renewal")
    assert played.told == ["“Stage” set to Renewal"]


def test_a_user_trait_is_written_on_the_user(harbour: Account, ben: EndUser) -> None:
    play("update_trait", stage(scope="user"), (harbour, ben))

    assert stage_of(ben)[0] == "Renewal"
    assert stage_of(harbour)[0] is None


def test_a_mapping_reads_another_trait(orbiton: Workspace, harbour: Account, yarrow: Account) -> None:
    world.trait("worth", "currency")
    config = {"trait": "worth", "mode": "map", "source": "account.plan", "mapping": {"Pro": "1,200", "Basic": 5000}}

    play("update_trait", config, harbour, yarrow)

    assert traits_and(harbour, "m01") == ({"worth": 120_000}, 120_000)
    assert traits_and(yarrow, "m01") == ({"worth": 5000}, 5000)


@pytest.mark.parametrize(
    "mapping",
    [
        {"Pro": "Big", "Basic": "", "": "New"},
        [{"when": "Pro", "becomes": "Big"}, {"when": " Basic ", "becomes": ""}, {}, {"when": "", "becomes": "New"}],
    ],
)
def test_a_mapping_is_kept_in_the_order_it_was_written_in(harbour: Account, mapping: Any) -> None:
    """jsonb sorts the keys of an object, the short ones first."""
    kind = action_for("update_trait")
    config = {"trait": "stage", "mode": "map", "source": "account.plan", "mapping": mapping}
    rows = [
        {"when": "Pro", "becomes": "Big"},
        {"when": "Basic", "becomes": None},
        {"when": "", "becomes": "New"},
    ]
    clean = clean_config(kind, config)

    assert clean["mapping"] == rows
    assert clean_config(kind, clean)["mapping"] == rows
    world.live(world.playbook_json(steps=[{"key": "map", "day": 1, "action": "update_trait", "config": config}]))
    assert Step.objects.get().config["mapping"] == rows
    play("update_trait", clean, harbour)
    assert stage_of(harbour)[0] == "Big"


def test_a_version_that_says_its_mapping_as_an_object_still_runs(harbour: Account) -> None:
    assert what_becomes({"Pro": "Big"}) == what_becomes([{"when": "Pro", "becomes": "Big"}]) == {"Pro": "Big"}


def test_a_value_the_mapping_does_not_know_is_skipped(harbour: Account, yarrow: Account) -> None:
    config = {"trait": "stage", "mode": "map", "source": "account.plan", "mapping": {"Pro": "Big"}}

    played = play("update_trait", config, harbour, yarrow)

    assert played.results[1] == Skipped("account.plan is “Basic”, and the mapping says nothing about that.")
    assert stage_of(yarrow) == (None, None, None)


def test_otherwise_catches_what_the_mapping_does_not_know(yarrow: Account) -> None:
    mapping = {"source": "account.plan", "mapping": {"Pro": "Big"}, "otherwise": "Small"}

    play("update_trait", {"trait": "stage", "mode": "map"} | mapping, yarrow)

    assert stage_of(yarrow)[0] == "Small"


def test_a_date_counts_from_the_day_of_the_run(harbour: Account) -> None:
    world.trait("check_in", "date")

    play("update_trait", {"trait": "check_in", "mode": "relative_date", "days": 30}, harbour)

    assert traits_and(harbour, "d01") == ({"check_in": "2026-12-02"}, MONDAY.date() + timedelta(days=30))


def test_clearing_removes_value_and_mirror(orbiton: Workspace, harbour: Account) -> None:
    set_by_hand(harbour, "Trial", orbiton.priya)

    played = play("update_trait", {"trait": "stage", "mode": "clear"}, harbour)

    assert stage_of(harbour) == (None, played.runs[0].writer, None)
    assert undone(played.undo()) == ["“Stage” goes back from not set to Trial"]
    assert stage_of(harbour) == ("Trial", orbiton.priya.actor, "Trial")


def test_a_trait_that_feeds_a_column_writes_it_and_takes_it_back(harbour: Account) -> None:
    TraitDefinition.objects.create(scope="account", key="tier", label="Tier", type="text", column="plan")

    played = play("update_trait", {"trait": "tier", "mode": "set", "value": "Gold"}, harbour)
    harbour.refresh_from_db()
    assert harbour.plan == "Gold"

    undone(played.undo())
    harbour.refresh_from_db()
    assert harbour.plan == "Pro"
    assert harbour.traits == {}


def test_a_trait_deleted_since_holds_the_run(harbour: Account) -> None:
    batch = play("update_trait", stage(), harbour).batch
    TraitDefinition.objects.filter(key="stage").delete()

    (outcome,) = action_for("update_trait").apply(batch).values()

    assert isinstance(outcome, Held)
    assert outcome.code == "trait_gone"


# Undo


def test_untouched_it_restores_the_previous_value_and_its_writer(orbiton: Workspace, harbour: Account) -> None:
    set_by_hand(harbour, "Trial", orbiton.priya)
    played = play("update_trait", stage(), harbour)

    assert undone(played.undo()) == ["“Stage” goes back from Renewal to Trial"]

    assert stage_of(harbour) == ("Trial", orbiton.priya.actor, "Trial")


def test_absent_before_it_is_absent_again(harbour: Account) -> None:
    play("update_trait", stage(), harbour).undo()

    assert stage_of(harbour) == (None, None, None)
    assert "stage" not in harbour.traits


def test_an_imported_value_is_imported_again(harbour: Account) -> None:
    Account.objects.filter(pk=harbour.pk).update(traits={"stage": "Imported"}, t01="Imported")

    play("update_trait", stage(), harbour).undo()

    assert stage_of(harbour) == ("Imported", None, "Imported")


def test_changed_by_a_person_it_stays_theirs(orbiton: Workspace, harbour: Account) -> None:
    played = play("update_trait", stage(), harbour)
    set_by_hand(harbour, "Lost", orbiton.priya)

    assert kept(played.undo()) == [("changed_by", "“Stage” stays Lost: it was changed by Priya Raman since")]
    assert stage_of(harbour)[:2] == ("Lost", orbiton.priya.actor)


def test_a_person_who_chose_the_same_value_keeps_it(orbiton: Workspace, harbour: Account) -> None:
    played = play("update_trait", stage("Renewal"), harbour)
    set_by_hand(harbour, "Renewal", orbiton.priya)

    assert [code for code, _says in kept(played.undo())] == ["changed_by"]
    assert stage_of(harbour)[:2] == ("Renewal", orbiton.priya.actor)


def test_changed_by_an_import_it_stays(harbour: Account) -> None:
    played = play("update_trait", stage(), harbour)
    Account.objects.filter(pk=harbour.pk).update(traits={"stage": "New"}, trait_writers={}, t01="New")

    assert kept(played.undo()) == [("changed_by", "“Stage” stays New: it was changed by an import since")]


def test_a_deleted_definition_is_kept_as_gone(harbour: Account) -> None:
    played = play("update_trait", stage(), harbour)
    TraitDefinition.objects.filter(scope="account", key="stage").delete()

    assert [code for code, _says in kept(played.undo())] == ["target_gone"]


def test_a_definition_of_another_type_is_kept_as_gone(harbour: Account) -> None:
    played = play("update_trait", stage(), harbour)
    TraitDefinition.objects.filter(scope="account", key="stage").update(type="number", slot="n01")

    assert [code for code, _says in kept(played.undo())] == ["target_gone"]


def test_an_archived_account_is_kept_as_gone(harbour: Account) -> None:
    played = play("update_trait", stage(), harbour)
    Account.objects.filter(pk=harbour.pk).update(archived_at=LATER)

    assert [code for code, _says in kept(played.undo())] == ["target_gone"]


def test_on_stop_clear_clears_whatever_was_there(orbiton: Workspace, harbour: Account) -> None:
    set_by_hand(harbour, "Trial", orbiton.priya)

    played = play("update_trait", stage(on_stop="clear"), harbour)

    assert undone(played.undo()) == ["“Stage” goes back from Renewal to not set"]
    assert stage_of(harbour) == (None, None, None)


def test_on_stop_keep_keeps_it(harbour: Account) -> None:
    played = play("update_trait", stage(on_stop="keep"), harbour)

    assert kept(played.undo()) == [("keep_on_stop", "“Stage” stays Renewal, as its step says")]
    assert stage_of(harbour)[0] == "Renewal"


def test_a_person_trait_is_told_by_name(orbiton: Workspace, harbour: Account) -> None:
    world.trait("sponsor", "person")

    played = play("update_trait", {"trait": "sponsor", "mode": "set", "value": orbiton.maya.pk}, harbour)

    assert played.told == ["“Sponsor” set to Maya Osei"]


# Several writers


def test_runs_of_one_batch_on_one_account_chain(harbour: Account) -> None:
    played = play("update_trait", stage(), harbour, harbour, harbour)

    first, second, third = played.receipts
    writers = [run.writer for run in played.runs]
    assert (first["before"], first["before_writer"]) == (None, "import")
    assert (second["before"], second["before_writer"]) == ("Renewal", writers[0])
    assert third["before_writer"] == writers[1]
    assert stage_of(harbour)[1] == writers[2]


def test_users_of_one_account_chain_on_its_trait(harbour: Account, ben: EndUser) -> None:
    lena = world.user("Lena Ruiz", harbour)
    before = visible()
    played = play("update_trait", stage(), (harbour, ben), (harbour, lena))

    assert len(undone(played.undo())) == 2
    assert visible() == before


def _stacked(account: Account) -> tuple[Played, Played]:
    first = play("update_trait", stage("A"), account, playbook=1)
    return first, play("update_trait", stage("B"), account, playbook=2)


def test_two_playbooks_leave_no_residue_when_the_later_stops_first(orbiton: Workspace, harbour: Account) -> None:
    set_by_hand(harbour, "Trial", orbiton.priya)
    before = visible()
    first, second = _stacked(harbour)

    assert undone(second.undo()) == ["“Stage” goes back from B to A"]
    assert undone(first.undo()) == ["“Stage” goes back from A to Trial"]
    assert visible() == before


def test_two_playbooks_leave_no_residue_when_the_earlier_stops_first(orbiton: Workspace, harbour: Account) -> None:
    set_by_hand(harbour, "Trial", orbiton.priya)
    before = visible()
    first, second = _stacked(harbour)

    (decision,) = first.undo()
    assert kept([decision]) == [("changed_by", "“Stage” stays B: it was changed by somebody since")]
    second.inherits(decision)

    assert undone(second.undo()) == ["“Stage” goes back from B to Trial"]
    assert visible() == before


def test_a_whole_stack_that_leaves_in_one_batch_hands_the_origin_to_who_stays(harbour: Account) -> None:
    before = visible()
    chain = play("update_trait", stage("A"), harbour, harbour)
    top = play("update_trait", stage("B"), harbour, playbook=2)

    decisions = chain.undo()
    assert {code for code, _says in kept(decisions)} == {"changed_by"}
    top.inherits(decisions[-1])

    assert undone(top.undo()) == ["“Stage” goes back from B to not set"]
    assert visible() == before


def test_a_person_between_two_playbooks_is_what_the_later_one_restores(orbiton: Workspace, harbour: Account) -> None:
    first = play("update_trait", stage("A"), harbour)
    set_by_hand(harbour, "Mine", orbiton.priya)
    second = play("update_trait", stage("B"), harbour, playbook=2)

    kept(first.undo())
    undone(second.undo())

    assert stage_of(harbour) == ("Mine", orbiton.priya.actor, "Mine")


# What its form refuses


@pytest.mark.parametrize(
    ("config", "path", "words"),
    [
        ({"trait": "stag", "value": "A"}, "config.trait", "There is no account trait “stag”"),
        ({"trait": "stage"}, "config.value", "Enter the value to set"),
        ({"trait": "seats", "value": "many"}, "config.value", "“many” is not a number"),
        ({"trait": "seats", "mode": "relative_date", "days": 3}, "config.mode", "is not a date"),
        ({"trait": "check_in", "mode": "relative_date"}, "config.days", "Enter how many days"),
        ({"trait": "stage", "mode": "map", "mapping": {"a": "b"}}, "config.source", "Choose the trait to read from"),
        ({"trait": "stage", "mode": "map", "source": "account.plan"}, "config.mapping", "Give 1 to"),
        ({"trait": "stage", "mode": "map", "source": "account.plan", "mapping": "a"}, "config.mapping", "Give 1 to"),
        (
            {"trait": "stage", "mode": "map", "source": "account.plan", "mapping": [{"when": "a"}, {"when": "a"}]},
            "config.mapping",
            "“a” stands there twice",
        ),
        (
            {"trait": "seats", "mode": "map", "source": "account.plan", "mapping": {"a": "x"}},
            "config.mapping[a]",
            "“x” is not a number",
        ),
        ({"trait": "size", "value": "XL"}, "config.value", "none of the choices: S, M"),
        ({"trait": "owner", "value": 999_999}, "config.value", "not an active team member"),
        ({"trait": "imported", "value": "A"}, "config.trait", "comes from an integration"),
        ({"trait": "stage", "scope": "user", "value": "A"}, "config.scope", "only update traits of the account"),
    ],
)
def test_it_refuses(orbiton: Workspace, config: dict[str, Any], path: str, words: str) -> None:
    world.trait("seats", "number")
    world.trait("check_in", "date")
    world.trait("owner", "person")
    world.trait("size", "choice", choices=["S", "M"])
    world.trait("imported", source="integration")

    with pytest.raises(ActionErrors) as refused:
        clean_config(action_for("update_trait"), config, audience=Audience.ACCOUNTS)

    assert [error.path for error in refused.value.errors] == [path]
    assert words in refused.value.errors[0].message


def test_settings_of_other_modes_are_forgotten(orbiton: Workspace) -> None:
    config = stage(mapping={"a": "\x00"}, otherwise=[{}], days=3, source="account.plan")

    clean = clean_config(action_for("update_trait"), config)

    assert (clean["mapping"], clean["otherwise"], clean["days"], clean["source"]) == (None, None, None, "")


def test_its_sentence_names_the_trait_as_people_know_it(orbiton: Workspace) -> None:
    world.trait("arr", "currency", label="Yearly revenue")
    kind = action_for("update_trait")
    mapped = {"trait": "arr", "mode": "map", "source": "account.plan", "mapping": {"Pro": 120_000}}

    said = [kind.describe(clean_config(kind, config)) for config in ({"trait": "arr", "value": 500_000}, mapped)]

    assert said == [
        "Set the account trait “Yearly revenue” to 5,000",
        "Set the account trait “Yearly revenue” from Account: Plan",
    ]
    assert kind.describe(clean_config(kind, mapped) | {"trait": "gone"}).startswith("Set the account trait “gone”")
