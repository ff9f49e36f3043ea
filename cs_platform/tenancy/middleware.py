"""Takes the workspace from the URL and holds its transaction open around the whole response, rendering included."""

import re
from collections.abc import Callable
from http import HTTPStatus

from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import SimpleTemplateResponse

from .audit import calling_from, client_address
from .clock import database_now
from .context import tenant_context
from .models import Membership

# Whatever the routes below may call a slug: one that slipped past here would be answered without a workspace.
WORKSPACE_PATH = re.compile(r"^/w/(?P<slug>[-a-zA-Z0-9_]+)(?:/|$)")


class WorkspaceMiddleware:
    """Sets request.tenant, request.membership and request.now for /w/<slug>/…; an unknown or foreign slug is a 404.

    Success commits; any answer from 400 up, and any exception, leaves nothing behind.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        match = WORKSPACE_PATH.match(request.path_info)
        if match is None:
            return self.get_response(request)
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        request.membership = _membership_or_404(request, match["slug"])  # type: ignore[attr-defined]
        request.tenant = request.membership.tenant  # type: ignore[attr-defined]
        with calling_from(client_address(request)), tenant_context(request.tenant.pk):  # type: ignore[attr-defined]
            request.now = database_now()  # type: ignore[attr-defined]
            return self._respond(request)

    def _respond(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if isinstance(response, SimpleTemplateResponse) and not response.is_rendered:
            response.render()
        # Django has turned a view's exception into a response inside our transaction: its half must not commit.
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            transaction.set_rollback(True)
        return response


def _membership_or_404(request: HttpRequest, slug: str) -> Membership:
    """Read on every request, so that a deactivated member is out at once."""
    mine = Membership.objects.active().filter(user=request.user, tenant__slug=slug)  # type: ignore[misc]
    found = mine.select_related("tenant").first()
    if found is None:
        raise Http404("There is no such workspace.")
    return found
