"""Settings: the lists that CTAs choose from. An entry is named by its key, which may be any text, in the body."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, render_page, requires, toast
from ctas.forms import EntryForm
from ctas.lists import (
    CATEGORIES,
    CannotEdit,
    Entry,
    Kind,
    add_entry,
    archive_entry,
    current_lists,
    edit_entry,
    move_entry,
    order_entries,
    restore_entry,
)

TEXTS = {
    Kind.TYPE: "What kind of work a CTA is. Each may ask for fields before a CTA of it is opened or closed.",
    Kind.REASON: "Why a CTA is there. A reason can be for some types only. Playbooks look for an open CTA of the same "
    "type and reason before they open another.",
    Kind.PRIORITY: "The most urgent first.",
    Kind.STATUS: "How far a CTA is. Each means open, closed won, closed lost or cancelled, and reports go by that.",
}
MOST_KEYS = 500
GONE = "There is no such entry in this list any more."


@require_safe
@requires(Ability.MANAGE_DATA)
def index(request: WorkspaceRequest, slug: str) -> HttpResponse:
    return HttpResponseRedirect(reverse("cta_lists:list", args=[slug, Kind.TYPE]))


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.MANAGE_DATA)
def show(request: WorkspaceRequest, slug: str, kind: str) -> HttpResponse:
    """A POST adds an entry."""
    if request.method != "POST":
        return _page(request, kind)
    form = EntryForm(request.POST, kind=kind, lists=current_lists())
    if not form.is_valid():
        return _page(request, kind, added=form)
    try:
        entry = add_entry(kind, **form.cleaned_data, by=request.membership, now=request.now)
    except CannotEdit as refusal:
        form.add_error("name", str(refusal))
        return _page(request, kind, added=form)
    return _done(request, kind, f"{entry.name} added")


@require_POST
@requires(Ability.MANAGE_DATA)
def edit(request: WorkspaceRequest, slug: str) -> HttpResponse:
    kind, entry = _named(request)
    if entry is None:
        return _page(request, kind, refusal=GONE)
    form = EntryForm(request.POST, kind=kind, lists=current_lists(), entry=entry)
    if not form.is_valid():
        return _page(request, kind, edited=(entry.key, form))
    try:
        edit_entry(kind, entry.key, **form.cleaned_data, by=request.membership, now=request.now)
    except CannotEdit as refusal:
        form.add_error("name", str(refusal))
        return _page(request, kind, edited=(entry.key, form))
    return _done(request, kind, f"{form.cleaned_data['name']} saved")


@require_POST
@requires(Ability.MANAGE_DATA)
def order(request: WorkspaceRequest, slug: str) -> HttpResponse:
    """`key` for each, in their new order."""
    kind, _entry = _named(request)
    order_entries(kind, request.POST.getlist("key")[:MOST_KEYS], by=request.membership, now=request.now)
    return _done(request, kind, "Put in order")


@require_POST
@requires(Ability.MANAGE_DATA)
def switch(request: WorkspaceRequest, slug: str) -> HttpResponse:
    """`verb`: up, down, archive or restore."""
    kind, entry = _named(request)
    if entry is None:
        return _page(request, kind, refusal=GONE)
    try:
        text = _switched(request, kind, entry)
    except CannotEdit as refusal:
        return _page(request, kind, refusal=str(refusal))
    return _done(request, kind, text)


def _switched(request: WorkspaceRequest, kind: str, entry: Entry) -> str:
    who: dict[str, Any] = {"by": request.membership, "now": request.now}
    match request.POST.get("verb"):
        case "up" | "down" as way:
            move_entry(kind, entry.key, up=way == "up", **who)
            return f"{entry.name} moved"
        case "archive":
            archive_entry(kind, entry.key, **who)
            return f"{entry.name} archived"
        case "restore":
            restore_entry(kind, entry.key, **who)
            return f"{entry.name} is back"
    raise CannotEdit("Choose what to do with it.")


def _named(request: WorkspaceRequest) -> tuple[str, Entry | None]:
    kind = request.POST.get("kind", "")
    kind = kind if kind in Kind.values else Kind.TYPE
    return kind, current_lists().known(kind, request.POST.get("key", ""))


def _page(
    request: WorkspaceRequest,
    kind: str,
    *,
    added: EntryForm | None = None,
    edited: tuple[str, EntryForm] | None = None,
    refusal: str = "",
) -> HttpResponse:
    lists = current_lists()
    wrong, form = edited or ("", None)
    rows = [
        (entry, form if entry.key == wrong and form else EntryForm(None, kind=kind, lists=lists, entry=entry, at=at))
        for at, entry in enumerate(lists.offered(kind))
    ]
    context: dict[str, Any] = {
        "kind": Kind(kind),
        "kinds": [(one, reverse("cta_lists:list", args=[request.tenant.slug, one])) for one in Kind],
        "text": TEXTS[Kind(kind)],
        "rows": rows,
        "wrong": wrong,
        "archived": lists.archived(kind),
        "added": added or EntryForm(None, kind=kind, lists=lists),
        "refusal": refusal,
        "categories": CATEGORIES,
    }
    failed = bool(added or edited or refusal)
    return render_page(request, "ctas/settings/list.html", context, status=422 if failed else 200)


def _done(request: WorkspaceRequest, kind: str, text: str) -> HttpResponse:
    if request.headers.get("HX-Request") == "true":
        return toast(HttpResponse(status=204), text)
    messages.success(request, text)
    return HttpResponseRedirect(reverse("cta_lists:list", args=[request.tenant.slug, kind]))
