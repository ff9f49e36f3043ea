"""The corpus through every way in: refused or neutralised, never a crash, and nothing of it ever runs on a page."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from django.core.files.base import File

from tests.rest.description import description
from tests.rest.routes import routes as endpoints
from tests.tenancy.routes import Route, routes
from tests.tenancy.story import BODIES, Id

from .corpus import QUERIES, RAN, RAW, TEXTS, VALUES, faults_in, read
from .doors import API_DOORS, NOTHING_TYPED, filled, one_at_a_time
from .scene import Scene

pytestmark = pytest.mark.walk

PAGES = [route for route in routes() if route.in_workspace]
ENDPOINTS = {str(endpoint): endpoint for endpoint in endpoints()}
DONE, REFUSED = {200, 201, 202, 204, 302}, {400, 404, 409, 413, 415, 422}


# --- the tables know every door ---------------------------------------------------------------------------------------


def test_every_endpoint_that_takes_a_body_is_a_door() -> None:
    described = description()["paths"]
    takes_body = {
        _plain(f"{verb} {path}")
        for path, operations in described.items()
        for verb, operation in operations.items()
        if verb in ("post", "put", "patch", "delete") and "requestBody" in operation
    }
    assert {_plain(name) for name in [*API_DOORS, *NOTHING_TYPED]} == takes_body, (
        "say in tests/hostile/doors.py what it is sent"
    )


def _plain(name: str) -> str:
    return re.sub(r"\{\w+\}", "{}", name.replace("/api/v1", ""))


@pytest.mark.parametrize("name", API_DOORS)
def test_a_door_opens_for_who_means_well(scene: Scene, name: str) -> None:
    """Else the refusals below would prove nothing."""
    assert scene.ask(ENDPOINTS[name], filled(API_DOORS[name], scene.story)).status in DONE


# --- the API ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", API_DOORS)
def test_an_endpoint_stores_or_refuses_every_text(scene: Scene, name: str) -> None:
    """Everywhere at once; and in each place alone what a database cannot keep, as the first refusal hides the rest."""
    door, nulls = API_DOORS[name], list(one_at_a_time(API_DOORS[name], scene.story, TEXTS["null"]))
    for body in [*nulls, *(filled(door, scene.story, lambda _, text=text: text) for text in TEXTS.values())]:
        with scene.undone():
            status = scene.ask(ENDPOINTS[name], body).status
            assert status in (REFUSED if body in nulls else DONE | REFUSED), body


@pytest.mark.parametrize("name", API_DOORS)
def test_an_endpoint_refuses_what_is_no_text(scene: Scene, name: str) -> None:
    bodies = [filled(API_DOORS[name], scene.story, lambda _, value=value: value) for value in VALUES]
    for body in [*RAW[:1], *(json.dumps(body).encode() for body in bodies)]:
        with scene.undone():
            assert scene.ask(ENDPOINTS[name], body).status in DONE | REFUSED, body


@pytest.mark.parametrize("name", [name for name, endpoint in ENDPOINTS.items() if endpoint.is_list])
def test_a_filter_takes_or_refuses_every_value(scene: Scene, name: str) -> None:
    endpoint = ENDPOINTS[name]
    names = {"limit", "cursor", "fields", "ordering", "updated_since", "rule", "trait[stage]", "trait[%00]"}
    filterset = getattr(endpoint.view, "filterset_class", None)
    names |= set(filterset.base_filters) if filterset else set()
    queries = [f"{name}={QUERIES[0]}" for name in sorted(names)]
    queries += ["&".join(f"{name}={value}" for name in sorted(names)) for value in QUERIES]
    for query in queries:
        assert scene.get(endpoint, query).status in DONE | REFUSED, query


# --- the pages --------------------------------------------------------------------------------------------------------


def typed(route: Route, scene: Scene) -> dict[str, Any]:
    """Where in its form somebody types, and what they usually do."""
    names = {key: getattr(found, "pk", "") for key, found in scene.story.items()}
    fields = BODIES.get(route.name, {}).items()
    return {field.format_map(names): value for field, value in fields if not isinstance(value, Id | File)}


@pytest.mark.parametrize("route", [route for route in PAGES if route.name in BODIES], ids=str)
def test_a_form_takes_or_refuses_every_text(scene: Scene, route: Route) -> None:
    """Everywhere at once; and in each place alone what a database cannot keep, as the first refusal hides the rest."""
    whole, fields = route.body(scene.story), typed(route, scene)
    for address in route.addresses("orbiton", scene.story):
        for kind, text in TEXTS.items():
            answer = sent(scene, address, whole | dict.fromkeys(fields, text))
            assert faults_in("" if answer.streaming else answer.content.decode()) == [], kind
        for field in fields:
            sent(scene, address, whole | {field: TEXTS["null"]})


def sent(scene: Scene, address: str, body: dict[str, Any]) -> Any:
    with scene.undone():
        answer = scene.browser.post(address, body)
        assert answer.status_code in DONE | REFUSED, body
    return answer


def test_a_search_box_takes_or_refuses_every_text(scene: Scene) -> None:
    """Every address that any page's links and forms ask with parameters: all of these at once, and each alone."""
    asked = {(path, name) for route in PAGES for path, name in _parameters(route, scene)}
    for path in sorted({path for path, _ in asked}):
        # Those that differ only in the id of an object stand for each other.
        names = sorted({re.sub(r"\d+", "0", name): name for at, name in asked if at == path}.values())
        queries = ["&".join(f"{name}={value}" for name in names) for value in QUERIES]
        for query in [*queries, *(f"{name}={QUERIES[0]}" for name in names)]:
            answer = scene.browser.get(f"{path}?{query}")
            assert answer.status_code in DONE | REFUSED | {405}, (path, query)
            if not answer.streaming:
                assert faults_in(answer.content.decode()) == [], (path, query)
    assert len(asked) > 50


