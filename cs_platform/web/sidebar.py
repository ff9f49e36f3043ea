"""Where the sidebar leads, and which of it the page is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse


@dataclass(frozen=True, slots=True)
class Place:
    """`at`: namespaces of addresses, or names of single ones, that belong to it. `key`: the letter that goes here after
    G. `tally`: what of it is counted.
    """

    view: str
    icon: str
    label: str
    at: frozenset[str]
    key: str = ""
    tally: str = ""


def _place(view: str, icon: str, label: str, *at: str, key: str = "", tally: str = "") -> Place:
    return Place(view, icon, label, frozenset(at), key, tally)


REPORTS = ("dashboard:reports", "dashboard:report", "nps:report")
WORK = (
    _place("dashboard:home", "house", "Home", "dashboard:home", key="h"),
    _place("ctas:cockpit", "square-check-big", "Cockpit", "ctas", key="c", tally="cockpit"),
    _place("accounts:list", "building-2", "Accounts", "accounts", key="a"),
    _place("users:list", "users", "Users", "users", key="u"),
    _place("plans:list", "flag", "Success plans", "plans", key="s"),
    _place("playbooks:inbox", "mail", "Conversations", "playbooks:inbox", tally="conversations"),
    _place("dashboard:reports", "chart-column", "Reports", *REPORTS, key="r"),
)
SETTINGS = (
    _place("playbooks:list", "workflow", "Playbooks", "playbooks", key="p"),
    _place("segments:list", "shapes", "Segments and traits", "segments", "traits", key="t"),
    _place("dashboard:settings", "settings", "All settings", "imports", "jobs", "health"),
)
_SINGLE = {name for place in (*WORK, *SETTINGS) for name in place.at if ":" in name}
_PLACED = {name for place in SETTINGS[:-1] for name in place.at}


@dataclass(frozen=True, slots=True)
class Entry:
    place: Place
    address: str
    count: str
    current: bool


def entries(request: HttpRequest, slug: str, counts: Mapping[str, str]) -> dict[str, list[Entry]]:
    return {
        "work": list(_entries(WORK, request, slug, counts)),
        "settings": list(_entries(SETTINGS, request, slug, {})),
    }


def _entries(places: tuple[Place, ...], request: HttpRequest, slug: str, counts: Mapping[str, str]) -> Iterator[Entry]:
    for place in places:
        count = counts[place.tally] if place.tally else ""
        yield Entry(place, reverse(place.view, args=[slug]), count, _is_here(place, request))


def _is_here(place: Place, request: HttpRequest) -> bool:
    """A page that is a place by itself is not one of its neighbours', and settings are all that has no other place."""
    match = request.resolver_match
    if match is None:
        return False
    if place is SETTINGS[-1] and "/settings/" in request.path:
        return match.namespace not in _PLACED
    return match.view_name in place.at if match.view_name in _SINGLE else match.namespace in place.at
