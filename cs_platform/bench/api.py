"""The REST API as a program uses it: it reads all accounts page by page, asks for lists of some, and sends many.

Requests go through Django's whole stack with a key; its limits are counted, but lifted. Beside each page stands the
least that could be written for it: one query, and its rows as JSON.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, urlencode, urlsplit

from django.http import JsonResponse
from django.test import Client

from accounts.api.serializers import MAX_BULK, AccountSerializer
from accounts.models import Account
from cs_platform.bench.data import ACCOUNT_TRAITS, PEOPLE, define_traits, fill_accounts, make_people, settle_tables
from cs_platform.bench.measure import Cost, cost_of, serve_alike
from cs_platform.bench.profiles import NOW
from cs_platform.bench.report import Report, Requests, percentile, rounded
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.keys import issue_key
from cs_platform.tenancy.models import Tenant

REQUESTS = 100  # of each kind
SENT = 10_000  # accounts, new ones and then the same ones changed
PAGE = 100
UNLIMITED = 10**9
LIMITS: dict[str, Any] = dict.fromkeys(("KEY_RATE", "KEY_BURST", "WORKSPACE_RATE", "WORKSPACE_BURST"), UNLIMITED)
FIELDS = [name for name in AccountSerializer.Meta.fields if name != "roles"]  # which nobody holds here


def api(accounts: int) -> Report:
    tenant = _workspace(accounts)
    serve_alike()
    with tenant_context(tenant.pk):
        _key, token = issue_key(name="Bench", scopes=["write"], by=None, now=NOW)
    caller = Caller(tenant, Client(headers={"host": "localhost", "authorization": f"Bearer {token}"}))
    with patch.multiple("cs_platform.rest.throttling", **LIMITS):
        pages = {"all accounts, by id": list(_walk(caller)), "lists of some": list(_lists(caller))}
        sent = {name: list(_send(caller, name, seats)) for seats, name in enumerate(("created", "updated"), 1)}
    return _report(accounts, pages, sent, equal=_is_there(tenant))


def _workspace(accounts: int) -> Tenant:
    tenant = Tenant.objects.create(slug="bench", name="Bench", created_at=NOW)
    people = make_people(tenant, PEOPLE)
    with tenant_context(tenant.pk):
        define_traits()
        fill_accounts(tenant, accounts, people, ACCOUNT_TRAITS)
    settle_tables(["accounts_account"])
    return tenant


@dataclass(frozen=True, slots=True)
class Caller:
    tenant: Tenant
    client: Client

    def get(self, query: str) -> Any:
        return self._read(self.client.get(f"/api/v1/accounts/?{query}"))

    def send(self, items: Sequence[dict[str, Any]], *, key: str) -> Any:
        headers = {"Idempotency-Key": key}
        body = json.dumps({"items": items})
        return self._read(self.client.post("/api/v1/accounts/bulk/", body, "application/json", headers=headers))

    def _read(self, response: Any) -> Any:
        if response.status_code != 200:
            raise RuntimeError(f"Answered with {response.status_code}: {response.content!r}")
        return json.loads(response.content)


# Reading --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """A page as the API's caller asks for it, and as its query says it."""

    query: dict[str, str]
    where: dict[str, Any]

    @property
    def order(self) -> list[str]:
        order = self.query["ordering"]
        return [order, "-pk" if order.startswith("-") else "pk"]


LISTS = [
    Asked({"ordering": "name"}, {}),
    Asked({"ordering": "-mrr_cents", "mrr_cents_min": "0"}, {"mrr_cents__gte": 0}),
    Asked({"ordering": "renewal_on", "renewal_from": str(NOW.date())}, {"renewal_on__gte": NOW.date()}),
    Asked({"ordering": "name", "plan": "Growth"}, {"plan": "Growth"}),
    Asked(
        {"ordering": "-health", "health_min": "0", "lifecycle": "churned"},
        {"health__gte": 0, "lifecycle": "churned"},
    ),
]


