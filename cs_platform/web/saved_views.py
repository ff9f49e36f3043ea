"""The saved views of a page: tabs that lead to them, and whether the one in force has been changed since."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.http import QueryDict
from django.urls import reverse

from cs_platform.web.pages import WorkspaceRequest
from cs_platform.workspace.models import SavedView
from cs_platform.workspace.saved_views import VIEW, CannotSave, Setup, default_view, may_edit, query_of, visible_views
from cs_platform.workspace.view_icons import icon_of

SHOWN = 50
BESIDE = 6  # in the sidebar
KNOWN = 500  # of all pages
ALL = "all"  # the page as it is made, whatever it opens with


@dataclass(frozen=True, slots=True)
class ViewTab:
    view: SavedView
    address: str
    current: bool

    @property
    def key(self) -> str:
        """Of the place of its number."""
        return key_of(self.view)


@dataclass(frozen=True, slots=True)
class ViewBar:
    page: str
    tabs: Sequence[ViewTab]
    current: SavedView | None
    changed: bool
    editable: bool
    params: str  # of the list as it is now


@dataclass(frozen=True, slots=True)
class ViewLink:
    key: str  # of the place of its number
    name: str
    address: str
    icon: str
    current: bool


@dataclass(frozen=True, slots=True)
class Beside:
    """The views in the sidebar. `mark` is another one for another person, another choice of views, and a changed view:
    in the address of their numbers it keeps the browser from showing what it remembers of those before.
    """

    links: Sequence[ViewLink]
    mark: str


def links_beside(request: WorkspaceRequest) -> Beside:
    views = views_beside(request)
    said = [request.membership.pk, *((view.pk, view.updated_at.isoformat()) for view in views)]
    return Beside([_link(request, view) for view in views], f"{zlib.crc32(repr(said).encode()):08x}")


def views_beside(request: WorkspaceRequest) -> list[SavedView]:
    """The first of one's own, of whichever page, then of those shared by others."""
    return sorted(_visible(request), key=lambda view: view.owner_id != request.membership.pk)[:BESIDE]


def key_of(view: SavedView) -> str:
    return f"view-{view.pk}"


def _visible(request: WorkspaceRequest) -> list[SavedView]:
    """By name, of every page: asked once for the tabs above a list and for the sidebar."""
    if not hasattr(request, "visible_views"):
        found = visible_views(request.membership, *settings.PAGES_WITH_VIEWS).select_related("owner")
        request.visible_views = list(found[:KNOWN])  # type: ignore[attr-defined]
    return request.visible_views  # type: ignore[attr-defined, no-any-return]


def _link(request: WorkspaceRequest, view: SavedView) -> ViewLink:
    page = reverse(settings.PAGES_WITH_VIEWS[view.page], args=[request.tenant.slug])
    current = request.path == page and request.GET.get(VIEW) == str(view.pk)
    icon = icon_of(view.page, view.icon)
    return ViewLink(key_of(view), view.name, f"{page}?{query_of(view)}", icon, current)


def setup_of(query: QueryDict) -> Setup:
    """A drawer that is open beside a list is no part of it."""
    return Setup.of(query, without=frozenset(settings.DRAWERS))


def opening(request: WorkspaceRequest, page: str) -> str | None:
    """Where an address leads that says nothing but the view, or nothing at all: to everything that view says."""
    if not request.GET:
        view = default_view(request.membership, page)
    elif list(request.GET) == [VIEW]:
        view = _asked(request, page)
    else:
        return None
    return f"{request.path}?{query_of(view)}" if view else None


def view_bar(request: WorkspaceRequest, page: str) -> ViewBar:
    views = [view for view in _visible(request) if view.page == page][:SHOWN]
    current = next((view for view in views if str(view.pk) == request.GET.get(VIEW)), None)
    return ViewBar(
        page=page,
        tabs=[ViewTab(view, f"?{query_of(view)}", view == current) for view in views],
        current=current,
        changed=current is not None and _is_changed(request.GET, current),
        editable=current is not None and may_edit(request.membership, current),
        params=request.GET.urlencode(safe=":"),
    )


def _is_changed(query: QueryDict, view: SavedView) -> bool:
    try:
        return setup_of(query).differs_from(view)
    except CannotSave:
        return True


def _asked(request: WorkspaceRequest, page: str) -> SavedView | None:
    """A view that is gone, or somebody else's own, leaves the page as it is."""
    asked = request.GET[VIEW]
    if not asked.isascii() or not asked.isdecimal() or len(asked) > 18:
        return None
    return visible_views(request.membership, page).filter(pk=int(asked)).first()
