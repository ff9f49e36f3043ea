"""Members and teams: inviting, roles, leaving and coming back, and who looks after accounts together."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from cs_platform.tenancy.models import Membership, MembershipQuerySet
from cs_platform.tenancy.roles import Ability, Role, may_give
from cs_platform.web.pages import WorkspaceRequest, render_page, requires
from cs_platform.workspace import invitations, members, teams
from cs_platform.workspace.handover import hand_over, work_of
from cs_platform.workspace.invitations import CannotInvite
from cs_platform.workspace.members import CannotChange
from cs_platform.workspace.models import Invitation, OutgoingMail, Team, TeamMember

from .forms import InviteForm, TeamForm


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.READ, to_post=Ability.MANAGE_MEMBERS)
def member_list(request: WorkspaceRequest, slug: str) -> HttpResponse:
    form = InviteForm(request.POST if request.method == "POST" else None, by=request.membership)
    if form.is_valid():
        try:
            made = invitations.invite(**form.cleaned_data, by=request.membership, now=request.now)
        except CannotInvite as refusal:
            form.add_error("email", str(refusal))
        else:
            messages.success(request, f"Invitation sent to {made.email}")
            return redirect("dashboard:members", slug)
    context = {"form": form} | _everybody(request)
    return render_page(request, "dashboard/members.html", context, status=422 if form.is_bound else 200)


def _everybody(request: WorkspaceRequest) -> dict[str, Any]:
    team_of: dict[int, list[TeamMember]] = {}
    for place in TeamMember.objects.filter(team__archived_at=None).select_related("team").order_by("team__name", "pk"):
        team_of.setdefault(place.member_id, []).append(place)
    people = list(_team(request).order_by("deactivated_at", "name", "pk"))
    return {
        "active": [(one, team_of.get(one.pk, [])) for one in people if one.deactivated_at is None],
        "left": [one for one in people if one.deactivated_at],
        "invited": _invited(request),
    }


def _invited(request: WorkspaceRequest) -> list[tuple[Invitation, str]]:
    """With what became of its last mail."""
    waiting = list(
        Invitation.objects.filter(accepted_at=None, revoked_at=None).select_related("invited_by").order_by("email")
    )
    mails = OutgoingMail.objects.filter(invitation__in=waiting).order_by("pk")
    said = {mail.invitation_id: mail.get_state_display().lower() for mail in mails}
    return [(one, "expired" if one.expires_at <= request.now else f"mail {said.get(one.pk, '')}") for one in waiting]


@require_POST
@requires(Ability.MANAGE_MEMBERS)
def settle_invitation(request: WorkspaceRequest, slug: str, pk: int, verb: str) -> HttpResponse:
    invitation = get_object_or_404(Invitation.objects.all(), pk=pk)
    if verb == "again":
        acted = invitations.send_again(invitation, by=request.membership, now=request.now)
        text = f"Invitation sent again to {invitation.email}"
    else:
        acted = invitations.revoke(invitation, by=request.membership, now=request.now)
        text = f"Invitation of {invitation.email} revoked"
    messages.success(request, text if acted else "That invitation was settled before")
    return redirect("dashboard:members", slug)


@require_safe
@requires(Ability.MANAGE_MEMBERS)
def member_page(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    return _member_page(request, _member_or_404(request, pk))


def _member_page(request: WorkspaceRequest, member: Membership, *, problem: str = "") -> HttpResponse:
    own = Role(request.membership.role)
    context = {
        "member": member,
        "problem": problem,
        "may_change": may_give(own, Role(member.role)) and member.pk != request.membership.pk,
        "roles": [role for role in Role if may_give(own, role)],
        "work": work_of(member),
        "keys": members.usable_keys(member),
        "colleagues": _team(request).active().exclude(pk=member.pk).order_by("name", "pk"),
    }
    return render_page(request, "dashboard/member.html", context, status=422 if problem else 200)


@require_POST
@requires(Ability.MANAGE_MEMBERS)
def change_role(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    member, role = _member_or_404(request, pk), request.POST.get("role", "")
    if role not in Role.values:
        return _member_page(request, member, problem="Choose a role.")
    try:
        acted = members.change_role(member, role=role, by=request.membership, now=request.now)
    except CannotChange as refusal:
        return _member_page(request, member, problem=str(refusal))
    messages.success(request, f"{member.name} is {Role(role).label} now" if acted else "Nothing changed")
    return redirect("dashboard:member", slug, pk)


@require_POST
@requires(Ability.MANAGE_MEMBERS)
def deactivate(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """What is theirs goes to the colleague who was chosen, in the same transaction."""
    member, chosen = _member_or_404(request, pk), request.POST.get("to", "")
    to = _team(request).active().exclude(pk=pk).filter(pk=int(chosen)).first() if _is_id(chosen) else None
    if chosen and to is None:
        return _member_page(request, member, problem="Choose an active colleague.")
    try:
        keys = "revoke_keys" in request.POST
        acted = members.deactivate(member, revoke_keys=keys, by=request.membership, now=request.now)
    except CannotChange as refusal:
        return _member_page(request, member, problem=str(refusal))
    if to:
        hand_over(member, to, by=request.membership, now=request.now)
    text = f"{member.name} is deactivated" + (f"; {to.name} has their work" if to else "")
    messages.success(request, text if acted or to else "Nothing changed")
    return redirect("dashboard:members", slug)


@require_POST
@requires(Ability.MANAGE_MEMBERS)
def reactivate(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    member = _member_or_404(request, pk)
    try:
        members.reactivate(member, by=request.membership, now=request.now)
    except CannotChange as refusal:
        return _member_page(request, member, problem=str(refusal))
    messages.success(request, f"{member.name} is active again")
    return redirect("dashboard:member", slug, pk)


# --- teams ------------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.READ, to_post=Ability.MANAGE_MEMBERS)
def team_list(request: WorkspaceRequest, slug: str) -> HttpResponse:
    name, problem = request.POST.get("name", "").replace("\0", "").strip()[:100], ""
    if request.method == "POST":
        try:
            if not name:
                raise teams.CannotSave("Give the team a name.")
            made = teams.create_team(name=name, by=request.membership, now=request.now)
        except teams.CannotSave as refusal:
            problem = str(refusal)
        else:
            return redirect("dashboard:team", slug, made.pk)
    context = {"problem": problem, "name": name} | _teams()
    return render_page(request, "dashboard/teams.html", context, status=422 if problem else 200)


def _teams() -> dict[str, Any]:
    places: dict[int, list[TeamMember]] = {}
    for place in TeamMember.objects.select_related("member").order_by("-is_lead", "member__name", "pk"):
        places.setdefault(place.team_id, []).append(place)
    listed = [(team, places.get(team.pk, [])) for team in Team.objects.order_by("name", "pk")]
    return {
        "teams": [one for one in listed if one[0].archived_at is None],
        "archived": [team for team, _ in listed if team.archived_at],
    }


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.MANAGE_MEMBERS)
def team_page(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    team = get_object_or_404(Team.objects.filter(archived_at=None), pk=pk)
    people = list(_team(request).active().order_by("name", "pk"))
    form = TeamForm(request.POST if request.method == "POST" else None, people=people, team=team)
    if form.is_valid():
        try:
            teams.set_team(team, **form.chosen(), by=request.membership, now=request.now)
        except teams.CannotSave as refusal:
            form.add_error("name", str(refusal))
        else:
            messages.success(request, f"Team saved: {team.name}")
            return redirect("dashboard:teams", slug)
    context = {"team": team, "form": form, "people": form.lines()}
    return render_page(request, "dashboard/team.html", context, status=422 if form.is_bound else 200)


@require_POST
@requires(Ability.MANAGE_MEMBERS)
def settle_team(request: WorkspaceRequest, slug: str, pk: int, verb: str) -> HttpResponse:
    team = get_object_or_404(Team.objects.all(), pk=pk)
    try:
        act = teams.archive_team if verb == "archive" else teams.restore_team
        act(team, by=request.membership, now=request.now)
    except teams.CannotSave as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"{team.name} {'archived' if verb == 'archive' else 'is back'}")
    return redirect("dashboard:teams", slug)


def _team(request: WorkspaceRequest) -> MembershipQuerySet:
    return Membership.objects.in_tenant(request.tenant.pk)


def _member_or_404(request: WorkspaceRequest, pk: int) -> Membership:
    return get_object_or_404(_team(request), pk=pk)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 18
