"""Every page the resolver knows, with addresses made of a story's objects: a new one is walked the day it is added."""

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from django.core.files.base import File
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.urls.resolvers import RegexPattern

from tests.tenancy.story import BODIES, IDS, Id, Story

VERBS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
READING = ("GET", "HEAD")
WORKSPACE = "w/<slug:slug>/"
API = "api/v1/"
TRACKING = "v1/"  # calls with a write key, without cookies: tests/accounts/ingest/
REPORTS = "csp-report/"  # sent by browsers of their own accord: tests/dashboard/test_csp_reports.py
STOPPING = "mail/stop/"  # sent by mail programs, without cookies: tests/workspace/test_mails.py
SURVEY = "nps/v1/"  # asked from other origins, without cookies: tests/accounts/nps/test_endpoints.py
LEAVE = "unsubscribe/"  # mail programs post by themselves: tests/accounts/test_unsubscribe.py
THIRD_PARTY = "account/"  # allauth's own pages: they know logins, no workspace
# Pages outside workspaces, and why anybody or any login may open them.
PUBLIC = {
    "dashboard:healthz": "says up or down, nothing else",
    "dashboard:mail-sink": "in a demo only, whose mail goes nowhere else",
    "dashboard:mail-sink-message": "in a demo only, whose mail goes nowhere else",
    "google-consent": "Google sends people back to it; it looks at the state we signed, and leads to the workspace",
    "join": "by the token of an invitation",
    "stop_mail": "by a signed token that names one member",
    "api-schema": "the description of the API, the same for all",
    "api-docs": "the same for people",
    "shared:plan": "by a link's token, what was picked for whoever has it: tests/success_plans/test_sharing.py",
    "shared:ask": "by a link's token; says nothing: tests/success_plans/test_guests.py",
    "shared:enter": "by a link's token and a code in the mail: tests/success_plans/test_guests.py",
    "shared:leave": "forgets who was there",
    "shared:say": "by a link's token, for a stakeholder of its plan: tests/success_plans/test_guests.py",
    "shared:tick": "by a link's token, tasks of a stakeholder of its plan: tests/success_plans/test_guests.py",
    "survey:survey": "by a token that names workspace and user",
    "survey:shown": "by a token that names workspace and user",
    "survey:dismissed": "by a token that names workspace and user",
    "survey:answer": "by a token that names workspace and user",
    "dashboard:csp-report": "browsers tell what the policy refused; nothing of a workspace is read or kept",
    "unsubscribe": "by a token that names workspace and message",
    "tracking": "data sources send by their write key, and learn nothing but whether it was taken",
}
SIGNED_IN = {"dashboard:landing": "leads to one's own workspace", "dashboard:workspaces": "lists one's own"}
WORDS = re.compile(r"[\w-]+(?:\|[\w-]+)*")


@dataclass(frozen=True)
class Route:
    name: str
    path: str
    view: Any
    variable: Mapping[str, str]  # variable part -> its regex

    def __str__(self) -> str:
        return self.name

    @property
    def in_workspace(self) -> bool:
        return self.path.startswith(WORKSPACE)

    @property
    def ability(self) -> Any:
        return getattr(self.view, "ability", None)

    @property
    def places(self) -> list[str]:
        """The parts of its page that htmx may ask for alone."""
        return [*getattr(sys.modules[self.view.__module__], "FRAGMENTS", {}), "drawer", "dialog"]

    @property
    def ids(self) -> dict[str, str]:
        """Which object each id in the address names."""
        names = [name for name in self.variable if name != "slug" and not _is_choice(self.variable[name])]
        known = IDS.get(self.name, {})
        missing = [name for name in names if name not in known]
        assert not missing, f"tests/tenancy/story.py: say in IDS which object {missing} of {self.name} names"
        return {name: known[name] for name in names}

    def addresses(self, slug: str, objects: Mapping[str, Any]) -> Iterator[str]:
        """One for each combination of the words its address may hold."""
        choices = {name: regex.split("|") for name, regex in self.variable.items() if _is_choice(regex)}
        ids = {name: id_of(objects[kind]) for name, kind in self.ids.items()}
        fixed = ids | ({"slug": slug} if "slug" in self.variable else {})
        for words in product(*choices.values()):
            yield reverse(self.name, kwargs=fixed | dict(zip(choices, words, strict=True)))

    def body(self, story: Story, **instead: Any) -> dict[str, Any]:
        """What a POST sends; `instead` puts another object in a field's place."""
        plain = {name.format_map(_Ids(story)): value for name, value in BODIES.get(self.name, {}).items()}
        return {name: _value(instead.get(name, value), story) for name, value in plain.items()}


class _Ids(dict[str, str]):
    def __missing__(self, name: str) -> str:
        raise KeyError(name)

    def __init__(self, story: Story) -> None:
        super().__init__({name: id_of(found) for name, found in story.items()})


def _value(value: Any, story: Story) -> Any:
    if isinstance(value, File):
        return value
    return id_of(story[value]) if isinstance(value, Id) else id_of(value)


def id_of(found: Any) -> str:
    return str(getattr(found, "pk", found))


def _is_choice(regex: str) -> bool:
    return WORDS.fullmatch(regex) is not None


def routes() -> list[Route]:
    return list(_walk(get_resolver(), "", (), {}))


def _walk(
    resolver: URLResolver, path: str, namespaces: tuple[str, ...], variable: Mapping[str, str]
) -> Iterator[Route]:
    for entry in resolver.url_patterns:
        at = f"{path}{entry.pattern}"
        found = {**variable, **_variable(entry.pattern)}
        if isinstance(entry, URLPattern):
            yield Route(":".join((*namespaces, entry.name or "")), at, entry.callback, found)
        else:
            inner = (*namespaces, entry.namespace) if entry.namespace else namespaces
            yield from _walk(entry, at, inner, found)


def _variable(pattern: Any) -> dict[str, str]:
    if isinstance(pattern, RegexPattern):
        return {name: _regex_of(name, str(pattern)) for name in pattern.regex.groupindex}
    return {name: converter.regex for name, converter in pattern.converters.items()}


def _regex_of(name: str, pattern: str) -> str:
    """What stands in the group of this name; groups inside it only need to be told from words."""
    return pattern.partition(f"(?P<{name}>")[2].partition(")")[0]
