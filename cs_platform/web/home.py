"""Home: cards that each layer serves of one person's book, or of the whole team's. settings.HOME_PANELS names them."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar, Protocol

from cs_platform.tenancy.models import Membership
from cs_platform.web.drawers import Fragment
from cs_platform.web.pages import WorkspaceRequest

SHOWN = 6  # lines of a card


@dataclass(frozen=True, slots=True)
class Book:
    """Whose accounts: a member's, or (`member` empty) everybody's."""

    member: Membership | None
    today: date
    now: datetime


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure of the strip above; `tone` of what stands beside it: ok, warn, bad or nothing."""

    label: str
    value: str
    beside: str = ""
    tone: str = ""


class HomePanel(Protocol):
    key: ClassVar[str]
    side: ClassVar[bool]  # in the narrow column

    def fragment(self, request: WorkspaceRequest, book: Book) -> Fragment:
        """Its template, given `panel`: whatever the context holds. `says` is its part of the page's first sentence."""