def _parameters(route: Route, scene: Scene) -> Iterator[tuple[str, str]]:
    for address in route.addresses("orbiton", scene.story):
        page = scene.browser.get(address)
        reader = read("" if page.streaming else page.content.decode())
        for link in reader.asks:
            parts = urlsplit(urljoin(address, link))
            if parts.path.startswith("/w/orbiton/"):
                yield from ((parts.path, name) for name in parse_qs(parts.query, keep_blank_values=True))


def test_what_was_taken_is_shown_as_the_text_it_is(scene: Scene) -> None:
    """Everything that runs where it is not escaped, sent through every door, and then every page read."""
    for name in API_DOORS.keys() - ENDING:
        everywhere = filled(API_DOORS[name], scene.story, lambda _: TEXTS["markup"])
        for body in [*one_at_a_time(API_DOORS[name], scene.story, TEXTS["short markup"]), everywhere]:
            scene.ask(ENDPOINTS[name], body)
    for route in (route for route in PAGES if route.name not in ENDING):
        for address in route.addresses("orbiton", scene.story):
            write_everywhere(scene, address, route)

    shown = 0
    for route in PAGES:
        for address in route.addresses("orbiton", scene.story):
            page = scene.browser.get(address)
            # JSON is shown by scripts, as text; nothing in it runs.
            if not page.streaming and page.status_code == 200 and page["Content-Type"].startswith("text/html"):
                found = read(page.content.decode())
                assert found.faults == [], address
                shown += found.shown
    assert shown > 20, f"{RAN} should stand on many pages"


def write_everywhere(scene: Scene, address: str, route: Route) -> None:
    """In all places at once; where that is refused, in each alone."""
    whole, fields = route.body(scene.story), typed(route, scene)
    if scene.browser.post(address, whole | dict.fromkeys(fields, TEXTS["short markup"])).status_code in DONE:
        return
    for field in fields:
        scene.browser.post(address, whole | {field: TEXTS["short markup"]})


# They end or hide what other doors write on.
ENDING = {
    "post /ctas/{pk}/close/",
    "post /enrollments/{pk}/stop/",
    "post /playbooks/{pk}/archive/",
    "playbooks:stop",
    "playbooks:put_away",
    "ctas:finish",
}
