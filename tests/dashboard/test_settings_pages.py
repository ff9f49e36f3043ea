"""All settings on one page: each leads somewhere, and nobody is offered what they may not open."""

from collections.abc import Iterator

import pytest
from django.urls import reverse

from cs_platform.dashboard.settings_pages import SECTIONS, SettingsPage
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.roles import Role, allows
from tests.visitor import Visitor, text
from tests.world import PEOPLE, Workspace, workspace

PAGES = [page for section in SECTIONS for page in section.pages]


@pytest.fixture
def orbiton(db: None) -> Iterator[Workspace]:
    space = workspace("orbiton")
    with tenant_context(space.tenant.pk):
        yield space


@pytest.mark.parametrize("person", PEOPLE)
def test_everybody_sees_what_they_may_open_and_can_open_it(orbiton: Workspace, person: str) -> None:
    visitor = Visitor(orbiton.people[person])
    role = Role(visitor.member.role)
    shown = text(visitor.page("settings/"))

    for page in PAGES:
        assert (f"<b>{page.label}</b>" in shown) == allows(role, page.ability), page.label


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.url)
def test_the_owner_gets_there(orbiton: Workspace, page: SettingsPage) -> None:
    address = reverse(page.url, args=["orbiton"])
    assert Visitor(orbiton.olga).client.get(address, follow=True).status_code == 200
