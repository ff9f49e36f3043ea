"""`create_workspace`: the first workspace of an installation, and how its owner gets in."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from cs_platform.tenancy.models import Membership, Tenant, WorkDue
from tests.visitor import Visitor, text
from tests.world import workspace

pytestmark = pytest.mark.django_db


def create(**options: str) -> str:
    printed = StringIO()
    known = {"slug": "acme", "name": "Acme", "owner": "Ana@acme.example", "owner_name": "Ana Silva"}
    call_command("create_workspace", stdout=printed, **(known | options))
    return printed.getvalue()


def test_its_owner_chooses_a_password_by_the_printed_link_and_is_in(settings: Settings) -> None:
    link = create(timezone="Europe/Berlin").split()[-1].removeprefix(settings.BASE_URL)
    client, password = Client(), "customers stay here"
    form = client.get(link, follow=True).request["PATH_INFO"]
    client.post(form, {"password1": password, "password2": password})
    client.post("/account/login/", {"login": "ana@acme.example", "password": password})

    assert "Acme" in text(client.get("/w/acme/"))
    owner = Membership.objects.select_related("tenant").get(email="ana@acme.example")
    assert (owner.role, owner.name, owner.tenant.timezone) == ("owner", "Ana Silva", "Europe/Berlin")
    assert WorkDue.objects.filter(tenant=owner.tenant, queue=WorkDue.Queue.EVALUATE).exists()


def test_who_has_a_login_keeps_it() -> None:
    olga = workspace("orbiton").olga
    said = create(owner=olga.email, owner_name="")

    assert "signs in at" in said
    olga.user.refresh_from_db()
    assert olga.user.has_usable_password()
    mine = Membership.objects.get(tenant=Tenant.objects.get(slug="acme"))
    assert (mine.user, mine.name) == (olga.user, olga.user.name)
    assert Visitor(mine).page("").status_code == 200


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"slug": "orbiton"}, "already"),
        ({"slug": "a b"}, "valid"),
        ({"owner": "ana"}, "email"),
        ({"timezone": "Berlin"}, "Europe/Berlin"),
    ],
)
def test_a_wrong_option_is_explained_and_leaves_nothing_behind(wrong: dict[str, str], says: str) -> None:
    workspace("orbiton")
    with pytest.raises(CommandError, match=says):
        create(**wrong)
    assert list(Tenant.objects.values_list("slug", flat=True)) == ["orbiton"]
    assert not Membership.objects.filter(email="ana@acme.example").exists()
