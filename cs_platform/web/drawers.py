"""Drawers: `?history=31` opens one beside whatever page it is added to; settings.DRAWERS says who fills which."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.template.loader import render_to_string
from django.utils.module_loading import import_string

from .pages import render_page, target_id

WITHIN = ("field", "before")  # parameters that say which part of a drawer is shown


@dataclass(frozen=True, slots=True)
class Fragment:
    """A template and what it is given."""

    template: str
    context: Mapping[str, Any]


def render_beside(
    request: HttpRequest,
    template: str,
    context: Callable[[], Mapping[str, Any]],
    *,
    fragments: Mapping[str, str] | None = None,
) -> HttpResponse:
    """A page with the drawer its address asks for; neither knows what the other is given. The page's context is not
    made when only the drawer is wanted.
    """
    drawer = _opened(request)
    if drawer is None:
        return render_page(request, template, context(), fragments=fragments)
    if target_id(request) == "drawer":
        return render_page(request, drawer.template, drawer.context)
    opened = render_to_string(drawer.template, dict(drawer.context), request)
    return render_page(request, template, {**context(), "opened_drawer": opened}, fragments=fragments)


def _opened(request: HttpRequest) -> Fragment | None:
    for name, path in settings.DRAWERS.items():
        if name in request.GET:
            return import_string(path)(request, _whole(request.GET[name]))
    return None


def beneath(request: HttpRequest, own: str) -> dict[str, int]:
    """The drawer that one was opened from, to which it leads back: `?history=31&cta=9`. Empty where there is none."""
    for name in settings.DRAWERS:
        if name != own and _is_whole(request.GET.get(name, "")):
            return {name: int(request.GET[name])}
    return {}


def _whole(text: str) -> int:
    if not _is_whole(text):
        raise Http404("No such thing to show.")
    return int(text)


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18


def page_address(request: HttpRequest, **drawer: int) -> str:
    """The page the person is on, with another drawer, with one and the one beneath it, or (naming none) without any."""
    current = request.headers.get("HX-Current-URL") if request.method == "POST" else None
    parts = urlsplit(current or request.get_full_path())
    params = QueryDict(parts.query, mutable=True)
    for name in (*settings.DRAWERS, *WITHIN):
        params.pop(name, None)
    params.update({name: str(pk) for name, pk in drawer.items()})
    return f"{parts.path}?{params.urlencode(safe=':')}" if params else parts.path
