"""Saved views: kept for oneself or shared, changed and kept again, opened with, deleted and brought back."""

from collections.abc import Iterator

import pytest

from accounts.models import Account
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Membership
from cs_platform.workspace.models import SavedView
from cs_platform.workspace.saved_views import MOST_VIEWS, Setup, default_view, query_of, save_view, set_default
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, account, workspace

SETUP = Setup("csm=me&sort=-arr&column=arr&column=plan", {"arr": 120})


@pytest.fixture
def inside(db: None) -> Iterator[Workspace]:
    orbiton = workspace("orbiton")
    with tenant_context(orbiton.tenant.pk):
        yield orbiton


@pytest.fixture
def priya(inside: Workspace) -> Visitor:
    return Visitor(inside.priya)


def keep(owner: Membership, name: str = "Large ones", *, is_shared: bool = False, setup: Setup = SETUP) -> SavedView:
    return save_view(page="accounts", name=name, setup=setup, owner=owner, is_shared=is_shared, now=MONDAY)


def test_a_list_is_kept_under_a_name_with_its_widths(priya: Visitor) -> None:
    list = "csm=me&column=arr&column=plan&width=arr:120&after=abc&history=3&q="
    answer = priya.submit(f"views/accounts/new/?{list}", name="Large ones")
    view = SavedView.objects.get()

    assert (view.name, view.owner, view.is_shared) == ("Large ones", priya.member, False)
    assert (view.params, view.widths) == ("csm=me&column=arr&column=plan", {"arr": 120})
    assert answer["Location"] == f"/w/orbiton/accounts/?{query_of(view)}"


def test_a_view_is_known_by_its_picture_in_the_sidebar_or_else_by_that_of_its_page(priya: Visitor) -> None:
    priya.submit("views/accounts/new/?csm=me", name="Mine", icon="rocket")
    priya.submit("views/plans/new/?csm=me", name="Plans")
    mine, plans = SavedView.objects.order_by("pk")
    sidebar = text(priya.page("")).partition('id="my-views"')[2].partition("</nav>")[0]

    assert sidebar.index("#rocket") < sidebar.index("Mine") < sidebar.index("#flag") < sidebar.index(">Plans<")
    assert 'value="rocket" id="id_icon_3" checked' in text(priya.page(f"views/{mine.pk}/"))
    assert priya.submit(f"views/{plans.pk}/", name="Plans", icon="<b>").status_code == 422
    priya.submit(f"views/{mine.pk}/", name="Mine", icon="")
    mine.refresh_from_db()
    assert mine.icon == ""


def test_the_view_is_a_tab_and_its_bare_address_leads_to_all_it_says(priya: Visitor, inside: Workspace) -> None:
    account("Harbourline", csm=inside.priya, mrr_cents=100)
    view = keep(inside.priya)
    answer = priya.page(f"accounts/?view={view.pk}")
    shown = text(priya.client.get(answer["Location"]))

    assert answer["Location"] == f"/w/orbiton/accounts/?{query_of(view)}"
    assert 'aria-current="page">Large ones <span' in shown
    assert 'style="--w: 120" data-column="arr" aria-sort="descending"' in shown
    assert "Changed" not in shown


@pytest.mark.parametrize("change", ["&renews=90", "&pin=plan", "&width=plan:90", "&column=health"])
def test_a_view_that_was_changed_says_so_and_can_be_kept(priya: Visitor, inside: Workspace, change: str) -> None:
    view = keep(inside.priya)
    changed = f"{query_of(view)}{change}"

    assert "Changed" in text(priya.page(f"accounts/?{changed}"))
    assert priya.send(f"views/{view.pk}/keep/?{changed}").status_code == 204
    view.refresh_from_db()
    assert "Changed" not in text(priya.page(f"accounts/?{query_of(view)}"))
    assert Setup(view.params, view.widths) != SETUP


