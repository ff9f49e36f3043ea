"""Settings: which traits there are, what each is, and what changing one would do."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import trait_jobs, trait_settings
from accounts.definitions import CannotDefine, define_trait
from accounts.fast_traits import CannotBeFast
from accounts.models import TraitDefinition
from accounts.trait_forms import NewTraitForm, TraitForm
from accounts.trait_settings import CannotChange
from cs_platform.jobs.models import Job
from cs_platform.tenancy.roles import Ability
from cs_platform.web.jobs import started
from cs_platform.web.pages import WorkspaceRequest, render_page, requires

REFUSED_SHOWN = 20
FRAGMENTS = {"trait": "accounts/settings/_trait.html"}


@require_safe
@requires(Ability.MANAGE_DATA)
def trait_list(request: WorkspaceRequest, slug: str) -> HttpResponse:
    scope = TraitDefinition.Scope
    chosen = scope.USER if request.GET.get("of") == scope.USER else scope.ACCOUNT
    traits = list(trait_settings.listed(chosen))
    used = trait_settings.usage_of(traits)
    context = {
        "scope": chosen,
        "traits": [(one, used.get(one.pk, 0)) for one in traits],
        "counted": trait_settings.COUNTED,
    }
    return render_page(request, "accounts/settings/traits.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.MANAGE_DATA)
def define(request: WorkspaceRequest, slug: str) -> HttpResponse:
    initial = {"scope": request.GET.get("of", TraitDefinition.Scope.ACCOUNT)}
    form = NewTraitForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            definition = define_trait(**form.cleaned_data, by=request.membership, now=request.now)
        except CannotDefine as refusal:
            form.add_error(refusal.field, str(refusal))
        else:
            return _done(request, definition, f"{definition.label} defined")
    context = {"form": form}
    return render_page(request, "accounts/settings/new_trait.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.MANAGE_DATA)
def trait_page(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """A POST changes its name, description and choices."""
    definition = _definition(pk)
    form = TraitForm(request.POST if request.method == "POST" else None, definition=definition)
    if request.method == "POST" and form.is_valid():
        try:
            trait_settings.describe_trait(definition, **form.cleaned_data, by=request.membership, now=request.now)
        except CannotChange as refusal:
            form.add_error(None, str(refusal))
        else:
            return _done(request, definition, f"{definition.label} saved")
    return _page(request, definition, form=form, status=422 if form.is_bound else 200)


@require_POST
@requires(Ability.MANAGE_DATA)
def change_type(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """First it is tried: `clearing` says how many values somebody has seen that would be lost."""
    definition, type, clearing = _definition(pk), request.POST.get("type", ""), request.POST.get("clearing", "")
    by: Any = {"by": request.membership, "now": request.now}
    try:
        if clearing.isascii() and clearing.isdecimal() and len(clearing) < 10:
            return started(request, trait_jobs.change_type(definition, type, clearing=int(clearing), **by))
        return started(request, trait_jobs.check_type(definition, type, **by))
    except CannotChange as refusal:
        return _page(request, definition, error=str(refusal), status=422)


@require_POST
@requires(Ability.MANAGE_DATA)
def feed_column(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """`column` empty: it feeds none any more."""
    definition, column = _definition(pk), request.POST.get("column", "")
    try:
        return started(request, trait_jobs.feed_column(definition, column, by=request.membership, now=request.now))
    except CannotChange as refusal:
        return _page(request, definition, error=str(refusal), status=422)


@require_POST
@requires(Ability.MANAGE_DATA)
def switch(request: WorkspaceRequest, slug: str, pk: int, verb: str) -> HttpResponse:
    definition = _definition(pk)
    if verb != "fast":
        return _done(request, definition, f"{definition.label} {_switched(request, definition, verb)}")
    try:
        return started(request, trait_jobs.make_fast(definition, by=request.membership, now=request.now))
    except (CannotBeFast, CannotChange) as refusal:
        return _page(request, definition, error=str(refusal), status=422)


def _switched(request: WorkspaceRequest, definition: TraitDefinition, verb: str) -> str:
    by, now = request.membership, request.now
    if verb == "archive":
        trait_settings.archive_trait(definition, by=by, now=now)
        return "archived"
    if verb == "restore":
        trait_settings.restore_trait(definition, by=by, now=now)
        return "is back"
    trait_settings.set_fast(definition, fast=False, by=by, now=now)
    return "is not fast any more"


def _page(
    request: WorkspaceRequest, definition: TraitDefinition, *, form: Any = None, error: str = "", status: int = 200
) -> HttpResponse:
    tried = _tried(definition)
    context = {
        "definition": definition,
        "form": form or TraitForm(definition=definition),
        "error": error,
        "tried": tried,
        "refused": tried.errors.order_by("position")[:REFUSED_SHOWN] if tried else (),
        "types": trait_settings.types_for(definition),
        "columns": trait_settings.columns_for(definition),
        "used": trait_settings.usage_of([definition]).get(definition.pk, 0),
        "counted": trait_settings.COUNTED,
    }
    return render_page(request, "accounts/settings/trait.html", context, fragments=FRAGMENTS, status=status)


def _tried(definition: TraitDefinition) -> Job | None:
    """The last work on it, if that was a dry run that came to its end."""
    last = trait_jobs.work_on(definition).first()
    return last if last and last.kind == trait_jobs.CHECK and last.state == Job.State.DONE else None


def _definition(pk: int) -> TraitDefinition:
    return get_object_or_404(TraitDefinition, pk=pk)


def _done(request: WorkspaceRequest, definition: TraitDefinition, text: str) -> HttpResponse:
    messages.success(request, text)
    return HttpResponseRedirect(reverse("traits:detail", args=[request.tenant.slug, definition.pk]))
