"""A column for each live playbook: date applied, how far, and its history a click away.

The accounts table has those of accounts, and user playbooks as they stand at any user; the users table has its own.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property, partial
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.matching import bounded
from accounts.rules.sql import Sql, compose
from accounts.table.columns import Around, Cells, Choice, Column, Facet, Sort, Walk
from cs_platform.common.statements import fetch
from cs_platform.common.time_limit import TooLong
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.web.templatetags.ui import day, pips
from playbooks.models import Playbook
from playbooks.progress import marks, track_state

MOST_COLUMNS = 12  # from the start; all others can be chosen
LIMIT_MS = 250  # for counting those under way
ACTIVE = "('active', 'paused', 'stopping')"

# The enrollment that speaks for an account (or user): the one under way, else the latest. None that is superseded does.
_LEAD = f"(e.state IN {ACTIVE}) DESC, e.activated_at DESC, e.id DESC"
_LEADS = f"""
p.tenant_id = {{tenant}} AND p.playbook_id = {{playbook}} AND NOT p.is_dry AND NOT p.is_superseded AND NOT EXISTS (
    SELECT 1 FROM playbooks_enrollment o
    WHERE o.tenant_id = {{tenant}} AND o.{{own}} = p.{{own}} AND o.playbook_id = {{playbook}}
        AND NOT o.is_dry AND (o.state IN {ACTIVE}, o.activated_at, o.id) > (p.state IN {ACTIVE}, p.activated_at, p.id)
)
"""
_CELLS = f"""
WITH lead AS (
    SELECT DISTINCT ON (e.{{own}}, e.playbook_id)
        e.id, e.{{own}}, e.playbook_id, e.state, e.progress, e.activated_on
    FROM playbooks_enrollment e
    WHERE e.tenant_id = {{tenant}} AND e.{{own}} = ANY({{ids}}) AND e.playbook_id = ANY({{playbooks}})
        AND NOT e.is_dry
    ORDER BY e.{{own}}, e.playbook_id, {_LEAD}
)
SELECT lead.*, (
    SELECT array_agg(r.state ORDER BY r.due_at NULLS LAST, r.position, r.fan_key)
    FROM playbooks_actionrun r WHERE r.tenant_id = {{tenant}} AND r.enrollment_id = lead.id
) FROM lead
"""
_UNDER_WAY = f"""
SELECT e.playbook_id, count(DISTINCT e.{{own}})
FROM playbooks_enrollment e
WHERE e.tenant_id = {{tenant}} AND e.playbook_id = ANY({{playbooks}}) AND e.state IN {ACTIVE} AND NOT e.is_dry
GROUP BY e.playbook_id
"""
_SOME = """EXISTS (
    SELECT 1 FROM playbooks_enrollment e WHERE e.tenant_id = {tenant} AND e.{own} = {id} AND NOT e.is_dry{which})"""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose enrollments a table shows."""

    own: str
    table: str
    id: str
    audiences: tuple[str, ...]

    @property
    def joined(self) -> Sql:
        alias = self.id.partition(".")[0]
        return Sql(
            f"playbooks_enrollment p JOIN {self.table} {alias} ON {alias}.tenant_id = p.tenant_id"
            f" AND {self.id} = p.{self.own}"
        )


_ACCOUNTS = Owner("account_id", "accounts_account", "a.id", (Playbook.Audience.ACCOUNTS, Playbook.Audience.USERS))
_USERS = Owner("end_user_id", "accounts_enduser", "u.id", (Playbook.Audience.USERS,))


@dataclass(frozen=True, slots=True)
class Run:
    """What the cell shows of one enrollment."""

    url: str
    state: str
    percent: int
    applied_on: date
    marks: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.percent}%, applied {self.applied_on.isoformat()}"


# <c-track-cell> in Python: a page holds hundreds of them.
_CELL = (
    '<a class="track-cell" href="{url}" hx-get="{url}" hx-target="#drawer" hx-push-url="true">'
    '<span class="top">{says}<span>{day}</span></span><span class="track {state}" aria-hidden="true">{pips}</span>'
    '<span class="sr">{label}, open history</span></a>'
)
_SAYS = {
    "completed": "<b>Finished</b>",
    "stopped": '<b class="muted">Stopped {percent}%</b>',
    "active": "<b>{percent}%</b>",
}


def _written(run: Run, around: Around, *, label: str) -> SafeString:
    return format_html(
        _CELL,
        url=run.url,
        says=format_html(_SAYS[run.state], percent=run.percent),
        day=day(run.applied_on, around.today),
        state=run.state,
        pips=pips(run.marks),
        label=label,
    )


