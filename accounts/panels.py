"""Cards of the account page. Upper layers add theirs through settings.ACCOUNT_PANELS."""

from collections.abc import Sequence
from typing import ClassVar, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from accounts.models import Account
from cs_platform.web.drawers import Fragment
from cs_platform.web.pages import WorkspaceRequest


class Panel(Protocol):
    key: ClassVar[str]  # the id of its place on the page, and its anchor in the address
    label: ClassVar[str]  # of its tab
    beside: ClassVar[bool]  # in the narrow column, below health

    def fragment(self, request: WorkspaceRequest, account: Account) -> Fragment:
        """Its template, given `panel`: whatever the context holds, in a fixed number of queries. A `count` in it stands
        on the tab, unless it is nothing.
        """


def cards_of(request: WorkspaceRequest, account: Account) -> list[tuple[Panel, Fragment]]:
    return [(panel, panel.fragment(request, account)) for panel in _panels()]


def _panels() -> Sequence[Panel]:
    return [import_string(path)() for path in settings.ACCOUNT_PANELS]
