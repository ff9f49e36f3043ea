"""Pages that do what real ones must never get wrong; a URLconf of their own, behind the real middleware."""

from collections.abc import Callable, Iterator

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.template import engines
from django.template.response import TemplateResponse
from django.urls import include, path

from accounts.models import EventType
from cs_platform.tenancy.context import tenant_context

NAMES = engines["django"].from_string("{% for one in rows %}{{ one.name }},{% endfor %}")


def lazy(request: HttpRequest, slug: str) -> TemplateResponse:
    """Neither rendered nor asked when the view returns."""
    return TemplateResponse(request, NAMES, {"rows": EventType.objects.order_by("name")})  # type: ignore[arg-type]


def late_callback(request: HttpRequest, slug: str) -> TemplateResponse:
    response = lazy(request, slug)
    response.add_post_render_callback(lambda done: done.headers.setdefault("X-Rows", str(EventType.objects.count())))
    return response


def streaming(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """Read after the middleware has ended its transaction."""
    return StreamingHttpResponse(f"{one.name}," for one in EventType.objects.order_by("name").iterator())


def streaming_alone(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """As it has to be done: with a context of its own."""
    tenant_id = request.tenant.pk  # type: ignore[attr-defined]

    def rows() -> Iterator[str]:
        with tenant_context(tenant_id):
            yield from (f"{one.name}," for one in EventType.objects.order_by("name").iterator())

    return StreamingHttpResponse(rows())


def answering(status: int) -> Callable[[HttpRequest, str], HttpResponse]:
    def view(request: HttpRequest, slug: str) -> HttpResponse:
        EventType.objects.create(name="half done")
        return HttpResponse("done", status=status)

    return view


def raising(error: Exception) -> Callable[[HttpRequest, str], HttpResponse]:
    def view(request: HttpRequest, slug: str) -> HttpResponse:
        EventType.objects.create(name="half done")
        raise error

    return view


def failing_template(request: HttpRequest, slug: str) -> TemplateResponse:
    EventType.objects.create(name="half done")
    template = engines["django"].from_string("{% for one in rows %}{{ one.name }}{% endfor %}")
    broken = (1 / 0 for _ in range(1))
    return TemplateResponse(request, template, {"rows": broken})  # type: ignore[arg-type]


STATUSES = (200, 204, 302, 400, 403, 404, 409, 422, 500, 503)
ERRORS = {
    "value": ValueError("no"),
    "denied": PermissionDenied("no"),
    "missing": Http404("no"),
    "suspicious": SuspiciousOperation("no"),
    "integrity": IntegrityError("no"),
}

urlpatterns = [
    path("w/<slug:slug>/lazy/", lazy),
    path("w/<slug:slug>/callback/", late_callback),
    path("w/<slug:slug>/streaming/", streaming),
    path("w/<slug:slug>/streaming-alone/", streaming_alone),
    path("w/<slug:slug>/failing-template/", failing_template),
    *(path(f"w/<slug:slug>/answers/{status}/", answering(status)) for status in STATUSES),
    *(path(f"w/<slug:slug>/raises/{name}/", raising(error)) for name, error in ERRORS.items()),
    path("", include("cs_platform.urls")),
]
handler404 = "cs_platform.web.errors.page_not_found"
handler403 = "cs_platform.web.errors.permission_denied"
