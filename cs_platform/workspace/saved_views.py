"""Saved views: a list as somebody set it up, kept for themselves or shared, and what a page opens with.

A view is the address's parameters. How wide columns are is kept apart, since it is no reason to ask for another page.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, models, transaction
from django.http import QueryDict

from cs_platform.tenancy.models import Membership
from cs_platform.tenancy.roles import Ability
from cs_platform.workspace.models import DefaultView, SavedView

MOST_VIEWS = 100  # that one person finds on one page
LONGEST = 8_000  # of parameters
VIEW, WIDTH = "view", "width"  # parameters of the address
COLUMNS = ("column", "pin")  # which stand where, and which of them stay in view
# Parameters that say where in a list somebody is, not what it is.
PASSING = frozenset({VIEW, "after", "before", "totals", "csrfmiddlewaretoken"})


class CannotSave(Exception):
    """The text says what to change."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a view keeps of an address."""

    params: str
    widths: Mapping[str, int]

    @classmethod
    def of(cls, query: QueryDict, *, without: frozenset[str] = frozenset()) -> "Setup":
        kept = QueryDict(mutable=True)
        for name, values in query.lists():
            if name not in PASSING | without | {WIDTH} and any(values):
                kept.setlist(name, values)
        params = kept.urlencode(safe=":")
        if len(params) > LONGEST:
            raise CannotSave("This list says too much for one view. Remove some of its filters or columns.")
        return cls(params, dict(_widths(query)))

    def differs_from(self, view: SavedView) -> bool:
        return (_sorted(self.params), dict(self.widths)) != (_sorted(view.params), view.widths)


def _widths(query: QueryDict) -> list[tuple[str, int]]:
    found = (text.rpartition(":") for text in query.getlist(WIDTH))
    return [(key, int(width)) for key, _colon, width in found if key and width.isascii() and width.isdecimal()]


def _sorted(params: str) -> list[tuple[str, list[str]]]:
    return sorted(QueryDict(params).lists())


def query_of(view: SavedView) -> str:
    """The parameters that show it."""
    query = QueryDict(view.params, mutable=True)
    query.setlist(WIDTH, [f"{key}:{width}" for key, width in view.widths.items()])
    query[VIEW] = str(view.pk)
    return query.urlencode(safe=":")


# Who sees and changes which ------------------------------------------------------------------------------------------


def visible_views(member: Membership, *pages: str) -> "models.QuerySet[SavedView]":
    """One's own and those shared by others."""
    mine_or_shared = models.Q(owner=member) | models.Q(is_shared=True)
    views: models.QuerySet[SavedView] = SavedView.objects.filter(mine_or_shared, page__in=pages, archived_at=None)
    return views.order_by("name", "pk")


def may_edit(member: Membership, view: SavedView) -> bool:
    return view.owner_id == member.pk or (view.is_shared and member.can(Ability.MANAGE_DATA))


def may_share(member: Membership) -> bool:
    return member.can(Ability.EDIT_ACCOUNTS)


def may_set_for_everyone(member: Membership) -> bool:
    return member.can(Ability.MANAGE_DATA)


# What people do with them --------------------------------------------------------------------------------------------


def save_view(
    *, page: str, name: str, setup: Setup, owner: Membership, is_shared: bool, icon: str = "", now: datetime
) -> SavedView:
    if visible_views(owner, page).filter(owner=owner).count() >= MOST_VIEWS:
        raise CannotSave(f"You have {MOST_VIEWS} views of this page. Delete one first.")
    view = SavedView(page=page, name=name, owner=owner, is_shared=is_shared, created_at=now, updated_at=now)
    view.params, view.widths, view.icon = setup.params, dict(setup.widths), icon
    return _kept(view)


def rename_view(view: SavedView, *, name: str, icon: str, is_shared: bool, now: datetime) -> SavedView:
    """Nobody is left with a default that is no longer theirs to see."""
    if view.is_shared and not is_shared:
        DefaultView.objects.filter(view=view).exclude(member=view.owner).delete()
    view.name, view.icon, view.is_shared, view.updated_at = name, icon, is_shared, now
    return _kept(view)


def keep_setup(view: SavedView, *, setup: Setup, now: datetime) -> None:
    view.params, view.widths, view.updated_at = setup.params, dict(setup.widths), now
    view.save(update_fields=["params", "widths", "updated_at"])


def keep_columns(view: SavedView, *, shown: Setup, now: datetime) -> None:
    """Those that are shown, and how; what the view finds and in which order stays as it is."""
    with transaction.atomic():
        current = SavedView.objects.select_for_update(no_key=True).get(pk=view.pk)
        params, asked = QueryDict(current.params, mutable=True), QueryDict(shown.params)
        for name in COLUMNS:
            params.setlist(name, asked.getlist(name))
        keep_setup(current, setup=Setup(Setup.of(params).params, shown.widths), now=now)


def _kept(view: SavedView) -> SavedView:
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError as taken:
        raise CannotSave(f"You have a view called “{view.name}” already.") from taken
    return view


def delete_view(view: SavedView, *, now: datetime) -> bool:
    """It can be brought back; what opened with it opens as usual until then."""
    return SavedView.objects.filter(pk=view.pk, archived_at=None).update(archived_at=now, updated_at=now) == 1


def restore_view(view: SavedView, *, now: datetime) -> None:
    view.archived_at, view.updated_at = None, now
    _kept(view)


# What a page opens with -----------------------------------------------------------------------------------------------


def default_view(member: Membership, page: str) -> SavedView | None:
    """One's own choice, else everyone's."""
    chosen = DefaultView.objects.filter(models.Q(member=member) | models.Q(member=None), page=page)
    by_member = dict(chosen.values_list("member_id", "view_id"))
    if not by_member:  # nearly always
        return None
    visible = visible_views(member, page).in_bulk(by_member.values())
    return next((visible[by_member[id]] for id in (member.pk, None) if by_member.get(id) in visible), None)


def set_default(view: SavedView, *, member: Membership | None) -> None:
    DefaultView.objects.update_or_create(page=view.page, member=member, defaults={"view": view})


def unset_default(view: SavedView, *, member: Membership | None) -> None:
    DefaultView.objects.filter(page=view.page, member=member, view=view).delete()


def is_default(view: SavedView, *, member: Membership | None) -> bool:
    return DefaultView.objects.filter(page=view.page, member=member, view=view).exists()
