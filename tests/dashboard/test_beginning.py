"""A new workspace: its home page says what comes first, to those who set it up, until it is done."""

from collections.abc import Iterator

import pytest

from cs_platform.tenancy.context import tenant_context
from tests.visitor import Visitor, text
from tests.world import Workspace, account, live, playbook_json, workspace


@pytest.fixture
def orbiton(db: None) -> Iterator[Workspace]:
    space = workspace("orbiton")
    with tenant_context(space.tenant.pk):
        yield space


def test_what_comes_first_is_said_until_it_is_done(orbiton: Workspace) -> None:
    olga = Visitor(orbiton.olga)
    fresh = text(olga.page(""))
    assert "Begin here" in fresh
    assert 'href="/w/orbiton/imports/"' in fresh
    assert fresh.count(", done</span>") == 1  # there is a team

    account()
    assert text(olga.page("")).count(", done</span>") == 2
    live(playbook_json())
    assert "Begin here" not in text(olga.page(""))


def test_only_those_who_set_it_up_are_told(orbiton: Workspace) -> None:
    assert "Invite your team" not in text(Visitor(orbiton.maya).page(""))
    assert "Set a first playbook live" in text(Visitor(orbiton.maya).page(""))
    assert "Begin here" not in text(Visitor(orbiton.priya).page(""))


def test_empty_lists_offer_the_next_step(orbiton: Workspace) -> None:
    olga, priya = Visitor(orbiton.olga), Visitor(orbiton.priya)
    assert "Import a file" in text(olga.page("accounts/"))
    assert "Connect a source" in text(olga.page("users/"))
    assert "Import a file" not in text(priya.page("accounts/"))
    assert text(olga.page("playbooks/")).count('href="/w/orbiton/playbooks/new/"') == 2