CHOSEN = {"csm": "nobody", "column": ["health", "arr"], "pin": "health", "width": ["health:150", "name:300"]}


def test_a_view_takes_over_columns_widths_and_pins_and_finds_what_it_found(priya: Visitor, inside: Workspace) -> None:
    view = keep(inside.priya)
    answer = priya.send(f"views/{view.pk}/columns/", **CHOSEN, view=str(view.pk))
    view.refresh_from_db()

    assert view.params == "csm=me&sort=-arr&column=health&column=arr&pin=health"
    assert view.widths == {"health": 150, "name": 300}
    shown = "csm=nobody&column=health&column=arr&pin=health&width=health:150&width=name:300"
    assert answer["HX-Redirect"] == f"/w/orbiton/accounts/?{shown}&view={view.pk}"
    assert "Columns saved to the view Large ones" in text(priya.client.get(answer["HX-Redirect"]))


def test_without_scripts_columns_are_saved_to_the_view_by_the_same_form(priya: Visitor, inside: Workspace) -> None:
    view = keep(inside.priya)
    answer = priya.submit(f"views/{view.pk}/columns/", csrfmiddlewaretoken="x", column="plan", view=str(view.pk))
    view.refresh_from_db()

    assert answer["Location"] == f"/w/orbiton/accounts/?column=plan&view={view.pk}"
    assert (view.params, view.widths) == ("csm=me&sort=-arr&column=plan", {})


def test_columns_of_a_view_that_would_say_too_much_are_refused(priya: Visitor, inside: Workspace) -> None:
    view = keep(inside.priya)
    answer = priya.send(f"views/{view.pk}/columns/", column=[f"trait:{n:0100}" for n in range(100)])
    view.refresh_from_db()

    assert answer.status_code == 422
    assert Setup(view.params, view.widths) == SETUP


def test_own_views_are_private_until_they_are_shared(priya: Visitor, inside: Workspace) -> None:
    own = keep(inside.tom, "Toms own")
    keep(inside.tom, "Toms for all", is_shared=True)
    shown = text(priya.page("accounts/?view=all"))

    assert "Toms own" not in shown
    assert "Toms for all" in shown
    assert "Tom Lindqvist" in shown
    assert priya.page(f"views/{own.pk}/").status_code == 404
    assert priya.send(f"views/{own.pk}/columns/", column="plan").status_code == 404
    assert "Location" not in priya.page(f"accounts/?view={own.pk}")


def test_only_its_owner_and_admins_change_a_shared_view(priya: Visitor, inside: Workspace) -> None:
    view = keep(inside.tom, is_shared=True)

    for verb in ("", "keep/", "columns/", "delete/"):
        answer = priya.send(f"views/{view.pk}/{verb}", name="Mine now")
        assert "Only its owner and admins change a shared view" in answer["HX-Trigger"]
    assert (SavedView.objects.get().name, SavedView.objects.get().archived_at) == ("Large ones", None)
    assert Visitor(inside.olga).send(f"views/{view.pk}/", name="For all", shared="on").status_code == 204
    assert SavedView.objects.get().name == "For all"


def test_a_name_is_taken_once_by_each_person(priya: Visitor, inside: Workspace) -> None:
    keep(inside.tom)
    keep(inside.priya)
    answer = priya.send("views/accounts/new/?csm=me", target="dialog", name="Large ones")

    assert answer.status_code == 422
    assert "You have a view called “Large ones” already." in text(answer)


def test_the_page_opens_with_ones_own_choice_else_with_everyones(priya: Visitor, inside: Workspace) -> None:
    ours, mine = keep(inside.olga, "Ours", is_shared=True), keep(inside.priya, "Mine")
    set_default(ours, member=None)
    assert default_view(inside.tom, "accounts") == ours
    assert priya.page("accounts/")["Location"] == f"/w/orbiton/accounts/?{query_of(ours)}"

    priya.send(f"views/{mine.pk}/", name="Mine", opens_for_me="on")
    assert priya.page("accounts/")["Location"] == f"/w/orbiton/accounts/?{query_of(mine)}"
    assert "Location" not in priya.page("accounts/?view=all")

    priya.send(f"views/{mine.pk}/", name="Mine")
    assert priya.page("accounts/")["Location"] == f"/w/orbiton/accounts/?{query_of(ours)}"


