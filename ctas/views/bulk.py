"""Bulk edit of CTAs, and of tasks: those ticked, or all that a list of the cockpit holds."""

from collections.abc import Mapping
from functools import partial

from django.http import HttpResponse, QueryDict
from django.views.decorators.http import require_http_methods

from cs_platform.jobs.bulk import BulkVerb, CannotChoose, Config, read_ids
from cs_platform.jobs.models import Job
from cs_platform.tenancy.roles import Ability
from cs_platform.web.bulk import PREFIX, BulkPage, bulk_dialog, given, refused
from cs_platform.web.pages import WorkspaceRequest, requires
from ctas.bulk.kind import bulk_verbs, start_bulk_edit, task_verbs
from ctas.bulk.selection import Selection, TaskSelection

LIST = "ctas:cockpit"
# What the form of the selection calls its own; the rest are the list's parameters.
OWN = ("ids", "all", "verb", "step", "query", "csrfmiddlewaretoken")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.WORK_CTAS)
def bulk_edit(request: WorkspaceRequest, slug: str) -> HttpResponse:
    """`ids` (any number, or with commas between), or `all` and the list's own parameters, in address or body."""
    return _dialog(request, Selection, noun="CTA", address="ctas:bulk", verbs=bulk_verbs())


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.WORK_CTAS)
def bulk_edit_tasks(request: WorkspaceRequest, slug: str) -> HttpResponse:
    return _dialog(request, TaskSelection, noun="task", address="ctas:bulk_tasks", verbs=task_verbs())


def _dialog(
    request: WorkspaceRequest, kind: type[Selection], *, noun: str, address: str, verbs: Mapping[str, BulkVerb]
) -> HttpResponse:
    try:
        selection = _selection(request, kind, noun)
        chosen = selection.among(tenant=request.tenant, member=request.membership, now=request.now)
        page = BulkPage(
            noun=noun,
            list=LIST,
            address=address,
            verbs=verbs,
            chosen=chosen,
            kept=_kept(selection),
            matching=selection.query is not None,
            start=partial(_start, request, selection),
        )
        return bulk_dialog(request, page)
    except CannotChoose as refusal:
        return refused(request, str(refusal), noun=noun, list=LIST)


def _start(request: WorkspaceRequest, selection: Selection, verb: BulkVerb, config: Config) -> Job:
    return start_bulk_edit(selection, verb, config, by=request.membership, now=request.now)


def _kept(selection: Selection) -> dict[str, str]:
    if selection.query is None:
        return {"ids": ",".join(map(str, selection.ids))}
    return {"all": "1", "query": selection.query}


def _selection(request: WorkspaceRequest, kind: type[Selection], noun: str) -> Selection:
    sent = given(request)
    if sent.get("all"):
        return kind(query=sent.get("query") if "query" in sent else _list_query(sent))
    return kind(read_ids(sent.getlist("ids"), noun=noun))


def _list_query(sent: QueryDict) -> str:
    params = QueryDict(mutable=True)
    for name, values in sent.lists():
        if name not in OWN and not name.startswith(f"{PREFIX}-"):
            params.setlist(name, values)
    return params.urlencode()
