"""Bulk edit: choose what to do with the selected accounts, read what it comes to, then let a job do it."""

from typing import Any

from django.http import HttpResponse, QueryDict
from django.views.decorators.http import require_http_methods

from accounts.bulk.kind import start_bulk_edit
from accounts.bulk.selection import MOST_IDS, Chosen, Selection
from accounts.bulk.verbs import BulkVerb, VerbForm, bulk_verbs
from accounts.table.asked import CannotAsk
from accounts.views.exports import PREFIX, list_query
from cs_platform.tenancy.roles import Ability
from cs_platform.web.jobs import started
from cs_platform.web.pages import WorkspaceRequest, render_page, requires, target_id

REVIEW, RUN = "review", "run"


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.EDIT_ACCOUNTS)
def bulk_edit(request: WorkspaceRequest, slug: str) -> HttpResponse:
    """`ids` (any number, or with commas between), or `all` and the list's own parameters, in address or body."""
    try:
        selection = selection_of(request)
        chosen = selection.among(tenant=request.tenant, member=request.membership, now=request.now)
        count = _some(chosen)
    except CannotAsk as refusal:
        return _dialog(request, {"refusal": str(refusal)}, status=422 if request.method == "POST" else 200)
    verb, step = _verb(request), _given(request).get("step", "")
    form = _form(request, verb, bound=step in (REVIEW, RUN))
    if step == RUN and form.is_valid():
        return started(request, start_bulk_edit(selection, verb, form.config(), by=request.membership, now=request.now))
    context = {
        "selection": selection,
        "ids": ",".join(map(str, selection.ids)),
        "count": count,
        "names": chosen.names(),
        "verbs": _offered(request),
        "verb": verb,
        "form": form,
        "says": verb.describe(form.config()) if step == REVIEW and form.is_valid() else "",
    }
    return _dialog(request, context, status=422 if form.is_bound and not form.is_valid() else 200)


def selection_of(request: WorkspaceRequest) -> Selection:
    given = _given(request)
    if given.get("all"):
        return Selection(query=given.get("query") if "query" in given else list_query(request))
    ids = [part for text in given.getlist("ids") for part in text.split(",") if part.strip()]
    if not ids:
        raise CannotAsk("Choose at least one account.")
    if len(ids) > MOST_IDS:
        raise CannotAsk(f"Choose up to {MOST_IDS:,} accounts, or all that match.")
    if not all(part.isascii() and part.isdecimal() and len(part) < 19 for part in ids):
        raise CannotAsk("Choose the accounts again: their ids cannot be read.")
    return Selection(tuple(dict.fromkeys(map(int, ids))))


def _some(chosen: Chosen) -> int:
    count = chosen.count()
    if not count:
        raise CannotAsk("None of these accounts is here any more.")
    return count


def _given(request: WorkspaceRequest) -> QueryDict:
    return request.POST if request.method == "POST" else request.GET


def _offered(request: WorkspaceRequest) -> list[BulkVerb]:
    return [verb for verb in bulk_verbs().values() if request.membership.can(verb.ability)]


def _verb(request: WorkspaceRequest) -> BulkVerb:
    offered = _offered(request)
    asked = _given(request).get("verb", "")
    return next((verb for verb in offered if verb.key == asked), offered[0])


def _form(request: WorkspaceRequest, verb: BulkVerb, *, bound: bool) -> VerbForm:
    """What was chosen so far fills the form again when another trait is chosen."""
    given = _given(request)
    if bound:
        return verb.form(given, prefix=PREFIX)
    start = f"{PREFIX}-"
    return verb.form(
        prefix=PREFIX, initial={name.removeprefix(start): given[name] for name in given if name.startswith(start)}
    )


def _dialog(request: WorkspaceRequest, context: dict[str, Any], *, status: int) -> HttpResponse:
    template = "_bulk_dialog" if target_id(request) == "dialog" else "bulk"
    return render_page(request, f"accounts/{template}.html", context, status=status)
