"""Takes the workspace from the URL and holds its transaction open around the whole response, rendering included."""

import re
from collections.abc import Callable

from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from .clock import database_now
from .context import tenant_context
from .models import Membership

WORKSPACE_PATH = re.compile(r"^/w/(?P<slug>[-a-z0-9]+)(?:/|$)")


class WorkspaceMiddleware:
    """Sets request.tenant, request.membership and request.now for /w/<slug>/…; an unknown or foreign slug is a 404."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        match = WORKSPACE_PATH.match(request.path_info)
        if match is None:
            return self.get_response(request)
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        request.membership = _membership(request, match["slug"])  # type: ignore[attr-defined]
        if request.membership is None:  # type: ignore[attr-defined]
            return _not_found(request)
        request.tenant = request.membership.tenant  # type: ignore[attr-defined]
        with tenant_context(request.tenant.pk):  # type: ignore[attr-defined]
            request.now = database_now()  # type: ignore[attr-defined]
            return self._respond(request)

    def _respond(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if isinstance(response, TemplateResponse) and not response.is_rendered:
            response.render()
        if response.status_code >= 500:
            transaction.set_rollback(True)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        # Django turns the exception into a response inside our transaction: without this its half would commit.
        if hasattr(request, "tenant") and not isinstance(exception, Http404):
            transaction.set_rollback(True)


def _membership(request: HttpRequest, slug: str) -> Membership | None:
    return Membership.objects.active().select_related("tenant").filter(user=request.user, tenant__slug=slug).first()


def _not_found(request: HttpRequest) -> HttpResponse:
    from django.views.defaults import page_not_found

    return page_not_found(request, Http404("No such workspace"))