def test_what_everyone_opens_with_is_for_admins_to_say_and_shared(priya: Visitor, inside: Workspace) -> None:
    olga = Visitor(inside.olga)

    assert "opens_for_all" not in text(priya.fragment("views/accounts/new/", "dialog"))
    refused = olga.send("views/accounts/new/", target="dialog", name="Ours", opens_for_all="on")
    assert "Share it first" in text(refused)
    assert not SavedView.objects.exists()


def test_a_view_that_is_no_longer_shared_is_nobody_elses_default(inside: Workspace) -> None:
    view = keep(inside.olga, is_shared=True)
    set_default(view, member=None)
    set_default(view, member=inside.olga)
    Visitor(inside.olga).send(f"views/{view.pk}/", name="Large ones", opens_for_me="on")

    assert default_view(inside.priya, "accounts") is None
    assert default_view(inside.olga, "accounts") == view


def test_a_deleted_view_can_be_brought_back(priya: Visitor, inside: Workspace) -> None:
    view = keep(inside.priya)
    set_default(view, member=inside.priya)
    answer = priya.send(f"views/{view.pk}/delete/")

    assert f"/w/orbiton/views/{view.pk}/restore/" in answer["HX-Trigger"]
    assert "Large ones" not in text(priya.page("accounts/"))
    assert priya.send(f"views/{view.pk}/restore/").status_code == 204
    assert priya.page("accounts/")["Location"] == f"/w/orbiton/accounts/?{query_of(view)}"


def test_without_scripts_a_view_is_deleted_and_the_page_says_so(priya: Visitor, inside: Workspace) -> None:
    view = keep(inside.priya)
    answer = priya.submit(f"views/{view.pk}/delete/")

    assert answer["Location"] == "/w/orbiton/accounts/?view=all"
    assert "View deleted: Large ones" in text(priya.page("accounts/?view=all"))


def test_what_is_too_long_or_too_much_is_refused_in_words(priya: Visitor, inside: Workspace) -> None:
    long = "&".join(f"column=trait:{n:0100}" for n in range(100))
    assert "says too much" in text(priya.send(f"views/accounts/new/?{long}", target="dialog", name="Long"))
    for n in range(MOST_VIEWS):
        keep(inside.priya, f"View {n}")
    assert "Delete one first" in text(priya.send("views/accounts/new/", target="dialog", name="One more"))


def test_an_observer_keeps_views_but_shares_none(inside: Workspace) -> None:
    omar = Visitor(inside.omar)
    omar.submit("views/accounts/new/?csm=nobody", name="Whose?", shared="on")

    assert [(view.name, view.is_shared) for view in SavedView.objects.all()] == [("Whose?", False)]
    assert Account.objects.count() == 0


def test_the_sidebar_leads_to_ones_own_views_then_to_shared_ones(inside: Workspace, priya: Visitor) -> None:
    keep(inside.tom, "Everybody's", is_shared=True)
    keep(inside.tom, "Toms own")
    mine = keep(inside.priya, "Mine")
    shown = text(priya.page("ctas/"))

    assert shown.index("My views") < shown.index(">Mine</span>") < shown.index(">Everybody&#x27;s</span>")
    assert "Toms own" not in shown
    assert 'href="/w/orbiton/accounts/?csm=me' in shown
    opened = text(priya.page(f"accounts/?{query_of(mine)}"))
    assert 'aria-current="page"' in opened[opened.index("My views") : opened.index(">Mine</span>")]
