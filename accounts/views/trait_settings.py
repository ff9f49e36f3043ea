"""Settings: which traits there are, what each is, and what changing one would do."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import trait_settings
from accounts.definitions import CannotDefine, define_trait
from accounts.fast_traits import CannotBeFast
from accounts.models import TraitDefinition
from accounts.trait_forms import NewTraitForm, TraitForm
from accounts.trait_settings import CannotChange, Retyping
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, render_page, requires


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
    """A POST changes its name, description and choices. `?type=` shows what another type would do."""
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
    definition = _definition(pk)
    try:
        done = trait_settings.change_type(
            definition, request.POST.get("type", ""), by=request.membership, now=request.now
        )
    except CannotChange as refusal:
        return _page(request, definition, error=str(refusal), status=422)
    words = f"{definition.label} is of the type {definition.get_type_display()} now"
    return _done(request, definition, f"{words}; {done.lost:,} values were cleared" if done.lost else words)


@require_POST
@requires(Ability.MANAGE_DATA)
def feed_column(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """`column` empty: it feeds none any more."""
    definition, column = _definition(pk), request.POST.get("column", "")
    try:
        if column:
            trait_settings.feed_column(definition, column, by=request.membership, now=request.now)
        else:
            trait_settings.stop_feeding(definition, by=request.membership, now=request.now)
    except CannotChange as refusal:
        return _page(request, definition, error=str(refusal), status=422)
    return _done(request, definition, f"{definition.label} saved")


@require_POST
@requires(Ability.MANAGE_DATA)
def switch(request: WorkspaceRequest, slug: str, pk: int, verb: str) -> HttpResponse:
    definition = _definition(pk)
    try:
        text = _switched(request, definition, verb)
    except CannotBeFast as refusal:
        return _page(request, definition, error=str(refusal), status=422)
    return _done(request, definition, f"{definition.label} {text}")


def _switched(request: WorkspaceRequest, definition: TraitDefinition, verb: str) -> str:
    by, now = request.membership, request.now
    if verb == "archive":
        trait_settings.archive_trait(definition, by=by, now=now)
        return "archived"
    if verb == "restore":
        trait_settings.restore_trait(definition, by=by, now=now)
        return "is back"
    trait_settings.set_fast(definition, fast=verb == "fast", by=by, now=now)
    return "is fast now" if verb == "fast" else "is not fast any more"


def _page(
    request: WorkspaceRequest, definition: TraitDefinition, *, form: Any = None, error: str = "", status: int = 200
) -> HttpResponse:
    retyping, refusal = _previewed(definition, request.GET.get("type", ""))
    context = {
        "definition": definition,
        "form": form or TraitForm(definition=definition),
        "error": error or refusal,
        "retyping": retyping,
        "types": trait_settings.types_for(definition),
        "columns": trait_settings.columns_for(definition),
        "used": trait_settings.usage_of([definition]).get(definition.pk, 0),
        "counted": trait_settings.COUNTED,
    }
    return render_page(request, "accounts/settings/trait.html", context, status=422 if refusal else status)


def _previewed(definition: TraitDefinition, type: str) -> tuple[Retyping | None, str]:
    if not type:
        return None, ""
    try:
        return trait_settings.preview_type(definition, type), ""
    except CannotChange as refusal:
        return None, str(refusal)


def _definition(pk: int) -> TraitDefinition:
    return get_object_or_404(TraitDefinition, pk=pk)


def _done(request: WorkspaceRequest, definition: TraitDefinition, text: str) -> HttpResponse:
    messages.success(request, text)
    return HttpResponseRedirect(reverse("traits:detail", args=[request.tenant.slug, definition.pk]))
