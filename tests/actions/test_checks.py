"""Configs are checked as a whole, and every problem names its place."""

from typing import Any

import pytest

from actions.base import Audience
from actions.checks import ActionErrors, clean_config
from actions.registry import action_for
from tests import world
from tests.world import Workspace

pytestmark = pytest.mark.usefixtures("orbiton")


def problems(key: str, config: Any, **more: Any) -> dict[str, str]:
    with pytest.raises(ActionErrors) as refused:
        clean_config(action_for(key), config, **more)
    return {error.path: error.message for error in refused.value.errors}


def test_defaults_are_written_out() -> None:
    config = clean_config(action_for("create_indicator"), {"title": "At risk"})

    assert config == {"kind": "risk", "title": "At risk", "note": "", "assignee": "csm"}


def test_an_unknown_setting_is_named_with_the_nearest_one() -> None:
    found = problems("create_indicator", {"title": "At risk", "assigne": "csm"})

    assert found == {"config.assigne": "This action has no setting “assigne”. Did you mean “assignee”?"}


@pytest.mark.parametrize("config", [None, [], "x", 3])
def test_what_is_no_object_is_refused(config: Any) -> None:
    assert set(problems("create_indicator", config)) == {"config"}


def test_hostile_values_are_problems_and_no_crash() -> None:
    hostile: list[Any] = [None, [], {}, 3, True, "\x00", "x" * 20_000, {"a": {"b": []}}]
    for value in hostile:
        config = dict.fromkeys(action_for("create_cta").form.base_fields, value)
        assert problems("create_cta", config)


def test_a_user_variable_is_unknown_where_there_is_no_user() -> None:
    config = {"title": "{{ user.name }}"}

    assert "There is no variable" in problems("create_indicator", config, audience=Audience.ACCOUNTS)["config.title"]
    assert clean_config(action_for("create_indicator"), config, audience=Audience.USERS)


def test_a_conversation_knows_its_recipient_and_sender_in_any_audience() -> None:
    config = {"subject": "{{ user.first_name }}", "body": "{{ sender.name }}"}

    for audience in Audience.ACCOUNTS, Audience.USERS:
        assert clean_config(action_for("start_conversation"), config, audience=audience)


def test_a_trait_is_a_variable(orbiton: Workspace) -> None:
    world.trait("seats", "number")

    assert clean_config(action_for("create_indicator"), {"title": "{{ account.traits.seats }} seats"})
    assert "config.title" in problems("create_indicator", {"title": "{{ account.traits.chairs }}"})


def test_a_deactivated_member_can_no_longer_be_chosen(orbiton: Workspace) -> None:
    config = {"title": "At risk", "assignee": "member:maya@orbiton.example"}
    assert clean_config(action_for("create_indicator"), config)
    orbiton.maya.deactivated_at = orbiton.maya.joined_at
    orbiton.maya.save()

    assert set(problems("create_indicator", config)) == {"config.assignee"}


def test_a_member_of_another_workspace_cannot_be_chosen() -> None:
    world.workspace("halyard")

    config = {"title": "At risk", "assignee": "member:maya@halyard.example"}

    assert set(problems("create_indicator", config)) == {"config.assignee"}
