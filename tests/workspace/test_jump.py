"""Quick Jump: everything by its name, and nothing that somebody may not open."""

import re

import pytest

from cs_platform.workspace.saved_views import Setup, save_view
from ctas.models import Cta
from success_plans.planning import create_plan
from tests.visitor import Visitor, is_whole, text
from tests.world import MONDAY, Workspace, account, live, playbook_json, user


@pytest.fixture
def things(inside: Workspace, cta: Cta) -> None:
    at = account("The Calyx Biosystems")
    user("Ben Okafor", at)
    live(playbook_json(name="Renewal runway"))
    create_plan(account=at, name="Warehouse roll-out", by=inside.priya, now=MONDAY)
    view = {"page": "accounts", "setup": Setup("csm=me", {}), "is_shared": False, "now": MONDAY}
    save_view(name="Renewing soon", owner=inside.priya, **view)


def found(visitor: Visitor, asked: str) -> list[str]:
    page = visitor.fragment(f"jump/?q={asked}", "jump-list").content.decode()
    return [re.sub("<.*?>", "", one) for one in re.findall(r'class="what">(.*?)</span>', page)]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("caly", ["The Calyx Biosystems"]),
        ("the-calyx-biosystems", ["The Calyx Biosystems"]),
        ("ben o", ["Ben Okafor"]),
        ("ben.okafor@", ["Ben Okafor"]),
        ("call", ["Call them"]),
        ("rene", ["Renewal runway", "Renewing soon"]),
        ("runw", ["Renewal runway"]),
        ("memb", ["Members"]),
        ("new c", ["New CTA"]),
        ("wareh", ["Warehouse roll-out"]),
        ("zzz", []),
        ("%", []),
        ("a", ["Accounts", "All settings", "New account"]),
    ],
)
def test_things_are_found_by_how_they_begin(things: None, priya: Visitor, asked: str, names: list[str]) -> None:
    assert [name for name in found(priya, asked) if name not in ("Data sources", "Audit log")] == names


def test_own_ctas_are_found_by_any_word_and_come_first(inside: Workspace) -> None:
    at = account("Calyx")
    facts = {"account": at, "type": "risk", "reason": "", "created_at": MONDAY, "created_by": "import"}
    for name, owner in (("Prepare renewal review", inside.priya), ("Renewal of Tom", inside.tom)):
        Cta.objects.create(name=name, owner=owner, **facts)
    Cta.objects.create(name="Settle the renewal", owner=inside.tom, **facts)

    assert found(Visitor(inside.priya), "renewal") == ["Prepare renewal review", "Renewal of Tom"]
    assert found(Visitor(inside.priya), "newal") == found(Visitor(inside.priya), "%renewal") == []


def test_pages_that_have_keys_say_them(inside: Workspace) -> None:
    page = Visitor(inside.jonah).fragment("jump/?q=playbooks", "jump-list").content.decode()

    assert "<kbd>G</kbd><kbd>P</kbd>" in page


def test_before_anything_is_typed_it_offers_what_can_be_done(priya: Visitor) -> None:
    assert found(priya, "")[:4] == ["New CTA", "New success plan", "New account", "Home"]


def test_roles_and_owners_are_respected(things: None, inside: Workspace) -> None:
    omar, tom, jonah = (Visitor(one) for one in (inside.omar, inside.tom, inside.jonah))

    assert "New CTA" not in found(omar, "")
    assert [found(one, "new p") for one in (tom, jonah)] == [[], ["New playbook"]]
    assert found(omar, "audit") == found(omar, "api k") == []
    assert found(jonah, "audit") == ["Audit log"]
    assert found(tom, "renewing") == [], "a view that is not shared is its owner's"


def test_without_scripts_it_is_a_page(things: None, priya: Visitor) -> None:
    page = priya.page("jump/?q=caly")

    assert is_whole(page)
    assert "The <mark>Caly</mark>x Biosystems" in text(page)
    assert "Nothing begins with “&lt;b&gt;”" in text(priya.page("jump/?q=<b>"))
