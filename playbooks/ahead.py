"""What a draft would do at the next check: the very statements of the evaluation, asked now, with nothing kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from accounts.matching import bounded
from accounts.models import Account, EndUser
from accounts.rules.compile import matching_accounts, matching_users
from accounts.rules.fields import FieldSet
from accounts.rules.sql import Clock, Sql, compose
from actions.base import Audience as ActionAudience
from actions.forms import TemplateField
from actions.variables import SCOPES, workspace_variables
from cs_platform.common import message_templates
from cs_platform.common.message_templates import Output
from cs_platform.common.statements import fetch
from cs_platform.common.time_limit import TooLong, at_most
from cs_platform.tenancy.models import Tenant
from playbooks.definition import MAX_HOLDOUT, Definition, audience_of
from playbooks.drafts import read
from playbooks.evaluation import (
    FIRST_TIME_MARGIN,
    Candidate,
    Look,
    count_bits,
    hold_back,
    leave_out,
    stage_fresh,
    stage_hits,
    usual_limit,
)
from playbooks.forecast import Cost, Load, cost_of, forecast
from playbooks.models import EvaluationRun, Playbook

EXAMPLES = 10
LIMIT_MS = 5_000
SOON_MS = 250  # for examples beside an editor, which others may stand in for


@dataclass(frozen=True, slots=True)
class Example:
    account: Account
    user: EndUser | None

    @property
    def name(self) -> str:
        return f"{self.user}, {self.account.name}" if self.user else self.account.name


@dataclass(frozen=True, slots=True)
class Ahead:
    """`matched` meet the rules, `fresh` of them would be enrolled, and `left_out` are left out to compare; `limit` is
    the brake once that was accepted.

    `loads` is what these bring people to do in the next days, `costs` what leaves the workspace for them in all.
    """

    matched: int
    fresh: int
    left_out: int
    examples: Sequence[Example]
    without_csm: int
    limit: int
    without_value: Mapping[str, int]  # by the label of a variable that some text needs
    loads: Sequence[Load] = ()
    costs: Sequence[Cost] = ()

    @property
    def kept(self) -> int:
        """Match, and have it already, or had it before, or are left alone for a known cause."""
        return self.matched - self.fresh - self.left_out


def look_ahead(
    definition: Definition, playbook: Playbook, *, tenant: Tenant, fields: FieldSet, now: datetime
) -> Ahead | None:
    """None where that would take too long while somebody waits."""
    tracked = Account.objects.tracked().count()
    look = Look(tenant, EvaluationRun(), fields, now, tracked)
    try:
        with at_most(LIMIT_MS):
            matched, fresh, left_out = _staged(look, definition, playbook)
            examples, without_csm, without_value = _examples(), _without_csm(tenant), _without_value(definition, tenant)
            loads = forecast(definition, fields=fields, today=look.clock.today)
    except TooLong:
        return None
    limit = max(usual_limit(definition.brake_limit, tracked), int(fresh * FIRST_TIME_MARGIN))
    costs = cost_of(definition, fresh)
    return Ahead(matched, fresh, left_out, examples, without_csm, limit, without_value, loads, costs)


def _staged(look: Look, definition: Definition, playbook: Playbook) -> tuple[int, int, int]:
    """How many match, how many of them would be enrolled, and how many left out to compare."""
    candidate = Candidate.of(playbook, definition.stored(), look.fields)
    stage_hits(look, [candidate], users=definition.audience == Playbook.Audience.USERS)
    stage_fresh(look, [candidate])
    hold_back(look, [candidate])
    [left_out] = leave_out(look, [candidate])
    [matched], [fresh] = count_bits("hit", [candidate]), count_bits("fresh", [candidate])
    return matched, fresh, left_out


@dataclass(frozen=True, slots=True)
class Standing:
    """Of those who match: how many would be enrolled at the next check, and how many would not, whom the holdout
    leaves out apart.
    """

    fresh: int
    kept: int
    left_out: int

    @property
    def matched(self) -> int:
        return self.fresh + self.kept + self.left_out


# A draft may still lack a name, actions and an outcome, which do not decide who gets it.
_STAND_IN: dict[str, Any] = {
    "name": "-",
    "description": "",
    "brake_limit": None,
    "outcome": None,
    "holdout": 0,
    "steps": [{"key": "note", "day": 1, "action": "add_note", "config": {"body": "-"}}],
}
_STAND_IN_FOR_USERS = {"steps": [{"key": "nps", "day": 1, "action": "show_nps", "config": {}}]}


def stand(
    content: Mapping[str, Any], playbook: Playbook, *, tenant: Tenant, fields: FieldSet, now: datetime
) -> Standing | None:
    """By the rules of a draft as they are. None while they are unfinished, or where that would take too long."""
    found = _by_rules(content, fields)
    if found is None:
        return None
    try:
        with at_most(LIMIT_MS):
            matched, fresh, left_out = _staged(Look(tenant, EvaluationRun(), fields, now, 0), found, playbook)
    except TooLong:
        return None
    return Standing(fresh, matched - fresh - left_out, left_out)


def some_accounts(content: Mapping[str, Any], *, tenant: Tenant, fields: FieldSet, now: datetime) -> list[int]:
    """Ids of a few that the rules of a draft are about. None of them while they are unfinished, or slow to find."""
    found = _by_rules(content, fields)
    if found is None:
        return []
    try:
        few = compose(f"{{found}} ORDER BY 1 LIMIT {EXAMPLES}", found=_matching(found, tenant, fields, now))
        return [row[0] for row in bounded(few, at_most_ms=SOON_MS)]
    except TooLong:
        return []


def count_matching(content: Mapping[str, Any], *, tenant: Tenant, fields: FieldSet, now: datetime) -> int | None:
    """How many meet these rules, whether they have it or not. None while they are unfinished, or slow to count."""
    found = _by_rules(content, fields)
    if found is None:
        return None
    try:
        [(count,)] = bounded(compose("SELECT count(*) FROM ({found}) f", found=_matching(found, tenant, fields, now)))
    except TooLong:
        return None
    return count  # type: ignore[no-any-return]


def _matching(found: Definition, tenant: Tenant, fields: FieldSet, now: datetime) -> Sql:
    matching = matching_users if found.audience == Playbook.Audience.USERS else matching_accounts
    clock = Clock.at(now, ZoneInfo(tenant.timezone))
    return matching(audience_of(found.stored(), fields), tenant_id=tenant.pk, clock=clock)


def _by_rules(content: Mapping[str, Any], fields: FieldSet) -> Definition | None:
    about_users = content.get("audience") == Playbook.Audience.USERS
    found, _problems = read({**content, **_STAND_IN, **(_STAND_IN_FOR_USERS if about_users else {})}, fields=fields)
    return replace(found, holdout=_share(content.get("holdout"))) if found else None


def _share(given: Any) -> int:
    """Nobody is left out by what is no share yet."""
    return given if isinstance(given, int) and 0 <= given <= MAX_HOLDOUT else 0


def _examples() -> list[Example]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT account_id, end_user_id FROM fresh WHERE bits <> 0 ORDER BY 1, 2 LIMIT {EXAMPLES}")
        found = cursor.fetchall()
    accounts = Account.objects.in_bulk([account_id for account_id, _user in found])
    users = EndUser.objects.in_bulk([user_id for _account, user_id in found if user_id])
    return [Example(accounts[account], users.get(user)) for account, user in found if account in accounts]


def _without_csm(tenant: Tenant) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT a.id) FROM fresh f JOIN accounts_account a ON a.id = f.account_id"
            " WHERE a.tenant_id = %s AND f.bits <> 0 AND a.csm_id IS NULL",
            [tenant.pk],
        )
        return cursor.fetchone()[0]  # type: ignore[no-any-return]


_FRESH = """
    FROM fresh f
    JOIN accounts_account a ON a.tenant_id = %s AND a.id = f.account_id
    LEFT JOIN accounts_enduser u ON u.tenant_id = a.tenant_id AND u.id = f.end_user_id
    LEFT JOIN accounts_accountuser au
        ON au.tenant_id = a.tenant_id AND au.account_id = a.id AND au.end_user_id = f.end_user_id
    LEFT JOIN tenancy_membership c ON c.tenant_id = a.tenant_id AND c.id = a.csm_id AND c.deactivated_at IS NULL
    WHERE f.bits <> 0
"""


def _without_value(definition: Definition, tenant: Tenant) -> dict[str, int]:
    """How many of them have nothing where a text needs something: there its action would wait for a person."""
    known = workspace_variables(SCOPES[ActionAudience(definition.audience)])
    needed = [known[name] for name in sorted(_needed(definition)) if name in known]
    if not needed:
        return {}
    missing = [compose("count(*) FILTER (WHERE nullif(({value})::text, '') IS NULL)", value=one.sql) for one in needed]
    counts = Sql.join(", ", missing)
    [row] = fetch(f"SELECT {counts.text} {_FRESH}", [*counts.params, tenant.pk])
    return {one.label: count for one, count in zip(needed, row, strict=True)}


def _needed(definition: Definition) -> set[str]:
    """Variables without a default in the texts of its actions."""
    texts = [
        str(step.config.get(name) or "")
        for step in definition.steps
        for name, field in step.handler.form.base_fields.items()
        if isinstance(field, TemplateField)
    ]
    pieces = [piece for text in texts for piece in message_templates.parse(text).pieces]
    return {piece.name for piece in pieces if isinstance(piece, Output) and piece.text({}) is None}
