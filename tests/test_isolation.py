"""Every page there is, asked by the wrong people, in the wrong workspace, for other people's things, by every role.

Generated from the resolver. What a new route needs to be walked stands in tests/tenancy/story.py.
"""

import logging
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from html import unescape
from itertools import product
from typing import Any, NamedTuple
from unittest.mock import patch
from urllib.parse import parse_qs, quote, urlencode, urljoin, urlsplit
from uuid import uuid4

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from pytest_django.plugin import DjangoDbBlocker

from cs_platform.rest.throttling import KeyThrottle
from cs_platform.tenancy.checks import OUTSIDE
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Membership
from cs_platform.tenancy.roles import MATRIX, Ability, Role
from tests.hostile.corpus import read
from tests.rest.client import Answer, Api
from tests.rest.routes import Route as ApiRoute
from tests.rest.routes import routes as api_routes
from tests.tenancy.routes import (
    API,
    LEAVE,
    PUBLIC,
    READING,
    REPORTS,
    SIGNED_IN,
    STOPPING,
    SURVEY,
    THIRD_PARTY,
    TRACKING,
    VERBS,
    WORKSPACE,
    Route,
    id_of,
    routes,
)
from tests.tenancy.rows import TENANT_MODELS
from tests.tenancy.story import API_IDS, BODIES, DRAWN, Id, Story, tell
from tests.world import PEOPLE, Workspace, workspace

pytestmark = pytest.mark.walk

ROUTES, API_ROUTES = routes(), list(api_routes())
PAGES = [route for route in ROUTES if route.in_workspace]
WITH_IDS = [route for route in PAGES if route.ids]
MARK = "zqhalyardqz"  # stands in everything of Halyard that a person could read
UNKNOWN = {"id": str(10**15), "uuid": str(uuid4())}
NOT_HERE = (404, 405)
LINK = re.compile(r'\b(?:href|hx-get)="([^"#]+)')
# What whoever may read may also set: it is about themselves.
OWN_AFFAIRS = {
    "dashboard:keep-columns",
    "dashboard:preferences",
    "dashboard:profile",
    "workspace:mark",
    "workspace:mark_all",
    "workspace:notification_choices",
} | {f"dashboard:{verb}-view" for verb in ("new", "edit", "keep", "delete", "restore")}
ASKING = {  # rules are long, and what is tried is taken back
    "accounts:edit_rule",
    "accounts:explain_rule",
    "accounts:filter",
    "users:filter",
    "accounts:preview_rule",
    "health:preview_measure",
    "playbooks:draft_try",
}
KEY = {"Idempotency_Key": "k"}
SHELL = {"csrfmiddlewaretoken", "viewport", "color-scheme", "htmx-config", "theme", "density", "next"}
TOKEN = re.compile(r"\b[A-Za-z0-9]{64}\b")  # against forgery, masked anew each time


