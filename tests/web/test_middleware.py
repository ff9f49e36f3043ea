from datetime import UTC, datetime

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.test import RequestFactory
from django.utils import timezone

from cs_platform.tenancy.models import Tenant, User
from cs_platform.web import middleware
from cs_platform.web.context import clock


def ok(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


def sent_to_sign_in(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect("/account/login/?next=/w/orbiton/accounts/%3Fhistory%3D7")


def ask(method: str = "GET", **headers: str) -> HttpRequest:
    request = RequestFactory().generic(method, "/", headers={name.replace("_", "-"): headers[name] for name in headers})
    request.user = AnonymousUser()
    return request


def test_unknown_verbs_are_refused() -> None:
    for verb in ("TRACE", "TRACK", "PROPFIND"):
        assert middleware.headers(ok)(ask(verb)).status_code == 405


def test_pages_may_use_no_device_feature() -> None:
    assert "camera=()" in middleware.headers(ok)(ask())["Permissions-Policy"]


def test_pages_of_signed_in_people_are_stored_nowhere() -> None:
    request = ask()
    request.user = User(pk=1)

    assert "no-store" in middleware.headers(ok)(request)["Cache-Control"]


def test_a_page_that_says_how_to_be_cached_is_left_alone() -> None:
    request = ask()
    request.user = User(pk=1)
    response = middleware.headers(lambda _: HttpResponse(headers={"Cache-Control": "max-age=60"}))(request)

    assert response["Cache-Control"] == "max-age=60"


def refused(request: HttpRequest) -> HttpResponse:
    return HttpResponseNotAllowed(["POST"])


def test_whoever_opens_what_only_a_form_sends_is_told_so() -> None:
    response = middleware.refused_in_words(refused)(ask(Accept="text/html,*/*;q=0.8"))

    assert (response.status_code, response["Allow"]) == (405, "POST")
    assert b"This address shows nothing by itself" in response.content


def test_programs_and_fragments_are_refused_without_a_page() -> None:
    for headers in ({"Accept": "*/*"}, {"Accept": "text/html", "HX_Request": "true"}):
        assert middleware.refused_in_words(refused)(ask(**headers)).content == b""


def test_a_fragment_of_someone_signed_out_leads_the_whole_page_to_sign_in() -> None:
    request = ask(HX_Request="true", HX_Current_URL="http://testserver/w/orbiton/accounts/?q=a")
    response = middleware.htmx_sign_in(sent_to_sign_in)(request)

    assert response.status_code == 401
    assert response["HX-Redirect"] == "/account/login/?next=/w/orbiton/accounts/%3Fq%3Da"


def test_coming_back_from_sign_in_never_leaves_this_site() -> None:
    request = ask(HX_Request="true", HX_Current_URL="https://evil.example//evil.example/x")
    response = middleware.htmx_sign_in(sent_to_sign_in)(request)

    assert response["HX-Redirect"] == "/account/login/?next=/evil.example/x"


def test_a_plain_redirect_to_sign_in_stays_one() -> None:
    assert middleware.htmx_sign_in(sent_to_sign_in)(ask()).status_code == 302


def test_moments_are_shown_in_the_zone_of_the_workspace() -> None:
    request = ask()
    request.tenant = Tenant(timezone="Asia/Tokyo")  # type: ignore[attr-defined]
    request.now = datetime(2026, 11, 19, 20, 0, tzinfo=UTC)  # type: ignore[attr-defined]
    seen: list[object] = []
    middleware.workspace_zone(lambda request: seen.append(clock(request)["today"]) or HttpResponse())(request)  # type: ignore[func-returns-value]

    assert str(seen[0]) == "2026-11-20"
    assert timezone.get_current_timezone_name() == "UTC"
