"""Settings and commands in Quick Jump."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.urls import reverse

from cs_platform.dashboard.settings_pages import SECTIONS
from cs_platform.tenancy.roles import Ability
from cs_platform.web.jump import EACH, Hit, begins
from cs_platform.web.pages import WorkspaceRequest
from cs_platform.web.sidebar import SETTINGS


@dataclass(frozen=True, slots=True)
class Command:
    text: str
    url: str
    icon: str
    keys: tuple[str, ...] = ()
    ability: Ability = Ability.READ
    dialog: bool = False


COMMANDS = (
    Command("New CTA", "ctas:new", "plus", ("C",), Ability.WORK_CTAS, dialog=True),
    Command("New playbook", "playbooks:new", "plus", (), Ability.DRAFT_PLAYBOOKS),
    Command("New success plan", "plans:new", "plus", (), Ability.WORK_CTAS, dialog=True),
    Command("New account", "accounts:new", "plus", (), Ability.EDIT_ACCOUNTS, dialog=True),
    Command("Import a file", "imports:list", "download", (), Ability.MANAGE_DATA),
    Command("Home", "dashboard:home", "house", ("G", "H")),
    Command("Cockpit", "ctas:cockpit", "square-check-big", ("G", "C")),
    Command("Accounts", "accounts:list", "building-2", ("G", "A")),
    Command("Users", "users:list", "users", ("G", "U")),
    Command("Reports", "dashboard:reports", "chart-column", ("G", "R")),
    Command("Success plans", "plans:list", "flag", ("G", "S")),
    Command("Conversations", "playbooks:inbox", "mail"),
    Command("NPS", "nps:report", "gauge"),
    Command("Notifications", "workspace:notifications", "bell"),
    Command("Your profile", "dashboard:profile", "user"),
    Command("All settings", "dashboard:settings", "settings"),
)


KEYS = {place.view: ("G", place.key.upper()) for place in SETTINGS if place.key}


class Settings:
    label = "Settings"

    def find(self, request: WorkspaceRequest, text: str) -> Iterable[Hit]:
        if not text:
            return []
        pages = [page for section in SECTIONS for page in section.pages if request.membership.can(page.ability)]
        found = [page for page in pages if begins(page.label, text)][:EACH]
        slug = request.tenant.slug
        return [
            Hit(page.label, reverse(page.url, args=[slug]), page.icon, keys=KEYS.get(page.url, ())) for page in found
        ]


class Commands:
    label = "Go to and do"

    def find(self, request: WorkspaceRequest, text: str) -> Iterable[Hit]:
        """All of them at first, since there is nothing to look for yet. What begins so stands first."""
        mine = [one for one in COMMANDS if request.membership.can(one.ability) and begins(one.text, text)]
        mine.sort(key=lambda one: not one.text.lower().startswith(text))
        slug = request.tenant.slug
        return [
            Hit(one.text, reverse(one.url, args=[slug]), one.icon, keys=one.keys, dialog=one.dialog) for one in mine
        ]
