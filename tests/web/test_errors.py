import pytest
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404, HttpRequest
from django.test import RequestFactory

from cs_platform.web import errors


def ask(**headers: str) -> HttpRequest:
    return RequestFactory().get("/w/orbiton/accounts/7/", headers=headers)


@pytest.mark.parametrize(
    ("handler", "exception", "status"),
    [
        (errors.bad_request, BadRequest(), 400),
        (errors.permission_denied, PermissionDenied(), 403),
        (errors.page_not_found, Http404(), 404),
    ],
)
def test_an_error_is_a_page_or_a_fragment(handler, exception: Exception, status: int) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    page, fragment = handler(ask(), exception), handler(ask(**{"HX-Request": "true"}), exception)

    assert (page.status_code, fragment.status_code) == (status, status)
    assert b"<html" in page.content
    assert b"<html" not in fragment.content


def test_a_crash_says_nothing_about_the_inside() -> None:
    page = errors.server_error(ask())

    assert page.status_code == 500
    assert b"Something broke on our side" in page.content


def test_a_fragment_that_crashed_can_be_tried_again_in_its_place() -> None:
    fragment = errors.server_error(ask(**{"HX-Request": "true", "HX-Target": "aside#drawer"}))

    assert b'hx-get="/w/orbiton/accounts/7/" hx-target="#drawer"' in fragment.content
    assert b"data-close-drawer" in fragment.content
