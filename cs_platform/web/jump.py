"""Quick Jump: everything by its name in one box, and a page of results where scripts are off.

Each layer offers its things through settings.JUMP_SOURCES. A source answers from an index, or from few rows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse
from django.utils.module_loading import import_string
from django.views.decorators.http import require_safe

from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, render_page, requires
from cs_platform.web.saved_views import query_of
from cs_platform.workspace.models import SavedView
from cs_platform.workspace.saved_views import visible_views

FRAGMENTS = {"jump-list": "workspace/_jump.html"}
EACH: Final = 5  # of one kind
SHORTEST, LONGEST = 2, 100


@dataclass(frozen=True, slots=True)
class Hit:
    """`keys`: what would have led there at once."""

    text: str
    url: str
    icon: str
    detail: str = ""
    aside: str = ""
    keys: Sequence[str] = ()
    dialog: bool = False  # opens over the page one is on


class JumpSource(Protocol):
    label: ClassVar[str]

    def find(self, request: WorkspaceRequest, text: str) -> Iterable[Hit]:
        """At most EACH, the best first; only what this member may open. `text` is lower case, or empty at first."""


@dataclass(frozen=True, slots=True)
class Group:
    label: str
    hits: Sequence[Hit]


@require_safe
@requires(Ability.READ)
def jump(request: WorkspaceRequest, slug: str) -> HttpResponse:
    text = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST]
    context = {"asked": text, "groups": _groups(request, text.lower())}
    return render_page(request, "workspace/jump.html", context, fragments=FRAGMENTS)


def _groups(request: WorkspaceRequest, text: str) -> list[Group]:
    found = [Group(source.label, list(source.find(request, text))) for source in _sources()]
    return [group for group in found if group.hits]


def _sources() -> list[JumpSource]:
    return [import_string(path)() for path in settings.JUMP_SOURCES]


def begins(name: str, text: str) -> bool:
    """The name, or any word of it."""
    return any(part.startswith(text) for part in _from_each_word(name.lower()))


def _from_each_word(name: str) -> Iterable[str]:
    words = name.split()
    return (" ".join(words[at:]) for at in range(len(words)))


class Views:
    label = "Views"

    def find(self, request: WorkspaceRequest, text: str) -> Iterable[Hit]:
        if not text:
            return []
        found = [
            (page, view)
            for page in settings.PAGES_WITH_VIEWS
            for view in visible_views(request.membership, page)
            if begins(view.name, text)
        ]
        return [_view(request, page, view) for page, view in found[:EACH]]


def _view(request: WorkspaceRequest, page: str, view: SavedView) -> Hit:
    address = reverse(settings.PAGES_WITH_VIEWS[page], args=[request.tenant.slug])
    return Hit(str(view), f"{address}?{query_of(view)}", view.icon or "rows-3", detail=page.capitalize())
