"""Settings: every page an admin or a manager sets the workspace up on, in groups."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, render_page, requires


@dataclass(frozen=True, slots=True)
class SettingsPage:
    url: str
    icon: str
    label: str
    text: str
    ability: Ability = Ability.READ


@dataclass(frozen=True, slots=True)
class Section:
    label: str
    pages: Sequence[SettingsPage]


SECTIONS: tuple[Section, ...] = (
    Section(
        "Workspace",
        (
            SettingsPage("dashboard:members", "users", "Members", "Who belongs to the workspace, and as what."),
            SettingsPage(
                "dashboard:teams",
                "user-plus",
                "Teams",
                "Who looks after accounts together, and so reaches each other’s.",
            ),
            SettingsPage(
                "dashboard:holidays",
                "calendar",
                "Holidays",
                "Days on which nobody works: what skips weekends skips these too.",
            ),
        ),
    ),
    Section(
        "Data",
        (
            SettingsPage(
                "traits:list",
                "tag",
                "Traits",
                "What is known about accounts and users: types, choices, and what your team edits.",
                Ability.MANAGE_DATA,
            ),
            SettingsPage(
                "traits:roles",
                "users",
                "Key roles",
                "Who looks after an account, beside CSM and AE.",
                Ability.MANAGE_DATA,
            ),
            SettingsPage(
                "sources:list",
                "plug-zap",
                "Data sources",
                "Who sends data, with which key, and what was wrong with it.",
                Ability.MANAGE_DATA,
            ),
            SettingsPage(
                "imports:list",
                "inbox",
                "Import",
                "Accounts and users from a CSV file, with a dry run and an undo.",
                Ability.MANAGE_DATA,
            ),
            SettingsPage("jobs:list", "list-checks", "Jobs", "Bulk edits, exports and imports, and what came of them."),
        ),
    ),
    Section(
        "Automation",
        (
            SettingsPage(
                "playbooks:list", "workflow", "Playbooks", "Rules that match accounts, and what happens then."
            ),
            SettingsPage(
                "traits:sending", "mail", "Sending", "When messages leave, how many, and to whom nobody writes."
            ),
            SettingsPage(
                "traits:workload",
                "user-plus",
                "Workload",
                "How many accounts each can hold, and who is away.",
            ),
            SettingsPage(
                "connectors:list",
                "plug-zap",
                "Connectors",
                "Webhooks, Slack, Segment, Intercom and mailboxes: where playbooks send to, and how they are doing.",
                Ability.MANAGE_CONNECTIONS,
            ),
        ),
    ),
    Section(
        "CTAs",
        (
            SettingsPage(
                "cta_lists:index",
                "square-check-big",
                "CTA lists",
                "Types, reasons, priorities and statuses, and what must be filled in.",
                Ability.MANAGE_DATA,
            ),
        ),
    ),
    Section(
        "Customers",
        (
            SettingsPage(
                "segments:list", "shapes", "Segments", "Named sets of accounts or of users, by rule or by hand."
            ),
            SettingsPage(
                "plan_settings:overview",
                "flag",
                "Success plans",
                "Types of plans with their own fields, and templates for plans that are started often.",
            ),
            SettingsPage("health:page", "heart-pulse", "Health", "Scores made of measures, and what they say now."),
            SettingsPage(
                "health:lifecycles",
                "refresh-cw",
                "Lifecycles",
                "Rules that say which accounts are trialing, churned or ignored.",
                Ability.MANAGE_DATA,
            ),
            SettingsPage(
                "nps:survey", "gauge", "NPS survey", "What users are asked on your pages, who, and how often."
            ),
        ),
    ),
    Section(
        "Security",
        (
            SettingsPage(
                "dashboard:api-keys",
                "key-round",
                "API keys",
                "What other systems may do here, and when they last did.",
                Ability.MANAGE_CONNECTIONS,
            ),
            SettingsPage(
                "dashboard:audit",
                "shield-check",
                "Audit log",
                "Who changed the set-up, when, from where, and what it said before.",
                Ability.READ_AUDIT,
            ),
        ),
    ),
)


@require_safe
@requires(Ability.READ)
def settings_index(request: WorkspaceRequest, slug: str) -> HttpResponse:
    return render_page(request, "dashboard/settings.html", {"sections": list(_offered(request))})


def _offered(request: WorkspaceRequest) -> Iterator[tuple[str, list[tuple[SettingsPage, str]]]]:
    """What this member may open, with its address; a section that is empty for them is left out."""
    for section in SECTIONS:
        pages = [page for page in section.pages if request.membership.can(page.ability)]
        if pages:
            yield section.label, [(page, reverse(page.url, args=[request.tenant.slug])) for page in pages]