@dataclass
class Probe:
    """Two workspaces that had the same day, and people of Orbiton who try things. Every try is taken back."""

    orbiton: Workspace
    halyard: Workspace
    mine: Story
    theirs: Story
    clients: dict[str, Client] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    drawn: list[str] = field(default_factory=list)  # those of `pages` that open drawers
    written: dict[str, int] = field(default_factory=dict)  # rows, by table, when the present try began

    def __post_init__(self) -> None:
        self.clients = {person: Client(raise_request_exception=False) for person in (*PEOPLE, "nobody")}
        for person in PEOPLE:
            self.clients[person].force_login(self.orbiton.people[person].user)
        self.careful = Client(enforce_csrf_checks=True)
        self.careful.force_login(self.orbiton.olga.user)
        self.api = Api.with_key(self.orbiton.tenant)
        self.before = self.rows({model._meta.db_table for model in TENANT_MODELS} | OUTSIDE)

    def ask(self, verb: str, address: str, *, by: str = "olga", body: Any = None, place: str = "") -> HttpResponse:
        headers = {"HX-Request": "true", "HX-Target": f"div#{place}"} if place else {}
        data = (body or {}) if verb == "POST" else None
        response: Any = getattr(self.clients[by], verb.lower())(address, data=data, headers=headers)
        response = whole(response)
        self.clients[by].cookies.pop("messages", None)  # what this try would say on the next page
        assert response.status_code < 500, f"{verb} {address} {headers} {data}: {response.status_code}"
        assert MARK not in response.content.decode() + str(response.headers), f"{verb} {address} shows Halyard"
        return response

    def rows(self, tables: Collection[str]) -> dict[str, Any]:
        """A sum over every row of these tables, in both workspaces and outside of them."""
        found = _sums(sorted((OUTSIDE - {"django_migrations"}) & set(tables)))
        own = [table for model in TENANT_MODELS if (table := model._meta.db_table) in tables]
        for home in (self.orbiton, self.halyard):
            with tenant_context(home.tenant.pk):
                found |= {f"{home.tenant.slug} {table}": rows for table, rows in _sums(own).items()}
        return found

    @cached_property
    def pages(self) -> dict[str, str]:
        """Every page as the owner finds it, by address."""
        addresses = [address for route in PAGES for address in route.addresses("orbiton", self.mine)]
        return {address: self._page(address) for address in addresses}

    def _page(self, address: str) -> str:
        with patch("cs_platform.web.drawers._opened", return_value=None) as looks_for_a_drawer:
            found = self.ask("GET", address).content.decode()
        if looks_for_a_drawer.called:
            self.drawn.append(address)
        return found

    @cached_property
    def asked(self) -> dict[str, set[str]]:
        """The names of parameters with which links and forms of any page ask for an address. Those that differ only in
        the id of an object stand for each other.
        """
        found: dict[str, dict[str, str]] = {address: {} for address in self.pages}
        for at, page in self.pages.items():
            for link in read(page).asks:
                to = urlsplit(urljoin(at, link))
                for name in parse_qs(to.query, keep_blank_values=True) if to.path in found else ():
                    found[to.path][re.sub(r"\d+", "0", name)] = name
        return {address: set(names.values()) for address, names in found.items()}

    @contextmanager
    def undone(self) -> Iterator[None]:
        around, self.written = self.written, _written()
        with transaction.atomic():
            yield
            transaction.set_rollback(True)
        self.written = around

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        with self.undone():
            yield
            assert self.changes() == []

    def changes(self) -> list[str]:
        """Tables in which something is not as it was made."""
        now = self.rows(self.touched())
        return [table for table in now if self.before[table] != now[table]]

    def touched(self) -> set[str]:
        """Tables that the present try has written to, were it only to take it back."""
        return {table for table, rows in _written().items() if rows != self.written.get(table)}


def whole(response: Any) -> HttpResponse:
    """A stream as its reader gets it."""
    if not response.streaming:
        return response
    return HttpResponse(b"".join(response.streaming_content), status=response.status_code, headers=response.headers)


def _written() -> dict[str, int]:
    """Rows that were inserted, updated or deleted in this transaction, also those that were taken back, by table."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables")
        return dict(cursor.fetchall())


def _sums(tables: list[str]) -> dict[str, Any]:
    if not tables:
        return {}
    parts = (f"SELECT '{table}', count(*), sum(hashtextextended(t::text, 0)) FROM {table} t" for table in tables)
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts))
        return {table: (count, total) for table, count, total in cursor.fetchall()}


@pytest.fixture(scope="module")
def probe(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Probe]:
    """Made once for all tries of this module, in a transaction that is never committed."""
    with (
        django_db_blocker.unblock(),
        transaction.atomic(),
        patch.object(KeyThrottle, "allow_request", return_value=True),
    ):
        homes = workspace("orbiton"), workspace("halyard")
        stories = []
        for home, mark in zip(homes, ("orbiton", MARK), strict=True):
            with tenant_context(home.tenant.pk):
                stories.append(tell(home, mark=mark))
        logging.disable(logging.WARNING)  # thousands of refusals
        yield Probe(*homes, *stories)
        logging.disable(logging.NOTSET)
        transaction.set_rollback(True)


@pytest.fixture(autouse=True)
def taken_back(request: pytest.FixtureRequest) -> Iterator[None]:
    """A failing test leaves nothing behind for the next one to stumble over."""
    if "probe" not in request.fixturenames:
        yield
        return
    with request.getfixturevalue("probe").undone():
        yield


def unknown_for(found: Any) -> str:
    return UNKNOWN["uuid" if "-" in id_of(found) else "id"]


def told(response: Any, *asked: str) -> tuple[int, str, str]:
    """An answer without what differs from one request to the next: what was asked for, and tokens."""
    text = unescape(f"{response.content.decode()} {response.headers.get('Location', '')}")
    for words in (spelled for one in asked for spelled in (one, quote(one, safe=""))):
        text = text.replace(words, "ASKED")
    return response.status_code, response.headers.get("Content-Type", ""), TOKEN.sub("TOKEN", text)


# --- the walk knows every route --------------------------------------------------------------------------------------


def test_every_address_is_walked_or_excused() -> None:
    """A workspace's page, an endpoint of the API, a page of the login library, or named with its reason."""
    excused = {**PUBLIC, **SIGNED_IN}
    strange = [
        str(route)
        for route in ROUTES
        if not (route.path.startswith((WORKSPACE, THIRD_PARTY)) or route.name in excused or _is_endpoint(route))
    ]
    assert strange == []
    assert set(excused) <= {route.name for route in ROUTES}


