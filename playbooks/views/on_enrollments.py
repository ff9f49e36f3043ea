"""The dialog of what is done to many enrollments of a playbook."""

from django.http import HttpResponse, QueryDict
from django.views.decorators.http import require_http_methods

from cs_platform.jobs.bulk import BulkVerb, CannotChoose, Config, read_ids
from cs_platform.jobs.models import Job
from cs_platform.tenancy.roles import Ability
from cs_platform.web.bulk import BulkPage, bulk_dialog, given, refused
from cs_platform.web.pages import WorkspaceRequest, requires
from playbooks.on_enrollments import VERBS, Selection, start_bulk_edit
from playbooks.views.stopping import stop_all

NOUN, LIST, STOP = "application", "playbooks:list", "stop"


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.RELEASE_EVALUATIONS)
def bulk_edit(request: WorkspaceRequest, slug: str) -> HttpResponse:
    """`ids`, or `all` with the `query` of a playbook's list. Stopping has a dialog of its own."""
    if request.method == "GET" and request.GET.get("verb") == STOP:
        return stop_all(request, slug, _playbook_of(request))
    try:
        return bulk_dialog(request, _page(request))
    except CannotChoose as refusal:
        return refused(request, str(refusal), noun=NOUN, list=LIST)


def _playbook_of(request: WorkspaceRequest) -> int:
    given = QueryDict(request.GET.get("query", "")).get("playbook", "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 19 else 0


def _page(request: WorkspaceRequest) -> BulkPage:
    selection = _selection(request)

    def start(verb: BulkVerb, config: Config) -> Job:
        return start_bulk_edit(selection, verb, config, by=request.membership, now=request.now)

    ticked = {"ids": ",".join(map(str, selection.ids))}
    return BulkPage(
        noun=NOUN,
        list=LIST,
        address="playbooks:bulk",
        verbs=VERBS,
        chosen=selection.among(),
        kept=ticked if selection.query is None else {"all": "1", "query": selection.query},
        matching=selection.query is not None,
        start=start,
    )


def _selection(request: WorkspaceRequest) -> Selection:
    sent = given(request)
    if sent.get("all"):
        return Selection(query=sent.get("query", ""))
    return Selection(read_ids(sent.getlist("ids"), noun=NOUN))
