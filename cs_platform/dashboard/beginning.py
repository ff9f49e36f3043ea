"""What a new workspace does first, on the home page of those who set it up, until it is done."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse

from accounts.models import Account
from cs_platform.tenancy.models import Membership
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest
from playbooks.models import Playbook


@dataclass(frozen=True, slots=True)
class Way:
    label: str
    address: str


@dataclass(frozen=True, slots=True)
class Step:
    title: str
    text: str
    icon: str
    ways: Sequence[Way]
    is_done: bool


def first_steps(request: WorkspaceRequest) -> list[Step]:
    """Nothing once there are accounts and a playbook has been live: the team may as well be one person."""
    member = request.membership
    if not (member.can(Ability.MANAGE_DATA) and member.can(Ability.DRAFT_PLAYBOOKS)):
        return []
    has_accounts = Account.objects.exists()
    had_playbooks = Playbook.objects.exclude(live_at=None).exists()
    if has_accounts and had_playbooks:
        return []
    steps = [_customers(request, has_accounts), _playbook(request, had_playbooks)]
    return [*steps, _team(request)] if member.can(Ability.MANAGE_MEMBERS) else steps


def _customers(request: WorkspaceRequest, is_done: bool) -> Step:
    text = "From a CSV file, as they happen from Segment, over the API, or one by one."
    ways = [_way(request, "Import a file", "imports:list"), _way(request, "Connect a source", "sources:list")]
    ways.append(_way(request, "Add an account", "accounts:new"))
    return Step("Bring in your customers", text, "building-2", ways, is_done)


def _playbook(request: WorkspaceRequest, is_done: bool) -> Step:
    text = "Begin with a template. Before you set it live, it says who would get it, and why."
    return Step(
        "Set a first playbook live", text, "workflow", [_way(request, "New playbook", "playbooks:new")], is_done
    )


def _team(request: WorkspaceRequest) -> Step:
    is_done = Membership.objects.in_tenant(request.tenant.pk).active().exclude(pk=request.membership.pk).exists()
    text = "Accounts have a CSM, and CTAs an owner: those who work with customers belong here."
    return Step("Invite your team", text, "users", [_way(request, "Invite somebody", "dashboard:members")], is_done)


def _way(request: WorkspaceRequest, label: str, name: str) -> Way:
    return Way(label, reverse(name, args=[request.tenant.slug]))
