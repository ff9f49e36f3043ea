"""Errors in words: a page for people who opened an address, a fragment where htmx would have put the answer."""

from django.http import HttpRequest, HttpResponse
from django.template import loader
from django.views import defaults

from .pages import target_id


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _fragment(request, 400) or defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _fragment(request, 403) or defaults.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _fragment(request, 404) or defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    return _fragment(request, 500) or defaults.server_error(request)


def _fragment(request: HttpRequest, status: int) -> HttpResponse | None:
    """Without the request's context processors: whatever broke the page must not break the answer too."""
    if request.headers.get("HX-Request") != "true":
        return None
    context = {
        "status": status,
        "place": target_id(request),
        "retry": request.get_full_path() if request.method == "GET" else "",
    }
    return HttpResponse(loader.render_to_string("errors/_fragment.html", context), status=status)
