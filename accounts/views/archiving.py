"""Putting an account or a user away, after asking what becomes of its playbooks; its page then; bringing it back."""

from collections.abc import Mapping
from typing import Any, cast

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts.actors import load_actors
from accounts.archiving import archive, restore, under_way
from accounts.forms import ArchiveForm
from accounts.models import Account
from accounts.reach import refuse_beyond
from accounts.table.listing import Listing, Thing
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, go_to, render_page, requires

TIMELINE = ("timeline", "older")
DIALOG = {"dialog": "accounts/_archive_dialog.html"}


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.EDIT_ACCOUNTS)
def archive_one(request: WorkspaceRequest, slug: str, pk: int, listing: Listing) -> HttpResponse:
    thing = cast(Thing, get_object_or_404(listing.model, pk=pk, archived_at=None))
    at_work = under_way(listing, [pk])
    form = ArchiveForm(request.POST if request.method == "POST" else None, asks=at_work.count > 0)
    if form.is_valid():
        if form.stops:
            _refuse_stop_beyond(request, thing)
        by = request.membership.actor
        archive(listing, [pk], stop=form.stops, tenant=request.tenant, by=by, now=request.now)
        messages.success(request, f"{thing} archived")
        return go_to(request, reverse(f"{listing.key}:list", args=[slug]))
    context = {"list": listing, "thing": thing, "under_way": at_work, "form": form}
    status = 422 if form.is_bound else 200
    return render_page(request, "accounts/archive.html", context, fragments=DIALOG, status=status)


def _refuse_stop_beyond(request: WorkspaceRequest, thing: Thing) -> None:
    accounts = [thing] if isinstance(thing, Account) else Account.objects.filter(account_users__end_user=thing)
    for account in accounts:
        refuse_beyond(request.membership, Ability.RUN_PLAYBOOKS, account)


@require_POST
@requires(Ability.EDIT_ACCOUNTS)
def restore_one(request: WorkspaceRequest, slug: str, pk: int, listing: Listing) -> HttpResponse:
    thing = get_object_or_404(listing.model, pk=pk)
    restore(listing, [pk], by=request.membership.actor, now=request.now)
    address = reverse(f"{listing.key}:detail", args=[slug, pk])
    messages.success(request, f"{thing} is back")
    return go_to(request, address)


def archived_page(
    request: WorkspaceRequest,
    listing: Listing,
    thing: Thing,
    context: Mapping[str, Any],
    fragments: Mapping[str, str],
) -> HttpResponse:
    """What is left to see of it: who put it away, and what happened before."""
    by = load_actors({thing.archived_by})[thing.archived_by] if thing.archived_by else None
    about = {"list": listing, "thing": thing, "by": by, "subject": thing}
    timeline = {place: template for place, template in fragments.items() if place in TIMELINE}
    return render_page(request, "accounts/archived.html", {**context, **about}, fragments=timeline)