def _is_endpoint(route: Route) -> bool:
    return route.path.startswith(API) and hasattr(route.view, "actions")


def test_a_page_declares_what_it_takes_to_open_it() -> None:
    """By cs_platform.web.pages.requires."""
    declared = {str(route): getattr(route.view, "abilities", {}) for route in PAGES}
    assert [page for page, abilities in declared.items() if set(abilities) != {"GET", "POST"}] == []
    assert {type(ability) for abilities in declared.values() for ability in abilities.values()} == {Ability}


def test_only_what_knows_no_cookies_takes_forms_without_a_token() -> None:
    exempt = [route for route in ROUTES if getattr(route.view, "csrf_exempt", False)]
    without_cookies = (API, SURVEY, TRACKING, REPORTS, LEAVE, STOPPING)
    assert [str(route) for route in exempt if not route.path.startswith(without_cookies)] == []


# --- the walk would notice: with one's own things every route works -------------------------------------------------


@pytest.mark.parametrize("route", PAGES, ids=str)
def test_the_owner_can_use_it(probe: Probe, route: Route) -> None:
    """Else the refusals below would prove nothing."""
    answers, changed = [], []
    for address in route.addresses("orbiton", probe.mine):
        for verb in ("GET", "POST"):
            with probe.undone():
                answers.append(probe.ask(verb, address, body=route.body(probe.mine)).status_code)
                changed += probe.changes() if verb == "POST" and answers[-1] != 405 else []
    takes_posts = answers[1::2] != [405] * (len(answers) // 2)

    assert set(answers) <= {200, 204, 302, 405}
    assert set(answers) != {405}
    acts = takes_posts and route.name not in ASKING
    assert bool(changed) == acts, "tests/tenancy/story.py: give BODIES a body with which it does something"
    assert not [table for table in changed if table.startswith("halyard")]
    if acts and route.name not in OWN_AFFAIRS:
        assert route.view.abilities["POST"] != Ability.READ
        assert (route.view.abilities["POST"] == Ability.COMMENT) == route.name.endswith("comment")


# --- people who have no business there -------------------------------------------------------------------------------


@pytest.mark.parametrize("route", [r for r in ROUTES if r.in_workspace or r.name in SIGNED_IN], ids=str)
def test_signed_out_people_are_sent_to_sign_in(probe: Probe, route: Route) -> None:
    with probe.unchanged():
        for address in route.addresses("orbiton", probe.mine):
            for verb in VERBS:
                answer = probe.ask(verb, address, by="nobody", body=route.body(probe.mine))
                signs_in = answer.status_code == 302 and answer["Location"].startswith(reverse("account_login"))
                assert signs_in or (not route.in_workspace and answer.status_code == 405)


@pytest.mark.parametrize("route", PAGES, ids=str)
def test_a_fragment_for_signed_out_people_leads_to_sign_in(probe: Probe, route: Route) -> None:
    for address in route.addresses("orbiton", probe.mine):
        answer = probe.ask("GET", address, by="nobody", place=route.places[0])
        assert answer.status_code == 401
        assert answer["HX-Redirect"].startswith(reverse("account_login"))


@pytest.mark.parametrize("route", PAGES, ids=str)
def test_another_workspace_is_not_there(probe: Probe, route: Route) -> None:
    """Its address with its own ids, by every verb: what an address of no workspace at all answers."""
    with probe.unchanged():
        addresses = (route.addresses(slug, probe.theirs) for slug in ("halyard", "unheard-of"))
        for theirs, nobodys in zip(*addresses, strict=True):
            for verb in VERBS:
                answer = probe.ask(verb, theirs, body=route.body(probe.theirs))
                assert answer.status_code == 404
                assert told(answer, theirs) == told(probe.ask(verb, nobodys), nobodys)


# --- other people's things -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", WITH_IDS, ids=str)
def test_another_workspaces_id_is_as_unknown_as_one_that_never_was(probe: Probe, route: Route) -> None:
    with probe.unchanged():
        for kind in route.ids.values():
            foreign, unknown = id_of(probe.theirs[kind]), unknown_for(probe.theirs[kind])
            for theirs, nobodys in zip(*(_with(probe, route, kind, one) for one in (foreign, unknown)), strict=True):
                for verb, place in [*((verb, "") for verb in VERBS), *(("GET", place) for place in route.places)]:
                    ask = [probe.ask(verb, at, body=route.body(probe.mine), place=place) for at in (theirs, nobodys)]
                    assert ask[0].status_code in NOT_HERE
                    assert told(ask[0], theirs) == told(ask[1], nobodys)


def _with(probe: Probe, route: Route, kind: str, pk: str) -> Iterator[str]:
    return route.addresses("orbiton", probe.mine | {kind: pk})


@pytest.mark.parametrize(
    ("route", "name"),
    [(route, name) for route in PAGES for name, value in BODIES.get(route.name, {}).items() if isinstance(value, Id)],
    ids=str,
)
def test_a_form_cannot_point_into_another_workspace(probe: Probe, route: Route, name: str) -> None:
    kind = BODIES[route.name][name]
    foreign, unknown = id_of(probe.theirs[kind]), unknown_for(probe.theirs[kind])
    outcomes, values = [], [f'value="{pk}"' for pk in (foreign, unknown)]  # something of ours may bear that number
    for pk in (foreign, unknown):
        for address in route.addresses("orbiton", probe.mine):
            with probe.undone():
                answer = probe.ask("POST", address, body=route.body(probe.mine, **{name: pk}))
                outcomes.append((told(answer, *values), probe.changes()))

    assert outcomes[: len(outcomes) // 2] == outcomes[len(outcomes) // 2 :]
    assert not [table for _, changed in outcomes for table in changed if table.startswith("halyard")]


def test_every_drawer_is_walked() -> None:
    assert set(DRAWN) == set(settings.DRAWERS), "tests/tenancy/story.py: say in DRAWN which object a drawer shows"


@pytest.mark.parametrize("drawer", DRAWN)
def test_a_drawer_knows_only_its_workspace(probe: Probe, drawer: str) -> None:
    own, foreign = id_of(probe.mine[DRAWN[drawer]]), id_of(probe.theirs[DRAWN[drawer]])
    assert len(probe.pages) > 100
    shown = 0
    for address, place in product(probe.drawn, ("", "drawer")):
        asked = [f"{address}?{drawer}={pk}" for pk in (own, foreign, UNKNOWN["id"])]
        ask = [probe.ask("GET", one, place=place) for one in asked]
        given = [f"{drawer}={pk}" for pk in (foreign, UNKNOWN["id"])]
        assert told(ask[1], given[0]) == told(ask[2], given[1])
        shown += (ask[0].status_code, ask[1].status_code) == (200, 404)
    assert shown >= 4


@pytest.mark.parametrize("route", PAGES, ids=str)
def test_no_parameter_finds_anything_of_another_workspace(probe: Probe, route: Route) -> None:
    """With the ids of all of Halyard's things, and with a word of its texts: every name by which any page asks for it,
    and all names at once that stand on itself.
    """
    ids = [id_of(found) for found in probe.theirs.values()]
    for address in route.addresses("orbiton", probe.mine):
        page = unescape(probe.pages[address])
        names = {*re.findall(r"[?&]([\w:-]+)=", page), *re.findall(r'\bname="([\w:-]+)"', page)} - SHELL
        for asked in (names, *({name} for name in probe.asked[address] - SHELL)):
            for values in (ids, [MARK[:-2]]):
                probe.ask("GET", f"{address}?{urlencode(dict.fromkeys(asked, values), doseq=True)}")  # no mark of it


def test_every_link_leads_to_ones_own(probe: Probe) -> None:
    """From every page, and from what those lead to: no dead end, nothing of Halyard's, nothing changed.

    Of links that differ only in the values of their parameters, one is followed.
    """
    seen: set[tuple[str, ...]] = set()
    with probe.unchanged():
        ahead = [address for route in PAGES for address in route.addresses("orbiton", probe.mine)]
        for _ in range(2):
            pages = {address: probe.ask("GET", address).content.decode() for address in ahead}
            found = {urljoin(at, unescape(link)) for at, page in pages.items() for link in LINK.findall(page)}
            seen.update(map(_shape, ahead))
            own = {_shape(link): link for link in sorted(found) if link.startswith("/w/orbiton/")}
            ahead = [link for shape, link in own.items() if shape not in seen]
        dead = [link for link in ahead if probe.ask("GET", link).status_code not in (200, 302)]

    assert len(seen) > 30
    assert dead == []


def _shape(link: str) -> tuple[str, ...]:
    return urlsplit(link).path, *sorted(parse_qs(urlsplit(link).query, keep_blank_values=True))


# The body says which thing, as an address would: one that never was is not found.
NAMES_BY_ID = {"plans:join_from_cta"}


@pytest.mark.parametrize("route", [route for route in PAGES if route.name in BODIES], ids=str)
def test_a_form_that_comes_back_shows_only_ones_own(probe: Probe, route: Route) -> None:
    for address in route.addresses("orbiton", probe.mine):
        body = dict.fromkeys(route.body(probe.mine), "no such thing")
        gone = {404} if route.name in NAMES_BY_ID else set()
        assert probe.ask("POST", address, body=body).status_code in {200, 204, 302, 422} | gone


# --- reading changes nothing, and forms need their token -------------------------------------------------------------


@pytest.mark.parametrize("route", [r for r in ROUTES if r.in_workspace or r.name in SIGNED_IN], ids=str)
def test_reading_changes_nothing(probe: Probe, route: Route) -> None:
    places = ["", *route.places] if route.in_workspace else [""]
    with probe.unchanged():
        for address in route.addresses("orbiton", probe.mine):
            for verb, place in product(READING, places):
                probe.ask(verb, address, place=place)


@pytest.mark.parametrize("route", PAGES, ids=str)
def test_a_form_without_its_token_is_refused(probe: Probe, route: Route) -> None:
    sent: tuple[dict[str, str], ...] = ({}, {"HX-Request": "true"}, {"X-CSRFToken": "guessed"})
    with probe.unchanged():
        for address in route.addresses("orbiton", probe.mine):
            for verb, headers in product(("post", "put", "patch", "delete"), sent):
                answer = getattr(probe.careful, verb)(address, data=route.body(probe.mine), headers=headers)
                assert answer.status_code == 403


# --- the role matrix -------------------------------------------------------------------------------------------------


def test_somebody_of_every_role_tries_everything() -> None:
    assert {role for _, role in PEOPLE.values()} == set(Role)
    assert set(MATRIX) == set(Ability)


@pytest.mark.parametrize("route", PAGES, ids=str)
def test_a_role_may_what_the_matrix_says_and_nothing_else(probe: Probe, route: Route) -> None:
    asked = [
        (address, verb, person, role in MATRIX[route.view.abilities[verb]])
        for address in route.addresses("orbiton", probe.mine)
        for verb in ("GET", "POST")
        for person, (_name, role) in PEOPLE.items()
    ]
    for address, verb, person, may in asked:
        if may:
            with probe.undone():
                answer = probe.ask(verb, address, by=person, body=route.body(probe.mine))
                assert answer.status_code in (200, 204, 302, 405), f"{verb} by {person}"
    with probe.unchanged():
        for address, verb, person, may in asked:
            if not may:
                answer = probe.ask(verb, address, by=person, body=route.body(probe.mine))
                assert answer.status_code in (403, 405), f"{verb} by {person}"


# --- nothing is written that was not offered -------------------------------------------------------------------------


FORGED = "zqforgedqz"


def hostile_fields(probe: Probe) -> dict[str, Any]:
    """Every column of every table, as if a form had it, and one of each row of slots; the tenant's own points at
    Halyard.
    """
    names = {
        name
        for model in apps.get_models()
        for field in model._meta.fields
        for name in (field.name, field.attname)
        if not re.fullmatch(r"[a-z]+(0[2-9]|[1-9]\d)", name)
    }
    tenants = dict.fromkeys(("tenant", "tenant_id", "tenant_pk"), str(probe.halyard.tenant.pk))
    return dict.fromkeys(names, FORGED) | tenants | {"role": Role.OWNER.value, "is_superuser": "1", "scopes": "read"}


def forgeries(probe: Probe) -> list[str]:
    """Tables in which something sent in vain can be found."""
    told = {model._meta.db_table for model in TENANT_MODELS} | {"tenancy_membership", "tenancy_tenant", "tenancy_user"}
    tables = probe.touched() & told
    if not tables:
        return []
    parts = (f"SELECT '{table}' FROM {table} t WHERE t::text LIKE '%{FORGED}%'" for table in tables)
    with tenant_context(probe.orbiton.tenant.pk), connection.cursor() as cursor:
        cursor.execute(" UNION ".join(parts))
        return [table for (table,) in cursor.fetchall()]


@pytest.mark.parametrize("route", PAGES, ids=str)
def test_a_form_takes_only_what_it_offers(probe: Probe, route: Route) -> None:
    hostile = hostile_fields(probe)
    for address in route.addresses("orbiton", probe.mine):
        with probe.undone():
            probe.ask("POST", address, by="priya", body=hostile | route.body(probe.mine))
            assert forgeries(probe) == []
            assert not [table for table in probe.changes() if table.startswith("halyard")]
            assert Membership.objects.get(pk=probe.orbiton.priya.pk).role == Role.CSM


PROTECTED = re.compile(
    r"tenant.*|id|state|role|origin_.*|.*_(?:by|by_id|at|writers|moments|hash)|scopes|password|is_.*"
)
# What looks protected and is the caller's to say.
OFFERED = {
    "patch /conversations/{pk}/": {"send_at"},
    "patch /nps/survey/": {"is_on"},
    "post /accounts/{account_id}/conversations/": {"send_at"},
    "patch /sending-policy/": {"opens_at", "closes_at"},
    "post /invitations/": {"invited_by", "role"},
    "post /members/{pk}/change-role/": {"role"},
    "post /nps/responses/": {"answered_at"},
    "post /success-plans/{pk}/add-stakeholder/": {"role"},
    "post /success-plans/{pk}/remove-stakeholder/": {"id"},
    "post /users/{pk}/key-contact/": {"is_key_contact"},
}


def test_a_body_takes_only_what_is_described(probe: Probe) -> None:
    """Every column of every table at once: each is refused by name, or passed over by a verb that takes no body."""
    hostile, taken = hostile_fields(probe), {}
    for route, answer, _, forged in _api_tries(probe, probe.mine, hostile):
        assert forged == [], route
        if answer.status == 400 and "unknown_field" in answer.errors.values():
            refused = {pointer.strip("/") for pointer, code in answer.errors.items() if code == "unknown_field"}
            kept = hostile.keys() - refused - OFFERED.get(str(route), set())
            taken[str(route)] = {name for name in kept if PROTECTED.fullmatch(name)}

    assert len(taken) > 10
    assert {route: names for route, names in taken.items() if names} == {}


# --- the API: what tests/rest/test_isolation.py says of its answers, here of the rows ---------------------------------


OF_THE_KEY = {"orbiton tenancy_apikey"}  # notes when it was last used


class ApiTry(NamedTuple):
    route: ApiRoute
    answer: Answer
    changed: set[str]
    forged: list[str]


@pytest.mark.parametrize("whose", ["mine", "theirs"])
def test_no_endpoint_touches_another_workspace(probe: Probe, whose: str) -> None:
    for route, answer, changed, _ in _api_tries(probe, getattr(probe, whose), {}):
        assert answer.status < 500, route
        assert MARK not in answer.response.content.decode(), route
        assert not [table for table in changed if table.startswith("halyard")], route
        assert route.verb != "get" or not changed, route


def _api_tries(probe: Probe, story: Story, body: Any) -> Iterator[ApiTry]:
    """Each endpoint with Orbiton's key and the ids of a story, undone at once."""
    for route in API_ROUTES:
        with probe.undone():
            answer = probe.api.ask(route.verb, f"/{route.address(**_api_ids(route, story)).strip('/')}/", body, **KEY)
            done = ApiTry(route, answer, set(probe.changes()) - OF_THE_KEY, forgeries(probe))
        yield done


def _api_ids(route: ApiRoute, story: Story) -> dict[str, str]:
    return {
        "pk": id_of(story[API_IDS.get(route.basename, "account")]),
        "account_id": id_of(story["account"]),
        "user_id": id_of(story["end_user"]),
        "indicator_id": id_of(story["indicator"]),
        "segment_id": id_of(story["segment"]),
        "job_id": id_of(story["job"]),
        "source_id": id_of(story["source"]),
        "conversation_id": id_of(story["conversation"]),
        "playbook_id": id_of(story["playbook"]),
        "before": "1",
        "after": "1",
        "external_id": story["account"].external_id,
    }
