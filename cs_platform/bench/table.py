"""The accounts table of one workspace, asked for as a browser asks: through Django, as the application, under row-level
security. What is measured is the time until the answer is there; rendering is part of it.
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from unittest.mock import patch
from urllib.parse import quote

from django.db import connections
from django.test import Client

from accounts.models import TraitDefinition
from accounts.table.page import PAGE_SIZE
from accounts.table.state import Cursor
from cs_platform.bench.evaluate import without_policies
from cs_platform.bench.measure import Cost, cost_of, serve_alike
from cs_platform.bench.profiles import NOW, SEED
from cs_platform.bench.report import Report, Requests, percentile, rounded
from cs_platform.bench.table_data import SHARES, make_table
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Membership, Tenant
from playbooks.models import Playbook

REQUESTS = 100  # of each kind
TRACKED = "a.lifecycle IN ('subscribed', 'trialing')"


def table(accounts: int) -> Report:
    tenant = make_table(accounts)
    serve_alike()
    browser = Browser.of(tenant)
    with patch("cs_platform.tenancy.middleware.database_now", return_value=NOW):
        equal = _agrees(browser, tenant)
        costs = {name: _asked(browser, queries) for name, queries in _views(tenant, accounts).items()}
    return _report(accounts, costs, equal=equal)


@dataclass(frozen=True, slots=True)
class Browser:
    """Signed in as the first member, on one page of the workspace."""

    client: Client
    member: Membership
    page: str

    @classmethod
    def of(cls, tenant: Tenant, *, page: str = "accounts") -> "Browser":
        member = Membership.objects.in_tenant(tenant.pk).select_related("user").order_by("pk")[0]
        client = Client(headers={"host": "localhost"})
        client.force_login(member.user)
        return cls(client, member, page)

    def ask(self, query: str, target: str = "") -> bytes:
        headers = {"HX-Request": "true", "HX-Target": f"div#{target}"} if target else {}
        response = self.client.get(f"/w/bench/{self.page}/?{query}", headers=headers)
        if response.status_code != 200:
            raise RuntimeError(f"?{query} was answered with {response.status_code}.")
        return response.content

    def ids(self, query: str) -> list[int]:
        return self.opened(query, r'href="/w/bench/accounts/(\d+)/" data-open', "results")

    def opened(self, query: str, link: str, target: str = "") -> list[int]:
        """The ids in the links of the rows."""
        return [int(id) for id in re.findall(link, self.ask(query, target).decode())]


def _asked(browser: Browser, asked: Sequence[tuple[str, str]]) -> list[Cost]:
    return [cost_of(partial(browser.ask, query, target))[0] for query, target in asked]


# What is asked --------------------------------------------------------------------------------------------------------


def _views(tenant: Tenant, accounts: int) -> dict[str, list[tuple[str, str]]]:
    with tenant_context(tenant.pk):
        playbooks = [f"playbook:{pk}" for pk in Playbook.objects.order_by("pk").values_list("pk", flat=True)]
        traits = {one.key: f"a.{one.slot}" for one in TraitDefinition.objects.filter(scope="account")}
        deep = list(_deep(playbooks[0], traits, tenant, accounts))
    lists = {
        "filter": _filters(),
        "sort": _sorts(),
        "playbook": list(_by_playbook(playbooks)),
        "never": list(_never(playbooks)),
        "search": _searches(accounts),
        "deep": deep,
    }
    counts = [query for name in ("filter", "playbook", "never", "search") for query in lists[name]]
    return {
        "default": [("", "")] * REQUESTS,
        **{name: [(query, "results") for query in _sample(queries)] for name, queries in lists.items()},
        "count": [(f"{query}&totals=1", "totals") for query in _sample(counts)],
    }


def _sample(queries: Sequence[str]) -> list[str]:
    """All of them in a random order, again and again."""
    shuffled = list(queries)
    random.Random(SEED).shuffle(shuffled)
    return list(islice(cycle(shuffled), REQUESTS))


def _filters() -> list[str]:
    """Fast traits with few values, alone and together, under several orders; and the built-in filters."""
    industries = [f"trait:industry={word}" for word in ("Software", "Retail", "Finance", "Health")]
    stages = [f"trait:stage={word}" for word in ("Onboarding", "Renewal")]
    both = [f"{industry}&{stage}" for industry in industries for stage in stages]
    built_in = ["csm=me", "csm=nobody", "renews=30", "renews=past", "status=churned", "status=ignored"]
    orders = ["", "&sort=name", "&sort=-trait:seats"]
    return [query + order for query in (*industries, *stages, *both, *built_in) for order in orders]


def _sorts() -> list[str]:
    traits = ["trait:industry", "trait:stage", "trait:seats", "trait:arr", "trait:qbr_on"]
    built_in = ["name", "health", "arr", "renewal_on", "csm", "last_seen_at", "user_count", "created_at", "open_ctas"]
    return [f"sort={sign}{key}" for key in (*traits, *built_in) for sign in ("", "-")]


def _by_playbook(playbooks: Sequence[str]) -> Iterator[str]:
    for key in playbooks:
        yield from (f"{key}={choice}" for choice in ("active", "finished", "stopped", "applied"))
        yield from (f"sort={sign}{key}.{value}" for value in ("progress", "applied") for sign in ("", "-"))
        yield f"{key}=active&sort=-{key}.progress"
        yield f"csm=me&sort={key}.applied"


def _never(playbooks: Sequence[str]) -> Iterator[str]:
    for key in ("playbook", *playbooks):
        yield from (f"{key}=never{order}" for order in ("", "&sort=-arr", "&sort=-trait:seats"))
    yield from (f"{key}=never&sort=-{key}.progress" for key in playbooks)


def _searches(accounts: int) -> list[str]:
    words = ["a", "har", "ember lo", "logistics", "foods 9", f"calyx health {accounts // 3}", str(accounts // 2)]
    words += ["zzz", f"a-{accounts // 4}", "north rob"]
    return [f"q={quote(word)}{order}" for word in words for order in ("", "&sort=-arr")]


def _deep(playbook: str, traits: dict[str, str], tenant: Tenant, accounts: int) -> Iterator[str]:
    """Pages that nobody reaches by clicking: up to nine tenths down the list, forwards and backwards."""
    joined = f"accounts_account a JOIN playbooks_enrollment e ON e.account_id = a.id AND e.playbook_id = {playbook[9:]}"
    lists = [
        ("renewal_on", "a.renewal_on", "accounts_account a"),
        ("name", "a.name", "accounts_account a"),
        ("trait:seats", traits["seats"], "accounts_account a"),
        ("trait:qbr_on", traits["qbr_on"], "accounts_account a"),
        (f"{playbook}.applied", "e.activated_on", joined),
    ]
    with connections["default"].cursor() as cursor:
        for key, value, tables in lists:
            for share in (0.001, 0.1, 0.5, 0.9):
                cursor.execute(
                    f"SELECT {value}, a.id FROM {tables} WHERE a.tenant_id = %s AND {value} IS NOT NULL ORDER BY 1, 2"
                    f" OFFSET (SELECT floor({share} * count({value})) FROM {tables} WHERE a.tenant_id = %s) LIMIT 1",
                    [tenant.pk, tenant.pk],
                )
                reached, id = cursor.fetchone()
                place = Cursor(reached, id, position=int(share * accounts))
                yield from (f"sort={key}&{step}={place}" for step in ("after", "before"))


# Is it right? ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Check:
    """A list as a plain statement says it: join everything, sort everything, skip what stands before."""

    query: str
    value: str
    condition: str = TRACKED
    join: str = ""
    direction: str = "ASC"
    page: int = 1

    def ids(self, tenant: Tenant, cursor: object) -> list[int]:
        order = f"{self.value} {self.direction} NULLS LAST, a.id {self.direction}"
        cursor.execute(  # type: ignore[attr-defined]
            f"SELECT a.id FROM accounts_account a {self.join} WHERE a.tenant_id = %s AND a.archived_at IS NULL"
            f" AND {self.condition} ORDER BY {order} OFFSET %s LIMIT %s",
            [tenant.pk, (self.page - 1) * PAGE_SIZE, PAGE_SIZE],
        )
        return [id for (id,) in cursor.fetchall()]  # type: ignore[attr-defined]


def _checks(playbook: Playbook, slots: dict[str, str]) -> Iterator[Check]:
    key = f"playbook:{playbook.pk}"
    of_playbook = f"e.tenant_id = {playbook.tenant_id} AND e.playbook_id = {playbook.pk}"
    lead = (
        "LEFT JOIN (SELECT DISTINCT ON (e.account_id) e.account_id, e.progress, e.activated_on"
        f" FROM playbooks_enrollment e WHERE {of_playbook} ORDER BY e.account_id,"
        " e.state IN ('active', 'paused', 'stopping') DESC, e.activated_at DESC, e.id DESC) p ON p.account_id = a.id"
    )
    applied, active = (
        f"a.id IN (SELECT e.account_id FROM playbooks_enrollment e WHERE {which})"
        for which in (of_playbook, f"{of_playbook} AND e.state = 'active'")
    )
    person = "LEFT JOIN tenancy_membership m ON m.id = a.csm_id"
    yield from (Check("", "a.renewal_on", page=page) for page in (1, 2, 3))
    yield Check("trait:industry=Retail&sort=name", "a.name", f"{TRACKED} AND a.{slots['industry']} = 'Retail'")
    yield Check("sort=-trait:seats", f"a.{slots['seats']}", direction="DESC", page=2)
    yield Check("sort=csm", "m.name", join=person, page=2)
    yield from (Check(f"sort={key}.applied", "p.activated_on", join=lead, page=page) for page in (1, 3))
    yield Check(f"sort=-{key}.progress", "p.progress", join=lead, direction="DESC")
    yield Check(f"{key}=never&sort=-arr", "a.mrr_cents", f"{TRACKED} AND NOT {applied}", direction="DESC")
    yield Check(f"{key}=active", "a.renewal_on", f"{TRACKED} AND {active}")


def _agrees(browser: Browser, tenant: Tenant) -> bool:
    with tenant_context(tenant.pk):
        playbook = Playbook.objects.order_by("pk")[len(SHARES) // 3]
        slots = {one.key: str(one.slot) for one in TraitDefinition.objects.filter(scope="account")}
    with without_policies("accounts_account", "playbooks_enrollment") as cursor:
        expected = [(check, check.ids(tenant, cursor)) for check in _checks(playbook, slots)]
    return all(_shown(browser, check) == ids for check, ids in expected)


def _shown(browser: Browser, check: Check) -> list[int]:
    """Page by page, by the link to the next one."""
    query = check.query
    for _page in range(check.page - 1):
        following = re.search(rb'href="\?([^"]*after=[^"&]+)"', browser.ask(query, "results"))
        if following is None:
            return []
        query = following[1].decode().replace("&amp;", "&")
    return browser.ids(query)


def _report(accounts: int, costs: dict[str, list[Cost]], *, equal: bool) -> Report:
    p95 = {f"p95_ms_{name}": percentile([cost.wall for cost in found], 95) for name, found in costs.items()}
    figures = {"accounts": accounts} | {name: rounded(value) for name, value in p95.items()}
    return Report(figures | {"equal": equal}, [Requests(name, found) for name, found in costs.items()])