class PlaybookColumns:
    owner = _ACCOUNTS

    @cached_property
    def _playbooks(self) -> list[Playbook]:
        live = Playbook.objects.filter(status__in=(Playbook.Status.LIVE, Playbook.Status.PAUSED))
        return list(live.filter(audience__in=self.owner.audiences).only("tenant_id", "name", "key").order_by("pk"))

    def columns(self) -> Sequence[Column]:
        return [
            _column(self.owner, playbook, usual=at < MOST_COLUMNS, aside=partial(self._aside, playbook.pk))
            for at, playbook in enumerate(self._playbooks)
        ]

    def facets(self) -> Sequence[Facet]:
        return (Facet("playbook", "Any playbook", "workflow", partial(_choices, self.owner), op="is"),)

    def cells(self, columns: Sequence[Column], things: Sequence[Any], *, now: datetime, here: str) -> Cells:
        """One query for the page: which enrollment speaks for each account, and the states of its runs."""
        playbooks = {int(column.key.partition(":")[2]): column.key for column in columns}
        query = compose(
            _CELLS,
            own=Sql(self.owner.own),
            tenant=Sql.value(current_tenant_id()),
            ids=Sql("%s", ([thing.pk for thing in things],)),
            playbooks=Sql("%s", (list(playbooks),)),
        )
        rows = fetch(query.text, query.params)
        return {(row[1], playbooks[row[2]]): _run(row, here) for row in rows}

    def _aside(self, playbook_id: int) -> str:
        return f"{self._under_way.get(playbook_id, 0):,} active" if self._under_way is not None else ""

    @cached_property
    def _under_way(self) -> dict[int, int] | None:
        """Of how many each is under way; all in one statement, and none is told where that takes too long."""
        query = compose(
            _UNDER_WAY,
            own=Sql(self.owner.own),
            tenant=Sql.value(current_tenant_id()),
            playbooks=Sql("%s", ([playbook.pk for playbook in self._playbooks],)),
        )
        try:
            return dict(bounded(query, at_most_ms=LIMIT_MS))
        except TooLong:
            return None


class UserPlaybookColumns(PlaybookColumns):
    owner = _USERS


def _run(row: tuple[Any, ...], here: str) -> Run:
    id, _owner, _playbook, state, progress, applied_on, states = row
    return Run(f"{here}history={id}", track_state(state), progress, applied_on, marks(states or ()))


def _column(owner: Owner, playbook: Playbook, *, usual: bool, aside: Callable[[], str]) -> Column:
    key = f"playbook:{playbook.pk}"
    return Column(
        key,
        playbook.name,
        partial(_written, label=playbook.name),
        icon="workflow",
        group="Playbooks",
        explained="shows date applied and progress",
        aside=aside,
        classes="keep run",
        sorts=_sorts(owner, key, playbook),
        facet=Facet(key, playbook.name, "workflow", partial(_choices, owner, playbook.pk), listed=False, op="is"),
        usual=usual,
        without="Not applied",
        asks=(
            ("By progress…", f"playbook_progress:{playbook.key}"),
            ("By date applied…", f"playbook_applied:{playbook.key}"),
        ),
    )


def _sorts(owner: Owner, key: str, playbook: Playbook) -> tuple[Sort, ...]:
    progress, applied, walk = Sql("p.progress"), Sql("p.activated_on"), partial(_walk, owner, playbook)
    return (
        Sort(f"{key}.progress", progress, int, "Progress, least first", "Progress, most first", walk=walk),
        Sort(
            f"{key}.applied",
            applied,
            date,
            "Date applied, oldest first",
            "Date applied, newest first",
            starts_descending=True,
            icons=("calendar-arrow-up", "calendar-arrow-down"),
            walk=walk,
        ),
    )


def _walk(owner: Owner, playbook: Playbook) -> Walk:
    """By the enrollments' own indexes; whether one leads is asked only of those the page comes upon."""
    tenant, pk = Sql.value(playbook.tenant_id), Sql.value(playbook.pk)
    choices = {one.key: one.predicate for one in _choices(owner, playbook.pk)}
    leads = compose(_LEADS, tenant=tenant, playbook=pk, own=Sql(owner.own))
    # Where one is under way it leads, so the filter can be asked of the row itself, and an index knows.
    alike = {choices["active"].wrapped(): Sql(f"p.state IN {ACTIVE}")}
    return Walk(owner.joined, absent=choices["never"], condition=leads, id=Sql(f"p.{owner.own}"), alike=alike)


def _choices(owner: Owner, playbook_id: int | None = None) -> Iterator[Choice]:
    """Of one playbook, or of any."""
    which = compose(" AND e.playbook_id = {pk}", pk=Sql.value(playbook_id)) if playbook_id else Sql("")
    states = (
        ("active", "Active", f" AND e.state IN {ACTIVE}", "play"),
        ("finished", "Finished", " AND e.state = 'completed'", "circle-check"),
        ("stopped", "Stopped", " AND e.state = 'stopped'", "octagon-x"),
        ("applied", "Applied at some time", "", "workflow"),
    )
    for key, words, condition, icon in states:
        some = _some(owner, compose("{which}{state}", which=which, state=Sql(condition)))
        yield Choice(key, words, some, icon)
    never = compose("NOT {some}", some=_some(owner, which))
    yield Choice("never", "Not applied", never, "circle-dashed")


def _some(owner: Owner, which: Sql) -> Sql:
    return compose(_SOME, tenant=Sql.value(current_tenant_id()), own=Sql(owner.own), id=Sql(owner.id), which=which)
