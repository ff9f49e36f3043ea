import json

import pytest
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from cs_platform.tenancy.models import Membership
from cs_platform.tenancy.roles import Ability, Role
from cs_platform.web.pages import WorkspaceRequest, close_dialog, go_to, render_page, requires, target_id, toast

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


def ask(**headers: str) -> HttpRequest:
    return RequestFactory().get("/somewhere/", headers={key.replace("_", "-"): value for key, value in headers.items()})


def asked_for(target: str) -> HttpRequest:
    return RequestFactory().get("/somewhere/", headers=HTMX | {"HX-Target": target})


def test_a_plain_request_has_no_target() -> None:
    assert target_id(ask()) is None


def test_the_target_is_the_id_behind_the_tag() -> None:
    assert target_id(asked_for("aside#drawer")) == "drawer"


def test_an_element_without_an_id_is_no_target() -> None:
    assert target_id(asked_for("div")) is None


def test_a_step_in_history_gets_the_whole_page() -> None:
    request = RequestFactory().get("/", headers={"HX-Request": "true", "HX-Request-Type": "full", "HX-Target": "body"})

    assert target_id(request) is None


def test_a_fragment_is_answered_alone() -> None:
    fragments = {"place": "dashboard/_workspace_menu.html"}
    response = render_page(asked_for("div#place"), "404.html", {"memberships": []}, fragments=fragments)

    assert b"<html" not in response.content


def test_a_fragment_for_another_place_gets_the_page() -> None:
    fragments = {"place": "dashboard/_workspace_menu.html"}
    response = render_page(asked_for("div#elsewhere"), "404.html", {}, fragments=fragments)

    assert b"<html" in response.content


def test_caches_keep_page_and_fragment_apart() -> None:
    assert render_page(ask(), "404.html", {})["Vary"] == "HX-Request, HX-Target"


def test_a_redirect_for_htmx_is_a_header() -> None:
    assert go_to(asked_for("div#x"), "/next/")["HX-Redirect"] == "/next/"
    assert go_to(ask(), "/next/")["Location"] == "/next/"


def test_two_events_travel_in_one_header() -> None:
    response = close_dialog(toast(HttpResponse(), "CTA closed", undo="/ctas/1/reopen/"))

    assert json.loads(response["HX-Trigger"]) == {
        "toast": {"text": "CTA closed", "undo": "/ctas/1/reopen/"},
        "dialog:close": {},
    }


@requires(Ability.RUN_PLAYBOOKS)
def guarded(request: WorkspaceRequest, slug: str) -> HttpResponse:
    return HttpResponse("done")


def as_role(role: Role) -> HttpRequest:
    request = ask()
    request.membership = Membership(role=role)  # type: ignore[attr-defined]
    return request


def test_a_role_without_the_ability_is_refused() -> None:
    with pytest.raises(PermissionDenied):
        guarded(as_role(Role.OBSERVER), "orbiton")  # type: ignore[arg-type]


def test_a_role_with_the_ability_is_let_in() -> None:
    assert guarded(as_role(Role.CSM), "orbiton").status_code == 200  # type: ignore[arg-type]
