"""The accounts table as a list: every sort shows every account once, forwards and backwards, whatever is missing."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.http import QueryDict

from accounts.models import Account, AccountRole, HealthReading, KeyRole, NpsResponse
from accounts.table import catalogue as catalogues
from accounts.table import page as paging
from accounts.table.catalogue import Catalogue
from accounts.table.cells import Scored
from accounts.table.lists import ACCOUNTS
from accounts.table.page import Page, load_page, load_totals
from accounts.table.state import Cursor, TableState
from accounts.table.traits import UNSET
from cs_platform.tenancy.context import tenant_context
from ctas.opening import open_cta
from playbooks.models import Enrollment
from playbooks.undo import request_stops
from tests.world import MONDAY, Workspace, account, apply_now, live, on, playbook_json, raise_risk, trait, user

TODAY = MONDAY.date()
NAMES = ("Ambervale", "Bramblewick", "Calyx", "Drumlin", "Emberline", "Foxglove", "Gannet", "Harbourline")


@pytest.fixture
def accounts(inside: Workspace) -> list[Account]:
    """Every third value is missing, and some are the same."""
    trait("sites", "number")
    made = []
    for n, name in enumerate(NAMES):
        missing = n % 3 == 2
        made.append(
            account(
                name,
                mrr_cents=None if missing else (n % 2) * 1_000,
                renewal_on=None if missing else on(1 + n % 4),
                health=None if missing else float(n % 2),
                last_seen_at=None if missing else MONDAY - timedelta(days=n),
                csm=None if missing else [inside.priya, inside.tom][n % 2],
                plan=None if missing else "Pro",
                n01=None if missing else n % 2,
                user_count=n % 2,
            )
        )
    return made


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "PAGE_SIZE", 3)


def catalogue(inside: Workspace) -> Catalogue:
    return Catalogue.of(ACCOUNTS, inside.priya, today=TODAY)


def state(inside: Workspace, query: str = "") -> TableState:
    return TableState.of(QueryDict(query), catalogue(inside))


def load(inside: Workspace, query: str = "") -> Page:
    return load_page(state(inside, query), tenant_id=inside.tenant.pk)


def walk(inside: Workspace, query: str, step: str, cursor: str) -> list[list[str]]:
    """All pages in one direction, from this one on."""
    pages, seen = [], 0
    while cursor and (seen := seen + 1) < 20:
        page = load(inside, f"{query}&{step}={cursor}")
        pages.append([one.name for one in page.things])
        cursor = str((page.next if step == "after" else page.previous) or "")
    return pages


SORTS = ("name", "lifecycle", "health", "arr", "renewal_on", "csm", "ae", "last_seen_at", "plan", "user_count")


@pytest.mark.parametrize("sort", [sign + key for key in (*SORTS, "trait:sites", "open_ctas") for sign in ("", "-")])
def test_every_sort_shows_every_account_once_in_both_directions(
    inside: Workspace, accounts: list[Account], sort: str
) -> None:
    first = load(inside, f"sort={sort}")
    forwards = [[one.name for one in first.things], *walk(inside, f"sort={sort}", "after", str(first.next))]

    assert sorted(name for names in forwards for name in names) == list(NAMES)
    assert [len(names) for names in forwards] == [3, 3, 2]
    last = load(inside, f"sort={sort}&after={_last_cursor(inside, sort)}")
    backwards = walk(inside, f"sort={sort}", "before", str(last.previous))
    assert [*backwards[::-1], forwards[-1]] == forwards


def _last_cursor(inside: Workspace, sort: str) -> Cursor | None:
    second = load(inside, f"sort={sort}&after={load(inside, f'sort={sort}').next}")
    return second.next


@pytest.mark.parametrize("sort", ["renewal_on", "-renewal_on", "csm", "-health", "trait:sites"])
def test_accounts_without_a_value_come_last_either_way(inside: Workspace, accounts: list[Account], sort: str) -> None:
    first = load(inside, f"sort={sort}")
    following = walk(inside, f"sort={sort}", "after", str(first.next))
    names = [name for page in following for name in page]

    assert set(names[-2:]) == {"Calyx", "Foxglove"}


def test_a_sort_by_person_is_by_name(inside: Workspace, accounts: list[Account]) -> None:
    shown = load(inside, "sort=csm").things

    assert [one.csm.name for one in shown if one.csm] == ["Priya Raman"] * 3


def test_pages_know_their_place(inside: Workspace, accounts: list[Account]) -> None:
    first = load(inside, "sort=name")
    second = load(inside, f"sort=name&after={first.next}")

    assert (first.first, first.last, first.previous) == (1, 3, None)
    assert (second.first, second.last) == (4, 6)
    assert (again := load(inside, f"sort=name&before={second.previous}")).first == 1
    assert again.things == first.things


def test_a_page_before_that_became_short_is_read_from_the_start(inside: Workspace, accounts: list[Account]) -> None:
    second = load(inside, f"sort=name&after={load(inside, 'sort=name').next}")
    Account.objects.filter(name="Ambervale").update(archived_at=MONDAY)

    page = load(inside, f"sort=name&before={second.previous}")

    assert [one.name for one in page.things] == ["Bramblewick", "Calyx", "Drumlin"]
    assert (page.first, page.previous) == (1, None)


@pytest.mark.parametrize(
    "nonsense", ["x", "W10", "W251bGwsMSwxXQ", "WzEsIi4uIiwxXQ", "WyJcdTAwMDAiLDEsMV0", "WzEsLTEsMV0"]
)
def test_a_cursor_that_is_none_starts_at_the_beginning(
    inside: Workspace, accounts: list[Account], nonsense: str
) -> None:
    assert load(inside, f"sort=name&after={nonsense}").first == 1


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=calyx", ["Calyx"]),
        ("q=AMBER", ["Ambervale"]),
        ("q=ber", ["Ambervale", "Emberline"]),
        ("q=%25", []),
        ("q=_", []),
        ("q=calyx&status=churned", []),
        ("csm=nobody", ["Calyx", "Foxglove"]),
        ("csm=me", ["Ambervale", "Emberline", "Gannet"]),
        ("renews=past", ["Ambervale", "Emberline"]),
        ("renews=30&q=am", ["Bramblewick"]),
        ("status=trialing", []),
        ("status=unheard-of&q=calyx", ["Calyx"]),
    ],
)
def test_filters(
    inside: Workspace, accounts: list[Account], monkeypatch: pytest.MonkeyPatch, query: str, found: list[str]
) -> None:
    monkeypatch.setattr(paging, "PAGE_SIZE", 50)

    assert [one.name for one in load(inside, f"{query}&sort=name").things] == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("harb", ["Harbourline Fine Foods"]),
        ("fine", ["Harbourline Fine Foods"]),
        ("FINE  fo", ["Harbourline Fine Foods"]),
        ("foods", ["Harbourline Fine Foods"]),
        ("ine", []),
        ("50%", ["50% Off"]),
        ("_", []),
        ("acc-77", ["50% Off"]),
    ],
)
def test_in_a_large_workspace_a_search_finds_beginnings_of_words(
    inside: Workspace, monkeypatch: pytest.MonkeyPatch, query: str, found: list[str]
) -> None:
    monkeypatch.setattr(catalogues, "READ_WHOLE_NAMES", 1)
    account("Harbourline Fine Foods")
    account("50% Off", external_id="acc-77")

    assert [one.name for one in load(inside, urlencode({"q": query})).things] == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("trait:stage=Won", ["Won"]),
        ("trait:stage=Lost", []),
        (f"trait:stage={UNSET}", ["Open"]),
        ("trait:sso=yes", ["Open"]),
        ("trait:sso=no", []),
    ],
)
def test_a_trait_with_few_values_filters_from_the_menu_of_its_column(
    inside: Workspace, query: str, found: list[str]
) -> None:
    trait("stage", "choice", choices=["Won", "Lost"])
    trait("sso", "boolean")
    account("Won", t01="Won")
    account("Open", b01=True)

    assert [one.name for one in load(inside, query).things] == found


def test_an_account_is_found_by_the_id_it_has_elsewhere(inside: Workspace) -> None:
    account("Harbourline", external_id="acc-77")

    assert [one.name for one in load(inside, "q=acc-77").things] == ["Harbourline"]


def test_without_a_choice_only_tracked_accounts_are_shown(inside: Workspace) -> None:
    for lifecycle in ("subscribed", "trialing", "churned", "ignored"):
        account(lifecycle.title(), lifecycle=lifecycle)

    assert {one.name for one in load(inside).things} == {"Subscribed", "Trialing"}
    assert load_totals(state(inside, "status=any"), tenant_id=inside.tenant.pk).count == 4


def test_archived_accounts_and_other_workspaces_are_never_listed(inside: Workspace, halyard: Workspace) -> None:
    account("Gone", archived_at=MONDAY)
    with tenant_context(halyard.tenant.pk):
        account("Foreign")

    assert load(inside).things == []


def test_totals_count_up_to_a_limit_and_beyond_on_demand(
    inside: Workspace, accounts: list[Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "COUNT_LIMIT", 5)
    capped = load_totals(state(inside), tenant_id=inside.tenant.pk)
    exact = load_totals(state(inside), tenant_id=inside.tenant.pk, exact=True)

    assert (capped.count, capped.capped, capped.arr_cents) == (5, True, None)
    assert (exact.count, exact.capped, exact.arr_cents) == (8, False, 12 * 3_000)


def test_health_shows_its_change_in_thirty_days(inside: Workspace) -> None:
    risen, new = account("Risen", health=60.0), account("New", health=50.0)
    for one, day, value in ((risen, on(1, 9), 40.0), (risen, on(1, 10), 55.5), (new, on(30), 10.0)):
        HealthReading.objects.create(account=one, on=day, value=value, is_current=False)
    shown = catalogue(inside)
    cells = shown.cells(shown.chosen(["health"]), [risen, new], now=MONDAY, here="?")

    assert cells[risen.pk, "health"] == Scored(60.0, 4.5)
    assert cells[new.pk, "health"] == Scored(50.0, None)


FACTS = ("nps", "nps_answered_at", "parent", "children", "role:sponsor", "overdue_ctas")


@pytest.mark.parametrize("key", FACTS)
@pytest.mark.parametrize("sign", ["", "-"])
def test_what_lies_in_other_tables_sorts_every_account_once(
    inside: Workspace, accounts: list[Account], key: str, sign: str
) -> None:
    first, second, third = accounts[:3]
    role = KeyRole.objects.create(key="sponsor", name="Sponsor", position=1)
    for one, member in ((first, inside.tom), (second, inside.priya)):
        AccountRole.objects.create(account=one, role=role, member=member, since_at=MONDAY)
        one.parent = third
        one.save()
        answer = {"end_user": user(f"U{one.pk}", one), "answered_at": MONDAY + timedelta(days=one.pk)}
        NpsResponse.objects.create(account=one, score=one.pk % 11, source="survey", **answer)
    open_cta(account=first, name="Call", type="risk", due_on=on(1), by=inside.priya, now=MONDAY)
    begun = load(inside, f"sort={sign}{key}")
    names = [one.name for one in begun.things]
    names += [name for page in walk(inside, f"sort={sign}{key}", "after", str(begun.next)) for name in page]

    assert sorted(names) == sorted(one.name for one in accounts)
    shown = catalogue(inside)
    assert shown.cells(shown.chosen([key]), accounts, now=MONDAY, here="?")


# --- columns of upper layers ------------------------------------------------------------------------------------------


@pytest.fixture
def rescue(inside: Workspace, accounts: list[Account]) -> Any:
    """Applied to three accounts at different times: finished, halfway, and just begun."""
    steps = [raise_risk(1), raise_risk(2, key="second", title="Second")]
    playbook = live(playbook_json("rescue", steps=steps))
    for n, name in enumerate(("Harbourline", "Emberline", "Calyx")):
        apply_now(
            playbook, Account.objects.get(name=name), now=MONDAY + timedelta(days=n), until=MONDAY + timedelta(days=1)
        )
    return playbook


def shown(inside: Workspace, query: str) -> list[str]:
    return [one.name for one in load(inside, query).things]


def test_the_table_sorts_by_a_playbook_and_lists_the_others_after(inside: Workspace, rescue: Any) -> None:
    key = f"playbook:{rescue.pk}"

    assert shown(inside, f"sort=-{key}.progress")[0] == "Harbourline"
    assert shown(inside, f"sort={key}.applied") == ["Harbourline", "Emberline", "Calyx"]
    assert shown(inside, f"sort=-{key}.applied") == ["Calyx", "Emberline", "Harbourline"]


def test_who_sorts_by_a_playbook_and_asks_for_those_without_it_gets_them(inside: Workspace, rescue: Any) -> None:
    key = f"playbook:{rescue.pk}"
    query = f"{key}=never&sort=-{key}.applied"
    first = load(inside, query)
    following = walk(inside, query, "after", str(first.next))

    assert {one.name for one in first.things}.union(*following) == set(NAMES) - {"Harbourline", "Emberline", "Calyx"}


@pytest.mark.parametrize(("sort", "found"), [("applied", ["Emberline", "Calyx"]), ("progress", ["Calyx", "Emberline"])])
def test_what_is_under_way_can_be_sorted_by_itself(inside: Workspace, rescue: Any, sort: str, found: list[str]) -> None:
    key = f"playbook:{rescue.pk}"

    assert shown(inside, f"{key}=active&sort={key}.{sort}") == found


def test_the_latest_application_speaks_for_its_account_until_an_earlier_one_is_under_way(
    inside: Workspace, rescue: Any
) -> None:
    key = f"playbook:{rescue.pk}"
    first = Enrollment.objects.get(account__name="Harbourline")
    apply_now(rescue, first.account, now=MONDAY + timedelta(days=9))
    first.refresh_from_db()
    assert first.is_superseded
    assert shown(inside, f"sort={key}.applied") == ["Emberline", "Calyx", "Harbourline"]

    request_stops([first.pk], tenant_id=inside.tenant.pk, by=inside.priya.actor, note="", now=MONDAY)

    first.refresh_from_db()
    assert not first.is_superseded
    assert shown(inside, f"sort={key}.applied").count("Harbourline") == 1


@pytest.mark.parametrize("sort", ["open_ctas", "-open_ctas"])
def test_accounts_without_a_cta_count_as_those_with_the_fewest(inside: Workspace, rescue: Any, sort: str) -> None:
    gannet = Account.objects.get(name="Gannet")
    open_cta(account=gannet, name="Call them", type="risk", by=inside.priya, now=MONDAY)
    pages = [[one.name for one in load(inside, f"sort={sort}").things]]
    pages += walk(inside, f"sort={sort}", "after", str(load(inside, f"sort={sort}").next))

    assert [name for page in pages for name in page].index("Gannet") == (0 if sort.startswith("-") else 7)


@pytest.mark.parametrize(
    ("choice", "found"),
    [
        ("active", {"Emberline", "Calyx"}),
        ("finished", {"Harbourline"}),
        ("stopped", set()),
        ("applied", {"Harbourline", "Emberline", "Calyx"}),
        ("never", set(NAMES) - {"Harbourline", "Emberline", "Calyx"}),
    ],
)
def test_the_table_filters_by_a_playbook(
    inside: Workspace, rescue: Any, monkeypatch: pytest.MonkeyPatch, choice: str, found: set[str]
) -> None:
    monkeypatch.setattr(paging, "PAGE_SIZE", 50)

    assert set(shown(inside, f"playbook:{rescue.pk}={choice}")) == found
    assert set(shown(inside, f"playbook={choice}")) == found


def test_a_cell_tells_of_the_enrollment_that_is_under_way(inside: Workspace, rescue: Any) -> None:
    harbourline = Account.objects.get(name="Harbourline")
    apply_now(rescue, harbourline, now=MONDAY + timedelta(days=9), until=MONDAY + timedelta(days=9))
    columns = catalogue(inside)
    cells = columns.cells(columns.chosen([]), [harbourline], now=MONDAY, here="?")
    run = cells[harbourline.pk, f"playbook:{rescue.pk}"]

    assert (run.state, run.percent, run.applied_on) == ("active", 50, on(11))
    assert run.marks == ("done", "next")


def test_columns_can_be_chosen_and_the_name_always_leads(inside: Workspace, rescue: Any) -> None:
    chosen = state(inside, f"column=plan&column=playbook:{rescue.pk}&column=unheard-of").columns

    assert [column.key for column in chosen] == ["name", "plan", f"playbook:{rescue.pk}"]
