"""The accounts table as a page: the whole, its fragments, the drawer beside it, and how many queries it takes."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NoReturn

import pytest

from accounts.models import Account, NpsResponse, Segment
from accounts.table import page as paging
from accounts.table import tallies
from cs_platform.common.time_limit import TooLong
from cs_platform.tenancy.context import tenant_context
from cs_platform.workspace.models import SavedView
from playbooks import columns as playbook_columns
from playbooks.models import Playbook
from tests.visitor import Visitor, is_whole, text
from tests.world import Workspace, account, apply_now, live, playbook_json, raise_risk, trait, user

NOW = datetime.now(UTC)
QUERIES_OF_A_MENU = 22  # of columns; counting what is under way is one, within its own limit of time
QUERIES = 25  # session, member, tenant, columns, filters, rows, cells; whatever the number of accounts


def rescue_on(*names: str) -> Any:
    playbook = live(playbook_json(steps=[raise_risk(1), raise_risk(30, key="far", title="Far")]), now=NOW)
    return [apply_now(playbook, account(name), now=NOW) for name in names]


def save_view(by: Visitor, name: str, params: str) -> SavedView:
    made: SavedView = SavedView.objects.create(
        page="accounts", name=name, owner=by.member, params=params, created_at=NOW, updated_at=NOW
    )
    return made


def raises(error: Exception) -> Callable[..., NoReturn]:
    def fail(*args: Any, **kwargs: Any) -> NoReturn:
        raise error

    return fail


def test_the_page_and_its_rows_come_from_one_template(priya: Visitor) -> None:
    account("Harbourline")
    whole, rows = priya.page("accounts/"), priya.fragment("accounts/", "results")

    assert [is_whole(whole), is_whole(rows)] == [True, False]
    assert all(">Harbourline</a>" in text(response) for response in (whole, rows))
    assert {"HX-Request", "HX-Target"} <= set(rows["Vary"].split(", "))


def test_a_row_shows_revenue_renewal_health_and_people(priya: Visitor, inside: Workspace) -> None:
    account("Harbourline", mrr_cents=1_533_333, health=46, csm=inside.tom, plan="Scale")
    shown = text(priya.page("accounts/"))

    assert all(part in shown for part in ("$184,000", "46", "Tom Lindqvist", "Scale"))


def test_a_trait_edited_here_has_its_column_from_the_start(priya: Visitor) -> None:
    trait("stage", label="Renewal stage")
    account("Harbourline", t01="Proposal", traits={"stage": "Proposal"})

    assert "Renewal stage</a>" in text(priya.page("accounts/"))
    assert "Proposal" in text(priya.page("accounts/"))


def test_a_playbook_has_a_column_whose_cells_open_the_history(priya: Visitor) -> None:
    [enrollment] = rescue_on("Harbourline")
    shown = text(priya.page("accounts/?status=any"))

    assert f'href="/w/orbiton/accounts/?status=any&amp;history={enrollment.pk}"' in shown
    assert "<b>50%</b>" in shown
    assert '<i class="done"></i><i class="next"></i>' in shown


def test_the_address_of_a_history_opens_list_and_drawer(priya: Visitor) -> None:
    [enrollment] = rescue_on("Harbourline")
    whole = priya.page(f"accounts/?history={enrollment.pk}")
    alone = priya.fragment(f"accounts/?history={enrollment.pk}", "drawer")

    assert "Playbook history" in text(whole)
    assert "accounts-table" in text(whole)
    assert "Playbook history" in text(alone)
    assert "accounts-table" not in text(alone)


@pytest.mark.parametrize("bad", ["history=999999", "history=x", "cta=999999", "history=9999999999999999999999"])
def test_a_drawer_of_something_unknown_is_not_found(priya: Visitor, bad: str) -> None:
    assert priya.page(f"accounts/?{bad}").status_code == 404


def test_totals_come_by_themselves_or_without_scripts_on_demand(priya: Visitor) -> None:
    account("Harbourline", mrr_cents=100_000)
    counted = priya.fragment("accounts/?totals=1", "totals")

    assert "Total ARR $12k" in text(counted)
    assert '<hx-partial hx-target="#title-count">' in text(counted)
    assert "Total ARR" not in text(priya.page("accounts/"))
    assert "Total ARR $12k" in text(priya.page("accounts/?totals=1"))


def test_counting_stops_at_a_limit_until_somebody_asks_for_all(priya: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "COUNT_LIMIT", 1)
    account("Harbourline")
    account("Calyx")

    assert "of 1+" in text(priya.fragment("accounts/?totals=1", "totals"))
    assert "of 2" in text(priya.fragment("accounts/?totals=exact", "totals"))


def tab_counts(visitor: Visitor, query: str = "") -> dict[str, str]:
    counted = text(visitor.fragment(f"accounts/?counts=1&{query}", "tab-counts"))
    return dict(re.findall(r'<hx-partial hx-target="#tab-([a-z]+-[0-9]+)">([0-9,+]+)</hx-partial>', counted))


def test_each_tab_says_how_many_are_behind_it_whatever_is_searched_for(priya: Visitor, inside: Workspace) -> None:
    account("Harbourline", csm=inside.priya)
    account("Calyx")
    account("Gone", lifecycle="churned")
    views = [save_view(priya, "Calyx alone", "q=calyx"), save_view(priya, "By a lost trait", "trait:lost=yes")]
    numbers = {"preset-0": "2", "preset-1": "1", "preset-4": "1", f"view-{views[0].pk}": "1"}

    assert tab_counts(priya).items() >= numbers.items()
    assert tab_counts(priya, "q=nobody&filter=nonsense") == tab_counts(priya)
    assert f"view-{views[1].pk}" not in tab_counts(priya)
    assert 'id="tab-preset-1" hx-preserve></span>' in text(priya.page("accounts/"))


def test_tabs_go_without_numbers_where_counting_takes_too_long(priya: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    account("Harbourline")
    monkeypatch.setattr(tallies, "bounded", raises(TooLong()))

    assert tab_counts(priya) == {}
    assert "of 1" in text(priya.fragment("accounts/?totals=1", "totals"))


def test_a_column_of_choices_says_how_many_each_would_leave(priya: Visitor) -> None:
    rescue_on("Harbourline", "Calyx")
    account("Drumlin")
    key = f"playbook:{Playbook.objects.get().pk}"
    menu = text(priya.fragment(f"accounts/columns/{key}/?q=r", "head-2"))

    assert re.findall(r"(Active|Not applied) <span class=\"push num\">(\d+)</span>", menu) == [
        ("Active", "1"),
        ("Not applied", "1"),
    ]
    assert "accounts/filter/?q=r&amp;add=playbook_progress%3A" in menu


def test_an_order_can_be_chosen_without_the_heads_which_phones_do_not_show(priya: Visitor) -> None:
    rescue_on("Harbourline")
    key = f"playbook:{Playbook.objects.get().pk}"
    query = f"?column={key}&column=arr&sort=-renewal_on"
    menu = text(priya.fragment(f"accounts/sorts/{query}", "sorts"))

    assert "Renewal</button>" in text(priya.page(f"accounts/{query}"))
    assert 'aria-current="true"' in menu.partition("Latest first")[0].rpartition("<a")[2]
    for order in (f"sort={key}.progress", f"sort=-{key}.applied", "sort=-arr", "sort=renewal_on"):
        assert f"&amp;{order}" in menu


def test_an_empty_workspace_says_what_would_be_here(priya: Visitor) -> None:
    assert "No accounts yet" in text(priya.page("accounts/"))


def test_a_search_without_result_offers_to_clear_it(priya: Visitor) -> None:
    account("Harbourline")
    shown = text(priya.page("accounts/?q=nothing"))

    assert "No account matches" in shown
    assert 'value="nothing"' in shown


def test_accounts_with_the_same_value_show_it_alike_and_those_without_say_so(priya: Visitor) -> None:
    for name, cents in (("Harbourline", 1_000_00), ("Calyx", 1_000_00), ("Drumlin", None)):
        account(name, mrr_cents=cents)
    shown = text(priya.fragment("accounts/?column=arr", "results"))

    assert shown.count('<td class="right">$12,000</td>') == 2
    assert shown.count('<span class="sr">Not known</span>') == 1


def test_a_net_score_has_its_sign(priya: Visitor) -> None:
    for name, score in (("Harbourline", 0), ("Calyx", 10)):
        at = account(name)
        NpsResponse.objects.create(end_user=user(f"Of {name}", at), account=at, score=score, answered_at=NOW)
    shown = text(priya.fragment("accounts/?column=nps", "results"))

    assert all(cell in shown for cell in (">−100</td>", ">+100</td>"))


def test_rows_can_be_selected_by_who_may_change_accounts(
    priya: Visitor, inside: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    harbourline = account("Harbourline", csm=inside.priya)
    monkeypatch.setattr(paging, "PAGE_SIZE", 1)
    account("Calyx", csm=inside.priya)
    query = "accounts/?csm=me&q=a&sort=-name&column=plan"
    shown = text(priya.page(query))

    assert f'name="ids" value="{harbourline.pk}" form="bulk" data-select aria-label="Select Harbourline"' in shown
    assert "Select all that match" in shown
    form = shown[shown.index('id="bulk"') : shown.index("data-all")]
    assert ['name="csm" value="me"' in form, 'name="q" value="a"' in form, "sort" in form] == [True, True, False]
    assert "data-select" not in text(Visitor(inside.omar).page("accounts/"))


def test_a_column_in_its_width_and_a_menu_to_choose_others(priya: Visitor) -> None:
    account("Harbourline", plan="Scale")
    shown = text(priya.fragment("accounts/?column=plan&column=health&width=plan:90&width=x:&width=health:9", "results"))

    assert '<th scope="col" class="sized" style="--w: 90" data-column="plan">' in shown
    assert '<td class="sized" style="--w: 90">Scale</td>' in shown
    assert 'class="keep sized" style="--w: 60" data-column="health"' in shown
    assert 'id="columns" popover hx-get="/w/orbiton/accounts/columns/?column=plan&amp;column=health&amp;width=' in shown

    menu = text(priya.fragment("accounts/columns/?column=plan&column=health", "columns"))
    assert 'value="plan" checked> Plan' in menu
    assert 'value="arr"> ARR' in menu
    assert '<legend class="pop-title">Shown</legend>' in menu


def test_a_column_can_be_hidden_from_its_menu_and_all_be_as_usual_again(priya: Visitor) -> None:
    trait("stage", "choice", choices=["Won"])
    query = "?column=plan&column=trait:stage"
    menu = text(priya.fragment(f"accounts/columns/trait:stage/{query}", "head-2"))
    chooser = text(priya.fragment(f"accounts/columns/{query}", "columns"))
    here = priya.at("accounts/")

    assert f'href="{here}?column=plan" hx-get="{here}?column=plan" hx-target="#results" hx-push-url="true"><svg' in menu
    assert f'href="{here}?" hx-get="{here}?" hx-target="#results" hx-push-url="true">Reset</a>' in chooser


def test_a_pinned_column_stands_beside_the_name_however_wide_it_is(priya: Visitor) -> None:
    account("Harbourline", plan="Scale")
    query = "accounts/?column=health&column=plan&column=arr&pin=arr&pin=plan&pin=csm&width=arr:90"
    shown = text(priya.fragment(query, "results"))
    heads = re.findall(r'<th scope="col" class="([^"]*)"(?: style="([^"]*)")? data-column="(\w+)"', shown)

    assert heads == [
        ("first pin edge keep sized", "--w: 256", "name"),
        ("right sized pin pinned edge", "--w: 90; --at: 256; --n: 1", "arr"),
        ("sized pin pinned edge", "--w: 144; --at: 346; --n: 2", "plan"),
        ("keep", "", "health"),
    ]
    assert '<td class="sized pin pinned edge" data-label="Plan" style="--w: 144; --at: 346; --n: 2">Scale</td>' in shown


def test_without_a_pin_no_column_but_those_resized_has_a_width(priya: Visitor) -> None:
    account("Harbourline")
    shown = text(priya.fragment("accounts/?column=health&column=arr&width=arr:90&pin=plan&pin=name", "results"))

    assert shown.count("--w:") == 2
    assert "--at:" not in shown


def test_a_column_is_pinned_and_taken_back_from_its_menu(priya: Visitor) -> None:
    trait("stage", "choice", choices=["Won"])
    here = priya.at("accounts/")
    pin = text(priya.fragment("accounts/columns/trait:stage/?pin=arr", "head-2"))
    unpin = text(priya.fragment("accounts/columns/trait:stage/?pin=arr&pin=trait:stage", "head-2"))

    assert f'href="{here}?pin=arr&amp;pin=trait:stage"' in pin
    assert "Pin column" in pin
    assert f'href="{here}?pin=arr"' in unpin
    assert "Unpin column" in unpin
    assert "pin=trait" not in unpin[unpin.index("Unpin column") :]  # hidden, it is not pinned any more
    assert "in column" not in text(priya.fragment("accounts/columns/name/", "head-1"))
    assert "in column" not in text(priya.fragment("accounts/columns/trait:stage/?column=arr", "head-1"))


def test_the_menu_of_columns_pins_any_of_them(priya: Visitor) -> None:
    menu = text(priya.fragment("accounts/columns/?column=plan&column=health&pin=health", "columns"))

    assert 'type="checkbox" name="pin" value="health" checked>' in menu
    assert 'type="checkbox" name="pin" value="plan">' in menu
    assert menu.count('name="pin" value="health"') == 1
    assert menu.index('value="health" checked') < menu.index('value="plan" checked')
    assert f'href="{priya.at("accounts/")}?"' in menu  # Reset


def test_ready_made_views_keep_what_is_pinned(priya: Visitor) -> None:
    assert 'href="?pin=arr&amp;csm=me"' in text(priya.page("accounts/?pin=arr&q=x"))


def test_the_menu_of_columns_says_of_how_many_each_playbook_is_under_way(
    priya: Visitor, django_assert_max_num_queries: Any
) -> None:
    rescue_on("Harbourline", "Calyx")
    live(playbook_json("quiet", name="Quiet one", steps=[raise_risk(1)]), now=NOW)
    with django_assert_max_num_queries(QUERIES_OF_A_MENU):
        menu = text(priya.fragment("accounts/columns/?column=plan", "columns"))

    assert '<legend class="pop-title">Playbooks <span class="faint">shows date applied and progress</span>' in menu
    assert re.findall(r'<span class="push num">([^<]*)</span>', menu) == ["2 active", "0 active"]
    assert menu.index(">Playbooks <") < menu.index(">Account<")


def test_a_playbook_is_looked_for_below_its_heading_where_all_of_them_are_shown(priya: Visitor) -> None:
    rescue_on("Harbourline")
    menu = text(priya.fragment("accounts/columns/", "columns"))

    assert "All of them are shown." in menu
    assert "1 active" in menu[: menu.index("All of them are shown.")]


def test_playbooks_go_without_numbers_where_counting_takes_too_long(
    priya: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    rescue_on("Harbourline")
    monkeypatch.setattr(playbook_columns, "bounded", raises(TooLong()))

    assert " active</span>" not in text(priya.fragment("accounts/columns/", "columns"))


def test_chosen_columns_are_saved_to_the_view_in_force_or_under_a_new_name(priya: Visitor, inside: Workspace) -> None:
    mine = save_view(priya, "Mine", "csm=me")
    shared = save_view(Visitor(inside.olga), "Ours", "csm=me")
    SavedView.objects.filter(pk=shared.pk).update(is_shared=True)
    new, keep = priya.at("views/accounts/new/"), "views/{}/columns/"
    buttons = {
        view: text(priya.fragment(f"accounts/columns/?csm=me&view={view}", "columns"))
        for view in ("all", mine.pk, shared.pk)
    }

    assert f'formaction="{new}" hx-get="{new}" hx-include="closest form"' in buttons["all"]
    assert f'formmethod="post" formaction="{priya.at(keep.format(mine.pk))}"' in buttons[mine.pk]
    assert f'formaction="{new}"' in buttons[shared.pk]  # a colleague's, which she may not change
    for_admins = text(Visitor(inside.olga).fragment(f"accounts/columns/?view={shared.pk}", "columns"))
    assert f'formaction="{priya.at(keep.format(shared.pk))}"' in for_admins


@pytest.mark.parametrize("menu", ["columns/", "filters/", "sorts/", "columns/trait:stage/"])
def test_without_scripts_a_menu_is_a_page_of_plain_links_and_forms(priya: Visitor, menu: str) -> None:
    trait("stage", "choice", choices=["Won"])
    page = text(priya.page(f"accounts/{menu}?q=har"))

    assert is_whole(priya.page(f"accounts/{menu}?q=har"))
    assert priya.at("accounts/") in page[page.index('id="main"') :]
    assert 'hx-target="#results"' not in page


def test_a_menu_of_a_column_nobody_knows_is_not_found(priya: Visitor) -> None:
    assert priya.page("accounts/columns/unheard-of/").status_code == 404


def test_filters_are_made_and_asked_for_only_where_they_are_chosen(priya: Visitor) -> None:
    """Among them a list of the team, and of all segments."""
    Segment.objects.create(name="Champions", scope="account", created_at=NOW)
    whole, menu = (text(priya.fragment(path, "filters")) for path in ("accounts/?csm=me", "accounts/filters/?csm=me"))

    assert "Champions" not in whole
    assert all(part in menu for part in ("Champions", '<option value="me" selected>Me', "Tom Lindqvist"))


def test_names_are_text_whatever_they_contain(priya: Visitor) -> None:
    account("<script>alert(1)</script>")

    assert "<script>alert(1)" not in text(priya.page("accounts/"))


def test_filters_in_force_are_chips_that_can_be_removed(priya: Visitor) -> None:
    shown = text(priya.page("accounts/?csm=me&sort=name"))

    assert 'aria-label="Remove filter CSM"' in shown
    assert '<span class="op">is</span><button class="v" type="button" popovertarget="filters"' in shown
    assert 'aria-label="Change filter CSM, now Me">Me</button>' in shown
    assert 'href="?sort=name"' in shown


def test_the_next_page_keeps_filter_and_sort(priya: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "PAGE_SIZE", 1)
    account("Harbourline", plan="Pro")
    account("Calyx", plan="Pro")
    first = text(priya.page("accounts/?status=subscribed&sort=-name"))

    assert "Harbourline" in first
    assert ">Calyx<" not in first
    [_before, rest] = first.split('rel="next"', 1)[0].rsplit('<a class="btn sm square" href="', 1)
    following = rest.split('"')[0].replace("&amp;", "&")
    assert following.startswith("?status=subscribed&sort=-name&after=")
    assert ">Calyx</a>" in text(priya.page(f"accounts/{following}"))


def test_the_number_of_queries_does_not_grow_with_the_accounts(
    priya: Visitor, django_assert_max_num_queries: Any
) -> None:
    trait("sponsor", "person")
    rescue_on(*(f"Account {n}" for n in range(12)))
    Account.objects.update(csm=priya.member, m01=priya.member.pk)

    with django_assert_max_num_queries(QUERIES):
        priya.fragment("accounts/", "results")


def test_another_workspaces_accounts_and_drawers_are_not_there(priya: Visitor, halyard: Workspace) -> None:
    with tenant_context(halyard.tenant.pk):
        [enrollment] = rescue_on("Foreign")

    assert "Foreign" not in text(priya.page("accounts/?status=any"))
    assert priya.page(f"accounts/?history={enrollment.pk}").status_code == 404
    assert priya.client.get("/w/halyard/accounts/").status_code == 404


def test_users_of_a_user_playbook_share_one_cell(priya: Visitor) -> None:
    at = account("Harbourline")
    rules = {"user": {"field": "name", "op": "set"}}
    playbook = live(playbook_json("nps", audience="users", rules=rules), now=NOW)
    for name in ("Ines Falk", "Dario Menotti"):
        apply_now(playbook, at, user=user(name, at), now=NOW)

    assert text(priya.page("accounts/")).count("open history") == 1
