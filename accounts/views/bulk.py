"""Bulk edit of accounts or users: those ticked, or all that a list holds."""

from django.http import HttpResponse
from django.views.decorators.http import require_http_methods

from accounts.bulk.kind import start_bulk_edit
from accounts.bulk.selection import Selection
from accounts.bulk.verbs import bulk_verbs
from accounts.table.asked import CannotAsk
from accounts.table.listing import Listing
from accounts.views.exports import list_query
from cs_platform.jobs.bulk import BulkVerb, CannotChoose, Config, read_ids
from cs_platform.jobs.models import Job
from cs_platform.tenancy.roles import Ability
from cs_platform.web.bulk import BulkPage, bulk_dialog, given, refused
from cs_platform.web.pages import WorkspaceRequest, requires


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.EDIT_ACCOUNTS)
def bulk_edit(request: WorkspaceRequest, slug: str, listing: Listing) -> HttpResponse:
    """`ids` (any number, or with commas between), or `all` and the list's own parameters, in address or body."""
    try:
        return bulk_dialog(request, _page(request, selection_of(request, listing)))
    except (CannotAsk, CannotChoose) as refusal:
        return refused(request, str(refusal), noun=listing.noun, list=f"{listing.key}:list")


def _page(request: WorkspaceRequest, selection: Selection) -> BulkPage:
    def start(verb: BulkVerb, config: Config) -> Job:
        return start_bulk_edit(selection, verb, config, by=request.membership, now=request.now)

    ticked = {"ids": ",".join(map(str, selection.ids))}
    return BulkPage(
        noun=selection.listing.noun,
        list=f"{selection.listing.key}:list",
        address=f"{selection.listing.key}:bulk",
        verbs=bulk_verbs(selection.listing),
        chosen=selection.among(tenant=request.tenant, member=request.membership, now=request.now),
        kept=ticked if selection.query is None else {"all": "1", "query": selection.query},
        matching=selection.query is not None,
        start=start,
    )


def selection_of(request: WorkspaceRequest, listing: Listing) -> Selection:
    sent = given(request)
    if sent.get("all"):
        query = sent.get("query") if "query" in sent else list_query(request)
        return Selection(query=query, listing=listing)
    return Selection(read_ids(sent.getlist("ids"), noun=listing.noun), listing=listing)
