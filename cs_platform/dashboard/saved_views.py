"""Keeping a list as a saved view, and everything that can be done with one: the same for every page that has them."""

from http import HTTPStatus

from django.conf import settings
from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from cs_platform.tenancy.models import Membership
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, close_dialog, go_to, render_page, requires, toast, trigger
from cs_platform.web.saved_views import ALL, key_of, setup_of, views_beside
from cs_platform.workspace import saved_views
from cs_platform.workspace.models import SavedView
from cs_platform.workspace.saved_views import CannotSave, query_of
from cs_platform.workspace.view_counts import count_views
from cs_platform.workspace.view_icons import icon_of

from .forms import ViewForm

CHANGED = "views:changed"  # the browser event on which pages reload their lists
COUNTED_FOR = 60  # seconds


@require_http_methods(["GET", "POST"])
@requires(Ability.READ)
def new_view(request: WorkspaceRequest, slug: str, page: str) -> HttpResponse:
    """The list to keep is the rest of the address."""
    back = f"{_page(request, page)}?{request.GET.urlencode(safe=':')}"
    form = ViewForm(request.POST or None, member=request.membership)
    if not form.is_valid():
        return _form(request, form, page, title="Save view", back=back)
    try:
        view = saved_views.save_view(
            page=page,
            name=form.cleaned_data["name"],
            setup=setup_of(request.GET),
            owner=request.membership,
            is_shared=form.is_shared,
            icon=form.cleaned_data["icon"],
            now=request.now,
        )
    except CannotSave as problem:
        form.add_error("name", str(problem))
        return _form(request, form, page, title="Save view", back=back)
    _set_defaults(view, form, request.membership)
    messages.success(request, f"View saved: {view.name}")
    return go_to(request, f"{_page(request, page)}?{query_of(view)}")


@require_http_methods(["GET", "POST"])
@requires(Ability.READ)
def edit_view(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    view = _present(request, pk)
    if refusal := _refused(request, view):
        return refusal
    back = f"{_page(request, view.page)}?{query_of(view)}"
    form = ViewForm(request.POST or None, member=request.membership, view=view)
    if not form.is_valid():
        return _form(request, form, view.page, title="Edit view", back=back, view=view)
    try:
        named = {name: form.cleaned_data[name] for name in ("name", "icon")}
        saved_views.rename_view(view, **named, is_shared=form.is_shared, now=request.now)
    except CannotSave as problem:
        form.add_error("name", str(problem))
        return _form(request, form, view.page, title="Edit view", back=back, view=view)
    _set_defaults(view, form, request.membership)
    return _done(request, view, f"View saved: {view.name}")


@require_POST
@requires(Ability.READ)
def keep_view(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """The view becomes what the list is now: the rest of the address."""
    view = _present(request, pk)
    if refusal := _refused(request, view):
        return refusal
    try:
        saved_views.keep_setup(view, setup=setup_of(request.GET), now=request.now)
    except CannotSave as problem:
        return HttpResponse(str(problem), status=HTTPStatus.UNPROCESSABLE_ENTITY)
    return _done(request, view, f"View saved: {view.name}")


@require_POST
@requires(Ability.READ)
def keep_columns(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """The form of the columns says the whole list; of that the view takes over the columns, and the list shows them."""
    view = _present(request, pk)
    if refusal := _refused(request, view):
        return refusal
    shown = request.POST.copy()
    shown.pop("csrfmiddlewaretoken", None)
    try:
        saved_views.keep_columns(view, shown=setup_of(shown), now=request.now)
    except CannotSave as problem:
        return HttpResponse(str(problem), status=HTTPStatus.UNPROCESSABLE_ENTITY)
    messages.success(request, f"Columns saved to the view {view.name}")
    return go_to(request, f"{_page(request, view.page)}?{shown.urlencode(safe=':')}")


@require_POST
@requires(Ability.READ)
def delete_view(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    view = _present(request, pk)
    if refusal := _refused(request, view):
        return refusal
    saved_views.delete_view(view, now=request.now)
    undo = reverse("dashboard:restore-view", args=[request.tenant.slug, view.pk])
    return _done(request, view, f"View deleted: {view.name}", undo=undo)


@require_POST
@requires(Ability.READ)
def restore_view(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    view = get_object_or_404(_visible(request).exclude(archived_at=None), pk=pk)
    if refusal := _refused(request, view):
        return refusal
    try:
        saved_views.restore_view(view, now=request.now)
    except CannotSave as problem:
        return toast(HttpResponse(status=HTTPStatus.NO_CONTENT), str(problem))
    return _done(request, view, f"View restored: {view.name}")


@require_safe
@requires(Ability.READ)
def view_counts(request: WorkspaceRequest, slug: str) -> HttpResponse:
    """Beside the views in the sidebar. The browser asks at every page and keeps the answer for a minute, for whoever is
    signed in now.
    """
    views = views_beside(request)
    counts = count_views(views, tenant=request.tenant, member=request.membership, now=request.now)
    context = {"counts": [(key_of(view), counts.get(view.pk)) for view in views]}
    response = render_page(request, "dashboard/_view_counts.html", context)
    patch_cache_control(response, private=True, max_age=COUNTED_FOR)
    patch_vary_headers(response, ["Cookie"])
    return response


def _page(request: WorkspaceRequest, page: str) -> str:
    return reverse(settings.PAGES_WITH_VIEWS[page], args=[request.tenant.slug])


def _visible(request: WorkspaceRequest) -> QuerySet[SavedView]:
    return SavedView.objects.filter(Q(owner=request.membership) | Q(is_shared=True))


def _present(request: WorkspaceRequest, pk: int) -> SavedView:
    return get_object_or_404(_visible(request).filter(archived_at=None), pk=pk)


def _refused(request: WorkspaceRequest, view: SavedView) -> HttpResponse | None:
    """A colleague's shared view can be used by all; why it cannot be changed is a sentence, not a closed door."""
    if saved_views.may_edit(request.membership, view):
        return None
    return _done(request, view, "Only its owner and admins change a shared view. Save it as one of your own.")


def _set_defaults(view: SavedView, form: ViewForm, member: Membership) -> None:
    for field, whose in (("opens_for_me", member), ("opens_for_all", None)):
        if field in form.fields:
            act = saved_views.set_default if form.cleaned_data[field] else saved_views.unset_default
            act(view, member=whose)


def _form(
    request: WorkspaceRequest, form: ViewForm, page: str, *, title: str, back: str, view: SavedView | None = None
) -> HttpResponse:
    return render_page(
        request,
        "dashboard/view.html",
        {
            "form": form,
            "page_icon": icon_of(page, ""),
            "title": title,
            "here": request.get_full_path(),
            "back": back,
            "view": view,
        },
        fragments={"dialog": "dashboard/_view_dialog.html"},
        status=HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK,
    )


def _done(request: WorkspaceRequest, view: SavedView, text: str, *, undo: str | None = None) -> HttpResponse:
    """The list beside reloads itself, or without scripts the page as a whole."""
    if request.headers.get("HX-Request") == "true":
        response = close_dialog(toast(HttpResponse(status=HTTPStatus.NO_CONTENT), text, undo=undo))
        return trigger(response, CHANGED, {})
    messages.success(request, text)
    query = f"{saved_views.VIEW}={ALL}" if undo else query_of(view)
    return redirect(f"{_page(request, view.page)}?{query}")
