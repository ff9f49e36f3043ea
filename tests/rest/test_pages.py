from datetime import date, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection

from accounts.models import Account
from cs_platform.tenancy.context import tenant_context
from tests.rest.client import BASE, Answer, Api
from tests.world import MONDAY, Workspace, account


@pytest.fixture
def twelve(orbiton: Workspace) -> list[int]:
    """Names in pairs, renewal dates in threes, every fourth without one."""
    with tenant_context(orbiton.tenant.pk):
        return [
            account(
                f"Account {n // 2}",
                external_id=str(n),
                renewal_on=None if n % 4 == 0 else date(2027, 1, 1) + timedelta(days=n // 3),
                mrr_cents=None if n % 5 == 0 else n * 100,
                updated_at=MONDAY + timedelta(hours=n),
            ).pk
            for n in range(12)
        ]


def follow(api: Api, url: str, rel: str = "next") -> list[Answer]:
    pages = [api.get(url)]
    while pages[-1].json[rel]:
        parts = urlsplit(pages[-1].json[rel])
        pages.append(api.get(f"{parts.path.removeprefix(BASE)}?{parts.query}"))
    return pages


def ids(pages: list[Answer]) -> list[int]:
    return [row["id"] for page in pages for row in page.results]


@pytest.mark.parametrize("name", ["id", "name", "renewal_on", "mrr_cents", "updated_at"])
@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("size", [1, 5, 12])
def test_pages_show_every_row_once_in_order_there_and_back(
    api: Api, twelve: list[int], name: str, sign: str, size: int
) -> None:
    forward = follow(api, f"/accounts/?ordering={sign}{name}&limit={size}")
    last = forward[-1].json
    backward = [last["results"], *([] if not last["previous"] else walk_back(api, last["previous"]))]
    rows = [row for page in forward for row in page.results]

    assert sorted(ids(forward)) == sorted(twelve)
    assert [row["id"] for page in reversed(backward) for row in page] == ids(forward)
    assert [row["id"] for row in sorted(rows, key=lambda row: sort_key(row, name, sign))] == ids(forward)


def walk_back(api: Api, url: str) -> list[list[Any]]:
    parts = urlsplit(url)
    pages = follow(api, f"{parts.path.removeprefix(BASE)}?{parts.query}", rel="previous")
    return [page.results for page in pages]


def sort_key(row: dict[str, Any], name: str, sign: str) -> Any:
    """Rows without a value come last, whatever the direction."""
    value = row[name]
    direction = -1 if sign else 1
    if value is None:
        return (1, 0, direction * row["id"])
    number = value if isinstance(value, int) else int.from_bytes(str(value).ljust(40).encode(), "big")
    return (0, direction * number, direction * row["id"])


def test_rows_that_come_and_go_neither_repeat_nor_hide_others(api: Api, orbiton: Workspace, twelve: list[int]) -> None:
    first = api.get("/accounts/?ordering=id&limit=5").json
    with tenant_context(orbiton.tenant.pk):
        Account.objects.filter(pk__in=twelve[:2]).update(archived_at=MONDAY)
        account("Newcomer")
    parts = urlsplit(first["next"])
    second = api.get(f"/accounts/?{parts.query}")

    assert [row["id"] for row in second.results] == twelve[5:10]


def test_links_are_in_the_header_too(api: Api, twelve: list[int]) -> None:
    first = api.get("/accounts/?limit=5")

    assert first["Link"] == f'<{first.json["next"]}>; rel="next"'
    assert first.json["previous"] is None


def test_a_page_has_fifty_rows_unless_asked_and_never_more_than_a_hundred(api: Api, orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        Account.objects.bulk_create(
            Account(external_id=str(n), name=str(n), created_at=MONDAY, updated_at=MONDAY) for n in range(101)
        )

    assert len(api.get("/accounts/").results) == 50
    assert len(api.get("/accounts/?limit=100").results) == 100
    assert api.get("/accounts/?limit=101").errors == {"?limit": "invalid"}
    assert api.get("/accounts/?limit=0").status == 400


@pytest.mark.parametrize(
    "query",
    ["ordering=secret", "ordering=tenant__slug", "ordering=-", "cursor=abc", "cursor=", "nmae=x", "fields=id,secret"],
)
def test_what_is_not_on_the_list_is_refused(api: Api, twelve: list[int], query: str) -> None:
    answer = api.get(f"/accounts/?{query}")

    assert (answer.status, list(answer.errors)) == (400, [f"?{query.partition('=')[0]}"])


def test_a_cursor_belongs_to_one_order(api: Api, twelve: list[int]) -> None:
    by_name = urlsplit(api.get("/accounts/?ordering=name&limit=5").json["next"]).query

    assert api.get(f"/accounts/?{by_name.replace('ordering=name', 'ordering=id')}").errors == {
        "?cursor": "invalid_cursor"
    }


def test_only_the_fields_asked_for_are_sent(api: Api, twelve: list[int]) -> None:
    assert api.get("/accounts/?fields=name,id&limit=1&ordering=id").results == [{"id": twelve[0], "name": "Account 0"}]
    assert set(api.get(f"/accounts/{twelve[0]}/?fields=traits").json) == {"traits"}


@pytest.mark.parametrize("table", ["accounts_account", "accounts_enduser"])
def test_the_index_of_what_changed_lets_a_change_stay_on_its_page(db: None, table: str) -> None:
    """PostgreSQL writes to every other index of a row whenever one that is no summary has to be told."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexdef FROM pg_indexes WHERE tablename = %s AND indexdef LIKE '%%updated_at%%'", [table]
        )
        defined = [definition for (definition,) in cursor.fetchall()]

    assert len(defined) == 1
    assert "USING brin" in defined[0]


def test_updated_since_finds_what_changed(api: Api, twelve: list[int]) -> None:
    since = (MONDAY + timedelta(hours=9)).isoformat().replace("+00:00", "Z")

    assert sorted(ids(follow(api, f"/accounts/?updated_since={since}"))) == twelve[9:]
