"""Whose reports are asked for, and over how many months: read the same way for pages, files and the API."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Self
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from accounts.revenue import months_until
from cs_platform.tenancy.models import Membership, Tenant
from cs_platform.workspace.models import Team, TeamMember

PERIODS = (1, 3, 6, 12)  # months
USUAL_PERIOD = 12
BY_WEEK = 3  # months at most that are told week by week
PARAMETERS = ("months", "team", "csm")


@dataclass(frozen=True)
class Asked:
    """The accounts of a team's members, of one person, or (neither) of everybody and nobody."""

    tenant: Tenant
    now: datetime
    months: int = USUAL_PERIOD
    team: Team | None = None
    csm: Membership | None = None

    @classmethod
    def read(cls, tenant: Tenant, now: datetime, given: Mapping[str, str]) -> tuple[Self, dict[str, str]]:
        """What is asked for, and of each parameter that is wrong what to do about it; it is left out then."""
        months, team, csm = (given.get(name, "") for name in PARAMETERS)
        problems = {}
        if months and months not in map(str, PERIODS):
            problems["months"] = f"Choose one of: {', '.join(map(str, PERIODS))}."
        found = Team.objects.filter(pk=_id(team), archived_at=None).first() if team else None
        if team and found is None:
            problems["team"] = "There is none with this id."
        member = Membership.objects.in_tenant(tenant.pk).filter(pk=_id(csm)).first() if csm else None
        if csm and member is None:
            problems["csm"] = "There is no team member with this id."
        if found and member:
            problems["team"] = "Ask for a team or for one person, not for both."
            found = None
        known = int(months) if months and "months" not in problems else USUAL_PERIOD
        return cls(tenant, now, known, found, member), problems

    @cached_property
    def csms(self) -> Sequence[int] | None:
        """As accounts.revenue takes them: None is everybody's and nobody's."""
        if self.csm:
            return [self.csm.pk]
        if self.team:
            return list(TeamMember.objects.filter(team=self.team).values_list("member_id", flat=True))
        return None

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.tenant.timezone)

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    @property
    def since(self) -> datetime:
        """This month counts as one, as far as it is: the others are the whole ones before it."""
        first = months_until(self.today, self.months)[0]
        return datetime(first.year, first.month, 1, tzinfo=self.zone)

    @cached_property
    def steps(self) -> Sequence[date]:
        """First days of the months in the time, or of its weeks where it is short; the first week may begin late."""
        if self.months > BY_WEEK:
            return months_until(self.today, self.months)
        first = self.since.date()
        monday = first - timedelta(days=first.weekday())
        weeks = range(1, (self.today - monday).days // 7 + 1)
        return [first, *(monday + timedelta(weeks=week) for week in weeks)]

    @property
    def starts(self) -> Sequence[datetime]:
        """The moment at which each step begins."""
        return [datetime(day.year, day.month, day.day, tzinfo=self.zone) for day in self.steps]

    @property
    def step(self) -> str:
        return "month" if self.months > BY_WEEK else "week"

    @property
    def step_words(self) -> Sequence[str]:
        """What stands below each step of a chart."""
        return [f"{day:%b}" if self.months > BY_WEEK else f"{day.day} {day:%b}" for day in self.steps]

    @property
    def step_titles(self) -> Sequence[str]:
        """As the first column of a table calls them."""
        return [f"{day:%b %Y}" if self.months > BY_WEEK else f"{day.day} {day:%b %Y}" for day in self.steps]

    @property
    def period(self) -> str:
        """What the time is called: a month alone is the one that is under way, on its first day as on its last."""
        return "This month" if self.months == 1 else f"Last {self.span}"

    @property
    def during(self) -> str:
        """As in “closed in the last 12 months”."""
        return "this month" if self.months == 1 else f"in the last {self.span}"

    @property
    def span(self) -> str:
        """How long it is, as in “trailing 12 months”."""
        return "month" if self.months == 1 else f"{self.months} months"

    @property
    def is_everybody(self) -> bool:
        return self.team is None and self.csm is None

    @property
    def whose(self) -> str:
        return self.csm.name if self.csm else self.team.name if self.team else "Whole team"

    def query(self, **other: int | None) -> str:
        """The same in an address, or with something else; a team takes the place of a person, and a person a team's."""
        given = {"team": self.team and self.team.pk, "csm": self.csm and self.csm.pk}
        if other.keys() & given.keys():
            given = {}
        return urlencode({k: v for k, v in {"months": self.months, **given, **other}.items() if v is not None})


def _id(text: str) -> int:
    """0 names nothing."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0
