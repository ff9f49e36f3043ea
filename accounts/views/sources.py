"""Settings → Data sources: write keys, what waits, and the page of problems of each."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.forms import SourceForm
from accounts.ingest.draining import retry
from accounts.models import DataSource
from accounts.sources import (
    EXPORTS,
    SHOWN_PROBLEMS,
    TooManySources,
    clear_problems,
    close_source,
    load_problems,
    load_set_aside,
    load_standings,
    open_source,
    rotate_key,
    standing_of,
)
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, render_page, requires


@requires(Ability.MANAGE_DATA)
def list_sources(request: WorkspaceRequest, slug: str) -> HttpResponse:
    if request.method != "POST":
        return _listed(request, SourceForm())
    form = SourceForm(request.POST)
    if not form.is_valid():
        return _listed(request, form, status=422)
    try:
        with transaction.atomic():
            source, key = open_source(name=form.cleaned_data["name"], by=request.membership, now=request.now)
    except TooManySources as refusal:
        form.add_error("name", str(refusal))
        return _listed(request, form, status=422)
    return _shown(request, source, key=key)


def _listed(request: WorkspaceRequest, form: SourceForm, *, status: int = 200) -> HttpResponse:
    context = {"standings": load_standings(), "form": form}
    return render_page(request, "accounts/sources/list.html", context, status=status)


@require_safe
@requires(Ability.MANAGE_DATA)
def show_source(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    return _shown(request, _source_or_404(pk))


@never_cache
def _shown(request: WorkspaceRequest, source: DataSource, *, key: str = "") -> HttpResponse:
    """With its key, this once."""
    host = request.build_absolute_uri("/").rstrip("/")
    more = {"source": source, "key": key, "host": host, "set_aside": load_set_aside(source)}
    return render_page(request, "accounts/sources/detail.html", _standing(source) | more)


def _standing(source: DataSource | None) -> dict[str, Any]:
    problems = load_problems(source.actor if source else EXPORTS)
    return {"standing": standing_of(source), "problems": problems, "is_cut": len(problems) == SHOWN_PROBLEMS}


@require_safe
@requires(Ability.MANAGE_DATA)
def exports(request: WorkspaceRequest, slug: str) -> HttpResponse:
    return render_page(request, "accounts/sources/detail.html", _standing(None))


@require_POST
@requires(Ability.MANAGE_DATA)
def rotate(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    source = _source_or_404(pk)
    if source.revoked_at:
        return _back(request, source, f"{source.name} is closed; open a new source instead.")
    return _shown(request, source, key=rotate_key(source, by=request.membership, now=request.now))


@require_POST
@requires(Ability.MANAGE_DATA)
def close(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    source = _source_or_404(pk)
    close_source(source, by=request.membership, now=request.now)
    return _back(request, source, f"{source.name} is closed. What it has sent is still taken in.")


@require_POST
@requires(Ability.MANAGE_DATA)
def retry_batches(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    source = _source_or_404(pk)
    retried = retry(source, now=request.now)
    return _back(request, source, "They are tried again now." if retried else "Nothing was set aside.")


@require_POST
@requires(Ability.MANAGE_DATA)
def clear(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    source = _source_or_404(pk)
    clear_problems(source.actor)
    return _back(request, source, "The list is empty. What still comes wrong will be listed anew.")


@require_POST
@requires(Ability.MANAGE_DATA)
def clear_exports(request: WorkspaceRequest, slug: str) -> HttpResponse:
    clear_problems(EXPORTS)
    messages.success(request, "The list of problems is empty.")
    return redirect("sources:list", slug)


def _source_or_404(pk: int) -> DataSource:
    return get_object_or_404(DataSource.objects.select_related("created_by"), pk=pk)


def _back(request: WorkspaceRequest, source: DataSource, text: str) -> HttpResponse:
    messages.success(request, text)
    return redirect(reverse("sources:detail", args=[request.tenant.slug, source.pk]))
