"""What a draft would bring: work for each of the team in the next days, and what leaves the house in all."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count

from accounts.rules.fields import FieldSet
from accounts.rules.sql import Sql, compose
from actions.base import CONVERSATION, CTA, TASK, Work
from actions.people import AE, CSM, MEMBER
from actions.registry import action_for
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.looked_up import looked_up_once
from cs_platform.tenancy.models import Membership
from ctas.models import Cta, Task
from playbooks.definition import Definition, StepSpec
from playbooks.enrollment import anchor_columns
from playbooks.models import Playbook, Step

AHEAD = timedelta(days=30)
SHOWN = 20


@dataclass(slots=True)
class Load:
    """What one of the team gets, or what nobody can be given: then `member` is None."""

    member: Membership | None
    work: Counter[str] = field(default_factory=Counter)
    already: int = 0  # open tasks of theirs that are due by then

    @property
    def total(self) -> int:
        return sum(self.work.values())

    @property
    def conversations(self) -> int:
        return self.work[CONVERSATION]

    @property
    def ctas(self) -> int:
        return self.work[CTA]

    @property
    def tasks(self) -> int:
        return self.work[TASK]


@dataclass(frozen=True, slots=True)
class Cost:
    """Effects that leave the workspace, of one kind, if every enrollment goes through its whole schedule."""

    label: str
    count: int


def cost_of(definition: Definition, enrolled: int) -> list[Cost]:
    kinds = Counter(action_for(step.action).label for step in definition.steps if action_for(step.action).external)
    return [Cost(label, enrolled * count) for label, count in kinds.items()]


@looked_up_once()
def forecast(definition: Definition, *, fields: FieldSet, today: date) -> list[Load]:
    """For those in the temp table `fresh`, whoever gets most first. Five statements at most, whatever their number.

    Whom the playbook itself assigns cannot be known yet: its work is counted for whoever is there now.
    """
    steps = [step for step in definition.steps if step.anchor or step.offset_days < AHEAD.days]
    given = _given(steps)
    if not any(given):
        return []
    team = {one.pk: one for one in Membership.objects.in_tenant(current_tenant_id()).active()}
    ids = {f"{MEMBER}{one.email.lower()}": one.pk for one in team.values()}
    loads: dict[int | None, Load] = {}
    for csm_id, ae_id, *counts in _subjects(steps, fields, today):
        holders = {**ids, CSM: csm_id, AE: ae_id}
        for works, count in zip(given, counts, strict=True):
            for work in works if count else ():
                owner_id = _owner(work, holders, team)
                load = loads.setdefault(owner_id, Load(team[owner_id] if owner_id else None))
                load.work[work.kind] += count
    _count_already(loads, until=today + AHEAD)
    return sorted(loads.values(), key=lambda one: (-one.total, one.member.name if one.member else ""))


def _given(steps: Sequence[StepSpec]) -> list[list[Work]]:
    """What each step gives people to do, the tasks of CTA playbooks included."""
    given = [action_for(step.action).gives(step.config) for step in steps]
    lists = _task_lists({work.playbook for works in given for work in works if work.playbook})
    return [[*works, *(task for work in works for task in _of_list(work, lists))] for works in given]


def _task_lists(keys: set[str]) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    if not keys:
        return {}
    found = Playbook.objects.filter(key__in=keys, audience=Playbook.Audience.CTAS).values_list("version_id", "key")
    named = dict(found)
    return {named[one.version_id]: one.config["tasks"] for one in Step.objects.filter(version_id__in=named)}


def _of_list(work: Work, lists: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[Work]:
    """Tasks without a role of their own belong to whoever has the CTA."""
    for task in lists.get(work.playbook, ()):
        owner = task.get("owner")
        yield Work(TASK, (owner, CSM, task.get("fallback_owner") or "") if owner else work.roles)


def _subjects(steps: Sequence[StepSpec], fields: FieldSet, today: date) -> list[tuple[Any, ...]]:
    """CSM, AE, and for each step how many of their accounts (or users there) it falls due for in these days."""
    columns = anchor_columns({step.anchor for step in steps if step.anchor}, fields)
    counts = [
        compose(
            "count(*) FILTER (WHERE {anchor} + {offset} BETWEEN {first} AND {last})",
            anchor=columns[step.anchor],
            offset=Sql(str(int(step.offset_days))),
            first=Sql.value(today),
            last=Sql.value(today + AHEAD - timedelta(days=1)),
        )
        if step.anchor
        else Sql("count(*)")
        for step in steps
    ]
    statement = compose(
        "SELECT a.csm_id, a.ae_id, {counts} FROM fresh f JOIN accounts_account a ON a.id = f.account_id"
        " WHERE a.tenant_id = {tenant} AND f.bits <> 0 GROUP BY 1, 2",
        counts=Sql.join(", ", counts),
        tenant=Sql.value(current_tenant_id()),
    )
    with connection.cursor() as cursor:
        cursor.execute(statement.text, statement.params)
        return list(cursor.fetchall())


def _owner(work: Work, holders: Mapping[str, int | None], team: Mapping[int, Membership]) -> int | None:
    """As actions find who does it: the first of those at work."""
    found = (holders.get(role) for role in work.roles)
    return next((one for one in found if one in team), None)


def _count_already(loads: Mapping[int | None, Load], *, until: date) -> None:
    rows = Task.objects.present().filter(status=Task.Status.OPEN, owner__in=[one for one in loads if one])
    due = rows.filter(due_on__lte=until, cta__archived_at=None, cta__status=Cta.Status.OPEN).order_by()
    for owner_id, count in due.values_list("owner").annotate(Count("pk")):
        loads[owner_id].already = count
