"""Which CTAs, or which tasks: those ticked, or all that a list of the cockpit holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar, Self

from django.db.models import QuerySet, TextField, Value
from django.db.models.functions import Concat
from django.http import QueryDict

from cs_platform.jobs.bulk import CannotChoose
from cs_platform.tenancy.models import Membership, Tenant
from ctas.cockpit import Asked, Tab, matching
from ctas.lists import current_lists
from ctas.models import Cta, Task
from ctas.own_days import day_in, own_days

NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was matched may stop matching as soon as it is changed: ids only grow, so each is met once."""

    rows: QuerySet[Any]
    name: str = "name"
    account: str = "account__name"

    def count(self) -> int:
        return self.rows.order_by().count()

    def next_ids(self, *, after: int, limit: int) -> list[int]:
        return list(self.rows.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:limit])

    def names(self) -> list[str]:
        """With their accounts: a playbook gives the same name to many."""
        named = Concat(self.name, Value(" · "), self.account, output_field=TextField())
        return list(self.rows.order_by("pk").values_list(named, flat=True)[:NAMES_SHOWN])


@dataclass(frozen=True, slots=True)
class Selection:
    """Of CTAs. Kept in the job as `{"ids": […]}` or `{"query": "tab=team&type=risk"}`."""

    ids: tuple[int, ...] = ()
    query: str | None = None
    name: ClassVar[str] = "name"
    account: ClassVar[str] = "account__name"

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        return cls(tuple(params.get("ids", ())), params.get("query"))

    @property
    def params(self) -> dict[str, Any]:
        return {"ids": list(self.ids)} if self.query is None else {"query": self.query}

    def among(self, *, tenant: Tenant, member: Membership | None, now: datetime) -> Chosen:
        """Raises CannotChoose. `now` is the moment of choosing, so that “today” stays the same through a long job."""
        if self.query is None:
            return Chosen(self.present().filter(pk__in=self.ids), self.name, self.account)
        asked = Asked.of(QueryDict(self.query))
        self.refuse(asked, member)
        listed = matching(asked, member=member, today=own_days(tenant, now=now), lists=current_lists())
        return Chosen(listed, self.name, self.account)

    def present(self) -> QuerySet[Any]:
        return Cta.objects.present()

    def refuse(self, asked: Asked, member: Membership | None) -> None:
        if asked.tab in (Tab.TASKS, Tab.CONVERSATIONS):
            raise CannotChoose("Only CTAs are edited together. Choose a list of CTAs.")
        if member is None and asked.tab is not Tab.TEAM:
            raise CannotChoose("A key has no CTAs of its own. Ask for tab=team, with owner= where one person is meant.")


@dataclass(frozen=True, slots=True)
class TaskSelection(Selection):
    """Of tasks: `tab=tasks` lists those of whoever asks."""

    name: ClassVar[str] = "title"
    account: ClassVar[str] = "cta__account__name"

    def present(self) -> QuerySet[Any]:
        return Task.objects.present().filter(cta__archived_at=None)

    def refuse(self, asked: Asked, member: Membership | None) -> None:
        if asked.tab is not Tab.TASKS:
            raise CannotChoose("Only tasks are edited together. Choose a list of tasks.")
        if member is None:
            raise CannotChoose("A key has no tasks of its own. Give ids.")


def today_of(tenant: Tenant, now: datetime) -> date:
    return day_in(tenant.timezone, now)
