"""Every route of the API as the resolver knows it, so that a new endpoint is tested the day it is added."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern

from cs_platform.api_urls import urlpatterns
from cs_platform.rest.viewsets import ApiViewSet
from cs_platform.tenancy.roles import SCOPES, Ability


@dataclass(frozen=True, slots=True)
class Route:
    path: str  # with {names}
    basename: str
    verb: str
    action: str
    view: type[ApiViewSet]
    options: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.verb} {self.path}"

    @property
    def ability(self) -> Ability:
        view = self.view(**self.options)
        view.request = type("Request", (), {"method": self.verb.upper()})  # type: ignore[assignment]
        return view.ability

    @property
    def is_list(self) -> bool:
        return self.action == "list"

    def address(self, **ids: Any) -> str:
        return self.path.format(**ids)

    def scopes(self, *, allowing: bool) -> list[str]:
        return [scope for scope, abilities in SCOPES.items() if (self.ability in abilities) is allowing]


def routes() -> Iterator[Route]:
    for pattern in _flat(urlpatterns):
        callback: Any = pattern.callback
        if not hasattr(callback, "actions"):
            continue
        # DRF adds HEAD to a view's verbs when it first answers.
        for verb, action in ((verb, action) for verb, action in callback.actions.items() if verb != "head"):
            options = {key: value for key, value in callback.initkwargs.items() if key not in ("suffix", "name")}
            basename = callback.initkwargs["basename"]
            yield Route(_path(pattern), basename, verb, action, callback.cls, options)


def _flat(patterns: list[Any]) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield pattern
        else:
            yield from _flat(pattern.url_patterns)


def _path(pattern: URLPattern) -> str:
    from django.contrib.admindocs.views import simplify_regex

    return simplify_regex(str(pattern.pattern)).replace("<", "{").replace(">", "}")