@dataclass(frozen=True, slots=True)
class Page:
    api: Cost
    bare: Cost
    equal: bool


def _walk(caller: Caller) -> Iterator[Page]:
    """As a sync does, by the link to the next page."""
    query, last = {"ordering": "id"}, 0
    for _request in range(REQUESTS):
        page, answer = _ask(caller, Asked(query, {"pk__gt": last}))
        yield page
        if answer["next"] is None:
            return
        query, last = dict(parse_qsl(urlsplit(answer["next"]).query)), answer["results"][-1]["id"]


def _lists(caller: Caller) -> Iterator[Page]:
    for asked in islice(cycle(LISTS), REQUESTS):
        yield _ask(caller, asked)[0]


def _ask(caller: Caller, asked: Asked) -> tuple[Page, Any]:
    """The bare view comes second, where all it reads is at hand."""
    query = urlencode(asked.query | {"limit": PAGE})
    (cost, answer), (bare, least) = cost_of(lambda: caller.get(query)), cost_of(lambda: _bare(caller.tenant, asked))
    rows = [{name: row[name] for name in FIELDS} for row in answer["results"]]
    return Page(cost, bare, json.loads(least.content)["results"] == rows), answer


def _bare(tenant: Tenant, asked: Asked) -> JsonResponse:
    """No key, no limits, no filters to check, no links."""
    with tenant_context(tenant.pk):
        rows = Account.objects.filter(**asked.where).order_by(*asked.order).values(*FIELDS)[:PAGE]
        return JsonResponse({"results": list(rows)})


# Sending --------------------------------------------------------------------------------------------------------------


def _send(caller: Caller, outcome: str, seats: int) -> Iterator[Cost]:
    for start in range(0, SENT, MAX_BULK):
        items = [_account(number, seats) for number in range(start, min(start + MAX_BULK, SENT))]
        cost, answer = cost_of(_sending(caller, items, key=f"{outcome}-{start}"))
        if answer[outcome] != len(items):
            raise RuntimeError(f"Of {len(items)} accounts {answer[outcome]} were {outcome}.")
        yield cost


def _sending(caller: Caller, items: Sequence[dict[str, Any]], *, key: str) -> Callable[[], Any]:
    return lambda: caller.send(items, key=key)


def _account(number: int, seats: int) -> dict[str, Any]:
    """With eight traits."""
    traits = {"industry": "Software", "region": "EMEA", "tier": "A", "source": "partner", "seats": seats, "tickets": 3}
    traits |= {"qbr_on": "2026-05-01", "sso": True}
    return {"external_id": f"sent-{number}", "name": f"Sent {number}", "plan": "Growth", "traits": traits}


def _is_there(tenant: Tenant) -> bool:
    with tenant_context(tenant.pk):
        sent = Account.objects.filter(external_id__startswith="sent-", traits__seats=2, traits__sso=True)
        return sent.count() == SENT


# In figures -----------------------------------------------------------------------------------------------------------


def _report(accounts: int, pages: dict[str, list[Page]], sent: dict[str, list[Cost]], *, equal: bool) -> Report:
    read = [page for kind in pages.values() for page in kind]
    wall = [page.api.wall for page in read]
    sending = [cost.wall for costs in sent.values() for cost in costs]
    figures: dict[str, Any] = {
        "accounts": accounts,
        "list_p95_ms": rounded(percentile(wall, 95)),
        "list_per_s": rounded(len(wall) / sum(wall) * 1000),
        "ratio_to_bare_view": rounded(
            sum(page.api.processor for page in read) / sum(page.bare.processor for page in read)
        ),
        "bulk_accounts_per_s": rounded(len(sent) * SENT / sum(sending) * 1000),
        "equal": equal and all(page.equal for page in read),
    }
    lines = [Requests(name, [page.api for page in found]) for name, found in pages.items()]
    lines += [Requests(f"{name}, bare", [page.bare for page in found]) for name, found in pages.items()]
    return Report(figures, [*lines, *(Requests(f"a thousand accounts {name}", costs) for name, costs in sent.items())])
