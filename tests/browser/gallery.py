"""A workspace page of tests only: every component once, a drawer, a dialog and a toast to open."""

from datetime import date
from pathlib import Path
from types import SimpleNamespace

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import include, path

from cs_platform.tenancy.roles import Ability
from cs_platform.urls import urlpatterns as product
from cs_platform.web.pages import WorkspaceRequest, close_dialog, render_page, requires, toast

TEMPLATES = Path(__file__).parent / "templates"
RUNS = [
    SimpleNamespace(state=state, percent=percent, applied_on=date(2026, 9, 9), marks=marks, url="?history=1")
    for state, percent, marks in (
        ("active", 78, ["done", "done", "next", "to come"]),
        ("active", 44, ["done", "failed", "skipped", "next"]),
        ("completed", 100, ["done", "done"]),
        ("stopped", 40, ["undone", "undone", "to come"]),
    )
]


class NoteForm(forms.Form):
    note = forms.CharField(widget=forms.Textarea, help_text="Your team sees it.")
    kind = forms.ChoiceField(choices=[("a", "Call"), ("b", "Visit")], required=False)
    pinned = forms.BooleanField(required=False)


@requires(Ability.READ)
def gallery(request: WorkspaceRequest, slug: str) -> HttpResponse:
    fragments = {"drawer": "gallery_drawer.html"} if "history" in request.GET else {}
    context = {"runs": RUNS, "form": NoteForm(), "names": ["Solmar Energy", "Calyx Biosystems", "Drumlin"]}
    return render_page(request, "gallery.html", context, fragments=fragments)


@requires(Ability.READ)
def note(request: WorkspaceRequest, slug: str) -> HttpResponse:
    form = NoteForm(request.POST or None, prefix="new")
    if request.method == "POST" and form.is_valid():
        return close_dialog(toast(HttpResponse(status=204), "Note kept", undo=request.path + "undo/"))
    status = 422 if request.method == "POST" else 200
    return render(request, "gallery_dialog.html", {"form": form}, status=status)


@requires(Ability.READ)
def undo(request: WorkspaceRequest, slug: str) -> HttpResponse:
    return toast(HttpResponse(status=204), "Note taken back")


def crash(request: WorkspaceRequest, slug: str) -> HttpResponse:
    raise RuntimeError("on purpose")


pages = [
    path("", gallery, name="list"),
    path("note/", note, name="note"),
    path("note/undo/", undo),
    path("crash/", crash, name="crash"),
]
urlpatterns = [path("w/<slug:slug>/gallery/", include((pages, "gallery"))), *product]
handler500 = "cs_platform.web.errors.server_error"
