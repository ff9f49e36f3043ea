"""Segments: the list, making and changing one, its members, and who is put in or taken out by hand."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.fields import workspace_fields
from accounts.models import Account, EndUser, Segment
from accounts.places import Place
from accounts.rule_field import EditsRules, RuleField, people_of
from accounts.rules.fields import Subject
from accounts.rules.segments import PREFIX
from accounts.segments import defining
from accounts.segments.defining import CannotSave, Wording
from accounts.segments.listing import kept_out, members_of, segment_rows, with_counts
from accounts.segments.members import Outcome, add_by_hand, remove_by_hand
from accounts.views.loading import CHANGED
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, go_to, render_page, requires, toast, trigger

TABS = {"accounts": Segment.Scope.ACCOUNT, "users": Segment.Scope.USER}
ARCHIVED_SHOWN = 200
OFFERED = 8
SEARCH_LIMIT = 100
CHOOSE = "Choose somebody of the list."


class SegmentForm(EditsRules, forms.Form):
    name = forms.CharField(max_length=100)
    description = forms.CharField(max_length=500, required=False, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, *args: Any, scope: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["rule"] = RuleField(Subject(scope), required=False)

    @property
    def wording(self) -> Wording:
        given = self.cleaned_data
        return Wording(given["name"], given["description"], given["rule"])


# --- the list ---------------------------------------------------------------------------------------------------------


@require_safe
@requires(Ability.READ)
def segment_list(request: WorkspaceRequest, slug: str) -> HttpResponse:
    tab = request.GET.get("tab", "")
    tab = tab if tab in (*TABS, "archived") else "accounts"
    shown = Segment.objects.order_by("name", "pk")
    shown = (
        shown.filter(archived_at__isnull=False)[:ARCHIVED_SHOWN]
        if tab == "archived"
        else shown.filter(archived_at=None, scope=TABS[tab])
    )
    people = people_of(request.tenant.pk)
    context = {
        "tab": tab,
        "tabs": [("accounts", "Accounts"), ("users", "Users"), ("archived", "Archived")],
        "rows": segment_rows(with_counts(shown), fields=workspace_fields(), people=people),
        "scope": TABS.get(tab, Segment.Scope.ACCOUNT),
    }
    return render_page(request, "accounts/segments/list.html", context)


# --- making and changing ----------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.MANAGE_DATA)
def new_segment(request: WorkspaceRequest, slug: str) -> HttpResponse:
    scope = request.GET.get("scope", Segment.Scope.ACCOUNT)
    if scope not in Segment.Scope.values:
        raise Http404("No such kind of segment.")
    form = SegmentForm(request.POST if request.method == "POST" else None, scope=scope)
    if form.is_valid():
        try:
            made = defining.create_segment(
                scope=scope, wording=form.wording, tenant=request.tenant, by=request.membership, now=request.now
            )
            return _saved(request, made)
        except CannotSave as refusal:
            form.add_error(refusal.field or None, ValidationError(str(refusal)))
    return _form_page(request, form, scope, None)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.MANAGE_DATA)
def edit_segment(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    segment = _present_or_404(pk)
    initial = {"name": segment.name, "description": segment.description, "rule": segment.rule}
    form = SegmentForm(request.POST if request.method == "POST" else None, scope=segment.scope, initial=initial)
    if form.is_valid():
        try:
            changed = defining.edit_segment(
                segment, wording=form.wording, tenant=request.tenant, by=request.membership, now=request.now
            )
            return _saved(request, changed)
        except CannotSave as refusal:
            form.add_error(refusal.field or None, ValidationError(str(refusal)))
    return _form_page(request, form, segment.scope, segment)


def _form_page(request: WorkspaceRequest, form: SegmentForm, scope: str, segment: Segment | None) -> HttpResponse:
    status = 422 if form.is_bound and not form.is_editing else 200
    context = {"form": form, "scope": scope, "segment": segment}
    return render_page(request, "accounts/segments/form.html", context, status=status)


def _saved(request: WorkspaceRequest, segment: Segment) -> HttpResponse:
    waits = segment.rule is not None and segment.evaluated_at is None
    words = f"{segment.name} saved" + (". Its rule is asked at the next evaluation" if waits else "")
    messages.success(request, words)
    return go_to(request, reverse("segments:detail", args=[request.tenant.slug, segment.pk]))


@require_POST
@requires(Ability.MANAGE_DATA)
def archive_segment(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    segment = get_object_or_404(Segment, pk=pk)
    defining.archive_segment(segment, by=request.membership, now=request.now)
    messages.success(request, f"{segment.name} archived. Its members stay for rules that still ask about it.")
    return go_to(request, reverse("segments:list", args=[slug]))


@require_POST
@requires(Ability.MANAGE_DATA)
def restore_segment(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    segment = get_object_or_404(Segment, pk=pk)
    try:
        defining.restore_segment(segment, tenant=request.tenant, by=request.membership, now=request.now)
        messages.success(request, f"{segment.name} restored")
    except CannotSave as refusal:
        messages.error(request, str(refusal))
    return go_to(request, reverse("segments:detail", args=[slug, pk]))


# --- members ----------------------------------------------------------------------------------------------------------


@require_safe
@requires(Ability.READ)
def segment_page(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    return render_page(request, "accounts/segments/segment.html", _page(request, get_object_or_404(Segment, pk=pk)))


def _page(request: WorkspaceRequest, segment: Segment, refusal: str = "") -> dict[str, Any]:
    show = request.GET.get("show", "")
    after = Place.read(request.GET.get("after", ""))
    counted = with_counts(Segment.objects.filter(pk=segment.pk))
    [row] = segment_rows(counted, fields=workspace_fields(), people=people_of(request.tenant.pk))
    return {
        "segment": segment,
        "row": row,
        "show": show if show in ("left", "out") else "in",
        "members": None if show == "out" else members_of(segment, gone=show == "left", after=after),
        "bars": kept_out(segment) if show == "out" else (),
        "is_first": after is None,
        "refusal": refusal,
        "who": request.POST.get("who", ""),
        "is_of_accounts": segment.scope == Segment.Scope.ACCOUNT,
        "filter": f'{{"field":"{PREFIX}{segment.pk}","op":"in"}}',
    }


@require_safe
@requires(Ability.EDIT_ACCOUNTS)
def suggest(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """Names that begin with, or contain, what was typed."""
    segment = get_object_or_404(Segment, pk=pk)
    words = request.GET.get("who", "").replace("\x00", "").strip()[:SEARCH_LIMIT]
    found = _candidates(segment).filter(name__icontains=words).order_by("name", "pk") if words else ()
    return render(request, "accounts/segments/_options.html", {"found": found[:OFFERED]})


@require_POST
@requires(Ability.EDIT_ACCOUNTS)
def add_member(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """By name or external id (`who`), or by id (`subject`) where a page knows it."""
    segment = _present_or_404(pk)
    found = _asked_for(segment, request)
    if isinstance(found, str):
        return render_page(request, "accounts/segments/segment.html", _page(request, segment, found), status=422)
    [outcome] = add_by_hand(segment=segment, subjects=[found.pk], by=request.membership, now=request.now)
    words = f"{found} is in {segment.name}" + (" already" if outcome == Outcome.UNCHANGED else " now")
    return _moved(request, segment, words)


@require_POST
@requires(Ability.EDIT_ACCOUNTS)
def remove_member(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    segment = _present_or_404(pk)
    if not request.POST.get("subject", "").isdecimal():
        return render_page(request, "accounts/segments/segment.html", _page(request, segment, CHOOSE), status=422)
    subject = get_object_or_404(_kind(segment).objects.all(), pk=_number(request.POST.get("subject", "")))
    remove_by_hand(segment=segment, subjects=[subject.pk], by=request.membership, now=request.now)
    return _moved(request, segment, f"{subject} taken out of {segment.name}. Automation will not put it back")


def _moved(request: WorkspaceRequest, segment: Segment, words: str) -> HttpResponse:
    if request.headers.get("HX-Request") == "true" and request.POST.get("from") == "subject":
        return trigger(toast(HttpResponse(status=204), words), CHANGED, {})
    messages.success(request, words)
    back = request.POST.get("subject", "")
    if request.POST.get("from") == "subject" and segment.scope == Segment.Scope.ACCOUNT:
        return redirect("accounts:detail", request.tenant.slug, _number(back))
    return go_to(request, reverse("segments:detail", args=[request.tenant.slug, segment.pk]))


def _asked_for(segment: Segment, request: WorkspaceRequest) -> Account | EndUser | str:
    """Whom, or why nobody."""
    if "subject" in request.POST and not request.POST["subject"].isdecimal():
        return CHOOSE
    if "subject" in request.POST:
        found: Account | EndUser = get_object_or_404(_candidates(segment), pk=_number(request.POST["subject"]))
        return found
    words = request.POST.get("who", "").replace("\x00", "").strip()[:SEARCH_LIMIT]
    noun = "account" if segment.scope == Segment.Scope.ACCOUNT else "user"
    if not words:
        return f"Write the name of the {noun}."
    named = list(_candidates(segment).filter(_called(segment, words)).order_by("pk")[:2])
    if len(named) > 1:
        return f"Several {noun}s are called {words}. Write the external ID of the one you mean."
    return named[0] if named else f"There is no {noun} called {words}."


def _called(segment: Segment, words: str) -> Q:
    called = Q(name__iexact=words) | Q(external_id=words)
    return called if segment.scope == Segment.Scope.ACCOUNT else called | Q(email__iexact=words)


def _candidates(segment: Segment) -> "QuerySet[Any]":
    return _kind(segment).objects.filter(archived_at=None)


def _kind(segment: Segment) -> Any:
    return Account if segment.scope == Segment.Scope.ACCOUNT else EndUser


def _present_or_404(pk: int) -> Segment:
    return get_object_or_404(Segment, pk=pk, archived_at=None)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise Http404("No such id.")
    return int(text)
