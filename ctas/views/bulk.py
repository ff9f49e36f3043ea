"""Bulk edit of CTAs: those ticked, or all that a list of the cockpit holds."""

from django.http import HttpResponse, QueryDict
from django.views.decorators.http import require_http_methods

from cs_platform.jobs.bulk import BulkVerb, CannotChoose, Config, read_ids
from cs_platform.jobs.models import Job
from cs_platform.tenancy.roles import Ability
from cs_platform.web.bulk import PREFIX, BulkPage, bulk_dialog, given, refused
from cs_platform.web.pages import WorkspaceRequest, requires
from ctas.bulk import Selection, bulk_verbs, start_bulk_edit

NOUN, LIST = "CTA", "ctas:cockpit"
# What the form of the selection calls its own; the rest are the list's parameters.
OWN = ("ids", "all", "verb", "step", "query", "csrfmiddlewaretoken")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.WORK_CTAS)
def bulk_edit(request: WorkspaceRequest, slug: str) -> HttpResponse:
    """`ids` (any number, or with commas between), or `all` and the list's own parameters, in address or body."""
    try:
        return bulk_dialog(request, _page(request, selection_of(request)))
    except CannotChoose as refusal:
        return refused(request, str(refusal), noun=NOUN, list=LIST)


def _page(request: WorkspaceRequest, selection: Selection) -> BulkPage:
    def start(verb: BulkVerb, config: Config) -> Job:
        return start_bulk_edit(selection, verb, config, by=request.membership, now=request.now)

    ticked = {"ids": ",".join(map(str, selection.ids))}
    return BulkPage(
        noun=NOUN,
        list=LIST,
        address="ctas:bulk",
        verbs=bulk_verbs(),
        chosen=selection.among(tenant=request.tenant, member=request.membership, now=request.now),
        kept=ticked if selection.query is None else {"all": "1", "query": selection.query},
        matching=selection.query is not None,
        start=start,
    )


def selection_of(request: WorkspaceRequest) -> Selection:
    sent = given(request)
    if sent.get("all"):
        return Selection(query=sent.get("query") if "query" in sent else _list_query(sent))
    return Selection(read_ids(sent.getlist("ids"), noun=NOUN))


def _list_query(sent: QueryDict) -> str:
    params = QueryDict(mutable=True)
    for name, values in sent.lists():
        if name not in OWN and not name.startswith(f"{PREFIX}-"):
            params.setlist(name, values)
    return params.urlencode()
