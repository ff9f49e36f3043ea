"""Links for the customer, as the team sees them: making, changing, revoking, looking at the page, and who opened it."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.actors import load_actors
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, render_page, requires
from success_plans import guests, sharing
from success_plans.forms import GuestForm, ShareForm, show_refusal
from success_plans.models import ShareLink, SuccessPlan
from success_plans.planning import CannotPlan
from success_plans.sharing import shared_plan, visits_of
from success_plans.views.loading import BEATEN, dialog, link_or_404, plan_or_404, told


@require_safe
@requires(Ability.READ)
def links(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """The page of a plan's links."""
    return _links_page(request, plan_or_404(pk))


def _links_page(request: WorkspaceRequest, plan: SuccessPlan, *, made: str = "") -> HttpResponse:
    """`made` is the address of a link that was just made: nobody can show it again."""
    found = list(plan.links.order_by("-created_at", "-pk")[: sharing.MOST_LINKS])
    actors = load_actors({link.created_by for link in found})
    opened = {link.pk: visits_of(link) for link in found}
    context = {
        "plan": plan,
        "links": [(link, actors[link.created_by], opened[link.pk], link.holds_at(request.now)) for link in found],
        "made": made,
    }
    return render_page(request, "plans/links.html", context, fragments={"links": "plans/_links.html"})


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.EDIT_ACCOUNTS)
def new_link(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """Answers with the page of links, the address of the new one on it, whoever asked: it is there only this once."""
    plan = plan_or_404(pk)
    form = ShareForm(request.POST if request.method == "POST" else None, plan=plan)
    if form.is_valid():
        try:
            facts: dict[str, Any] = form.cleaned_data
            _link, token = sharing.make_link(plan, **facts, by=request.membership, now=request.now)
            return _links_page(request, plan, made=request.build_absolute_uri(reverse("shared:plan", args=[token])))
        except CannotPlan as refusal:
            show_refusal(form, refusal)
    return _form_page(request, plan, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.EDIT_ACCOUNTS)
def edit_link(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    link = link_or_404(pk)
    form = ShareForm(request.POST if request.method == "POST" else None, plan=link.plan, link=link)
    if form.is_valid():
        try:
            acted = sharing.change_link(link, **form.cleaned_data, by=request.membership, now=request.now)
            return told(request, link.plan, f"Saved: {link.name}" if acted else "It was revoked")
        except CannotPlan as refusal:
            show_refusal(form, refusal)
    return _form_page(request, link.plan, form, link)


def _form_page(request: WorkspaceRequest, plan: SuccessPlan, form: ShareForm, link: ShareLink | None) -> HttpResponse:
    title = f"Change what {link.name} sees" if link else "Share with the customer"
    return dialog(request, "plans/_share_dialog.html", {"plan": plan, "link": link, "title": title}, form=form)


@require_POST
@requires(Ability.EDIT_ACCOUNTS)
def revoke(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    link = link_or_404(pk)
    acted = sharing.revoke_link(link, by=request.membership, now=request.now)
    return told(request, link.plan, f"Revoked: {link.name}. Whoever opens it sees that it is over" if acted else BEATEN)


@require_safe
@requires(Ability.READ)
def preview(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """As the customer sees it; looking here is no visit."""
    link = link_or_404(pk)
    shown = shared_plan(link, today=timezone.localdate(request.now))
    context = {"shown": shown, "workspace": request.tenant.name, "account": link.plan.account.name, "previewed": link}
    if guests.ACT in link.parts:
        context["guest_form"] = GuestForm()
    return render(request, "plans/shared.html", context)
