"""Pages and the fragments of them that htmx asks for: one template for both, one answer per need."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.html import escape
from django.utils.safestring import SafeString

from cs_platform.tenancy.models import Membership, Tenant
from cs_platform.tenancy.roles import Ability

P = ParamSpec("P")

SAFE = ("GET", "HEAD", "OPTIONS")


class WorkspaceRequest(HttpRequest):
    """A request below /w/<slug>/: the middleware of tenancy has set these."""

    tenant: Tenant
    membership: Membership
    now: datetime


def requires(
    ability: Ability, *, to_post: Ability | None = None
) -> Callable[
    [Callable[Concatenate[WorkspaceRequest, str, P], HttpResponse]],
    Callable[Concatenate[WorkspaceRequest, str, P], HttpResponse],
]:
    """Guards a view of a workspace; `to_post` where changing takes more than looking. Every fragment needs it too:
    hiding a button is not a check.
    """

    def decorate(
        view: Callable[Concatenate[WorkspaceRequest, str, P], HttpResponse],
    ) -> Callable[Concatenate[WorkspaceRequest, str, P], HttpResponse]:
        @wraps(view)
        def guarded(request: WorkspaceRequest, slug: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            needed = guarded.abilities["GET" if request.method in SAFE else "POST"]  # type: ignore[attr-defined]
            if not request.membership.can(needed):
                raise PermissionDenied(f"Your role does not include this: {needed}.")
            return view(request, slug, *args, **kwargs)

        guarded.abilities = {"GET": ability, "POST": to_post or ability}  # type: ignore[attr-defined]
        return guarded

    return decorate


def render_page(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
    *,
    fragments: Mapping[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page, or only the fragment whose place htmx wants to fill.

    `fragments` maps the id of a place to its template. The page includes the very same templates: a dialog that is
    opened by its address stands in a page of its own.
    """
    fragments = fragments or {}
    chosen = fragments.get(target_id(request) or "", template)
    response = render(request, chosen, {**context, "fragments": fragments}, status=status)
    patch_vary_headers(response, ("HX-Request", "HX-Target"))
    return response


def addresses(name: str, slug: str, *args: str) -> Callable[[int], SafeString]:
    """The address of each thing by its id, where a list has many: to ask the resolver for each takes a while."""
    before, after = map(escape, reverse(name, args=[slug, 0, *args]).rsplit("/0/", 1))
    return lambda pk: SafeString(f"{before}/{pk:d}/{after}")


def target_id(request: HttpRequest) -> str | None:
    """The id of the element htmx will fill; htmx 4 sends `aside#drawer`. None for a full page or a step in history."""
    if request.headers.get("HX-Request") != "true" or request.headers.get("HX-Request-Type") == "full":
        return None
    return request.headers.get("HX-Target", "").partition("#")[2] or None


def go_to(request: HttpRequest, address: str) -> HttpResponse:
    """Leads to another page, whoever asked: htmx follows a plain redirect silently and would swap that page in."""
    if request.headers.get("HX-Request") == "true":
        return HttpResponse(headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)


def toast(response: HttpResponse, text: str, *, undo: str | None = None) -> HttpResponse:
    """Says what was done, beside the fragment; `undo` is the address that takes it back."""
    return trigger(response, "toast", {"text": text} | ({"undo": undo} if undo else {}))


def close_dialog(response: HttpResponse) -> HttpResponse:
    return trigger(response, "dialog:close", {})


def close_drawer(response: HttpResponse) -> HttpResponse:
    return trigger(response, "drawer:close", {})


def trigger(response: HttpResponse, event: str, detail: Mapping[str, Any]) -> HttpResponse:
    """Adds one browser event to the response; several may travel together."""
    events = json.loads(response.headers.get("HX-Trigger", "{}"))
    response.headers["HX-Trigger"] = json.dumps(events | {event: dict(detail)})
    return response
