"""Settings: when messages leave and to whom none do; and what each of the team can take on."""

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts.conversations.sending import change_policy, the_policy
from accounts.conversations.suppressing import lift, suppress_by_hand
from accounts.models import Suppression
from accounts.places import Place, older_than
from accounts.sending_forms import PolicyForm, SuppressForm, WorkloadForm
from accounts.workload import loads, set_workload
from cs_platform.tenancy.models import Membership
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, render_page, requires

SHOWN = 50
NAMES = tuple(PolicyForm.base_fields)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.READ, to_post=Ability.MANAGE_DATA)
def sending(request: WorkspaceRequest, slug: str) -> HttpResponse:
    policy = the_policy()
    form = PolicyForm(request.POST or None, initial={name: getattr(policy, name) for name in NAMES})
    if request.method == "POST" and form.is_valid():
        change_policy(**form.cleaned_data, by=request.membership, now=request.now)
        return _done(request, "Sending hours and limits saved", "traits:sending")
    return _page(request, form, SuppressForm())


@require_POST
@requires(Ability.MANAGE_DATA)
def suppress(request: WorkspaceRequest, slug: str) -> HttpResponse:
    form = SuppressForm(request.POST)
    if not form.is_valid():
        policy = the_policy()
        return _page(request, PolicyForm(initial={name: getattr(policy, name) for name in NAMES}), form, status=422)
    email = form.cleaned_data["email"]
    new = suppress_by_hand(email, by=request.membership, now=request.now)
    return _done(
        request, f"Nobody writes to {email} any more" if new else f"{email} was listed already", "traits:sending"
    )


@require_POST
@requires(Ability.MANAGE_DATA)
def lift_suppression(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    listed = get_object_or_404(Suppression, pk=pk)
    lifted = lift(listed, by=request.membership, now=request.now)
    text = f"{listed.email} can be written to again" if lifted else f"{listed.email} unsubscribed: only they can return"
    return _done(request, text, "traits:sending")


def _page(request: WorkspaceRequest, form: PolicyForm, adding: SuppressForm, *, status: int = 200) -> HttpResponse:
    after = Place.read(request.GET.get("after", ""))
    listed = Suppression.objects.order_by("-since", "-pk")
    rows = list((listed.filter(older_than(after, "since")) if after else listed)[: SHOWN + 1])
    shown = rows[:SHOWN]
    context = {
        "form": form,
        "adding": adding,
        "suppressed": shown,
        "next": Place(shown[-1].since, shown[-1].pk) if len(rows) > SHOWN else None,
    }
    status = 422 if form.is_bound else status
    return render_page(request, "accounts/settings/sending.html", context, status=status)


@require_http_methods(["GET", "HEAD"])
@requires(Ability.READ)
def workload(request: WorkspaceRequest, slug: str) -> HttpResponse:
    return render_page(request, "accounts/settings/workload.html", {"loads": loads()})


@require_POST
@requires(Ability.MANAGE_DATA)
def edit_workload(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    member = get_object_or_404(Membership.objects.in_tenant(request.tenant.pk), pk=pk)
    form = WorkloadForm(request.POST)
    if not form.is_valid():
        context = {"loads": loads(), "wrong": member.pk, "form": form}
        return render_page(request, "accounts/settings/workload.html", context, status=422)
    set_workload(member, **form.cleaned_data, by=request.membership, now=request.now)
    return _done(request, f"Saved for {member.name}", "traits:workload")


def _done(request: WorkspaceRequest, text: str, page: str) -> HttpResponse:
    messages.success(request, text)
    return HttpResponseRedirect(reverse(page, args=[request.tenant.slug]))
