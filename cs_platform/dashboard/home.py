"""Where everybody begins: what needs them today, and how their book is doing."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils.module_loading import import_string
from django.views.decorators.http import require_safe

from accounts.home import Facts as AccountFacts
from accounts.models import Account
from cs_platform.dashboard.beginning import first_steps
from cs_platform.tenancy.roles import Ability
from cs_platform.web.drawers import render_beside
from cs_platform.web.home import Book, Fact, HomePanel
from cs_platform.web.pages import WorkspaceRequest, requires
from ctas.home import Facts as CtaFacts

FRAGMENTS = {"home": "dashboard/_home.html"}


@require_safe
@requires(Ability.READ)
def home(request: WorkspaceRequest, slug: str) -> HttpResponse:
    return render_beside(request, "dashboard/home.html", lambda: _page(request), fragments=FRAGMENTS)


def _page(request: WorkspaceRequest) -> dict[str, Any]:
    mine = _is_mine(request)
    book = Book(request.membership if mine else None, request.membership.day(request.now), request.now)
    panels = [(panel, panel.fragment(request, book)) for panel in _panels()]
    return {
        "mine": mine,
        "first_steps": first_steps(request),
        "facts": list(_facts(request, book)),
        "says": _sentence([str(fragment.context["says"]) for _, fragment in panels]),
        "main": [one for one in panels if not one[0].side],
        "side": [one for one in panels if one[0].side],
    }


def _is_mine(request: WorkspaceRequest) -> bool:
    """Whoever looks after no account sees the team's, unless they ask."""
    asked = request.GET.get("book")
    if asked in ("mine", "team"):
        return asked == "mine"
    return Account.objects.tracked().filter(csm=request.membership).exists()


def _panels() -> list[HomePanel]:
    return [import_string(path)() for path in settings.HOME_PANELS]


def _facts(request: WorkspaceRequest, book: Book) -> Iterator[Fact]:
    yield from AccountFacts().facts(book, request.tenant)
    yield from CtaFacts().facts(book)


def _sentence(parts: list[str]) -> str:
    said = [part for part in parts if part]
    if len(said) < 2:
        return f"{said[0]}." if said else "Nothing needs you today."
    return f"{', '.join(said[:-1])}{',' if len(said) > 2 else ''} and {said[-1]}."
