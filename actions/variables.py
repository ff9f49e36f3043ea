"""The variables texts may use, and their values for a batch in one statement.

They are the rule fields that live in a row (accounts/rules/fields.py knows where), so a text and a rule that name the
same field can never show different values: {{ account.plan }}, {{ account.traits.seats }}, {{ user.first_name }} …
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from accounts.models import TraitDefinition
from accounts.rules.fields import Column, Field, FieldSet, FieldType, Subject
from accounts.rules.sql import Sql
from accounts.traits import shown
from actions.base import Audience, Batch, Held, Run
from cs_platform.common import message_templates
from cs_platform.common.message_templates import MessageTemplate, MissingValue, Value
from cs_platform.common.statements import fetch
from cs_platform.tenancy.looked_up import once

ACCOUNT, USER, CSM, SENDER = "account", "user", "csm", "sender"
SCOPES = {
    Audience.ACCOUNTS: (ACCOUNT, CSM),
    Audience.USERS: (ACCOUNT, USER, CSM),
    Audience.CTAS: (ACCOUNT, CSM),
}


@dataclass(frozen=True, slots=True)
class Variable:
    name: str
    label: str
    type: FieldType
    sql: Sql
    choices: tuple[tuple[str, str], ...] = ()


def _first_word(sql: str) -> Sql:
    return Sql(f"split_part(btrim({sql}), ' ', 1)")


def _person(scope: str, alias: str, who: str) -> list[Variable]:
    return [
        Variable(f"{scope}.name", f"{who}: name", FieldType.TEXT, Sql(f"{alias}.name")),
        Variable(f"{scope}.first_name", f"{who}: first name", FieldType.TEXT, _first_word(f"{alias}.name")),
        Variable(f"{scope}.email", f"{who}: email", FieldType.TEXT, Sql(f"{alias}.email")),
    ]


_PEOPLE = [*_person(CSM, "c", "CSM"), *_person(SENDER, "s", "Sender")]
_FIRST_NAME = Variable("user.first_name", "User: first name", FieldType.TEXT, _first_word("u.name"))


def workspace_variables(scopes: Iterable[str] = (ACCOUNT, USER, CSM)) -> dict[str, Variable]:
    """Every variable of the tenant in force, by name."""
    fields = once("fields of texts", lambda: FieldSet.of(TraitDefinition.objects.order_by("label", "id")))
    found = [
        _variable(field) for subject in Subject for field in fields.all(subject) if isinstance(field.source, Column)
    ]
    wanted = tuple(f"{scope}." for scope in scopes)
    return {known.name: known for known in [*found, _FIRST_NAME, *_PEOPLE] if known.name.startswith(wanted)}


def _variable(field: Field) -> Variable:
    name = f"{field.subject.value}.{field.key.replace('trait:', 'traits.', 1)}"
    label = f"{field.subject.value.capitalize()}: {field.label}"
    assert isinstance(field.source, Column)
    expression = field.source.expression
    if field.type is not FieldType.PERSON:
        return Variable(name, label, field.type, expression, field.choices)
    member = f"(SELECT p.name FROM tenancy_membership p WHERE p.tenant_id = a.tenant_id AND p.id = {expression.text})"
    return Variable(name, label, FieldType.TEXT, Sql(member, expression.params))


# --- values -----------------------------------------------------------------------------------------------------------

Values = dict[str, Any]

_FROM = """
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[])
        WITH ORDINALITY AS r(account_id, end_user_id, sender_id, n)
    JOIN accounts_account a ON a.tenant_id = %s AND a.id = r.account_id
    LEFT JOIN accounts_enduser u ON u.tenant_id = a.tenant_id AND u.id = r.end_user_id
    LEFT JOIN accounts_accountuser au
        ON au.tenant_id = a.tenant_id AND au.account_id = a.id AND au.end_user_id = r.end_user_id
    LEFT JOIN tenancy_membership c ON c.tenant_id = a.tenant_id AND c.id = a.csm_id AND c.deactivated_at IS NULL
    LEFT JOIN tenancy_membership s ON s.tenant_id = a.tenant_id AND s.id = r.sender_id
"""


def load_values(
    batch: Batch,
    variables: Iterable[Variable],
    *,
    recipients: Mapping[UUID, int] | None = None,
    senders: Mapping[UUID, int] | None = None,
) -> dict[UUID, Values]:
    """Raw values per run. `recipients` and `senders` say whom user and sender mean where it is not the run's own."""
    wanted = list(variables)
    columns = Sql.join(", ", [known.sql for known in wanted])
    runs = batch.runs
    users = [run.end_user_id if recipients is None else recipients.get(run.id) for run in runs]
    params = [[run.account_id for run in runs], users, [(senders or {}).get(run.id) for run in runs], batch.tenant_id]
    rows = _rows(Sql(f"SELECT r.n, {columns.text} {_FROM}", (*columns.params, *params)))
    return {runs[n - 1].id: dict(zip([known.name for known in wanted], row, strict=True)) for n, *row in rows}


def _rows(statement: Sql) -> list[tuple[Any, ...]]:
    return fetch(statement.text, statement.params)


def worded(variable: Variable, value: Any, timezone: str) -> Value:
    """A raw value as a text uses it: dates stay dates for the `date` filter, all else is words."""
    if value is None or variable.type is FieldType.DATE:
        return value  # type: ignore[no-any-return]
    if variable.type is FieldType.MOMENT:
        return value.astimezone(ZoneInfo(timezone))  # type: ignore[no-any-return]
    if variable.type is FieldType.CHOICE:
        return dict(variable.choices).get(value, value)
    if variable.type is FieldType.NUMBER and float(value).is_integer():
        return int(value)
    return shown(value, variable.type.value)


# --- texts of a step --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of a step's config, for each run of a batch. Those without variables are the same for all."""

    fixed: Mapping[str, str]
    templates: Mapping[str, MessageTemplate]
    values: Mapping[UUID, Mapping[str, Value]]

    def of(self, run: Run) -> Mapping[str, str] | Held:
        if not self.templates:
            return self.fixed
        values = self.values.get(run.id, {})
        try:
            return {**self.fixed, **{name: template.render(values) for name, template in self.templates.items()}}
        except MissingValue as missing:
            return Held("missing_value", _needed(missing.names))


def _needed(names: list[str]) -> str:
    variables = ", ".join(f"{{{{ {name} }}}}" for name in names)
    return f'{variables} has no value here. Fill it in, or give the text a default: {{{{ … | default: "…" }}}}.'


def load_texts(
    batch: Batch,
    sources: Mapping[str, str],
    *,
    recipients: Mapping[UUID, int] | None = None,
    senders: Mapping[UUID, int] | None = None,
) -> Texts:
    """No statement at all when the texts use no variables."""
    parsed = {name: message_templates.parse(source) for name, source in sources.items()}
    fixed = {name: template.render({}) for name, template in parsed.items() if not template.variables}
    templates = {name: template for name, template in parsed.items() if template.variables}
    used = {name for template in templates.values() for name in template.variables}
    if not used:
        return Texts(fixed, {}, {})
    known = workspace_variables((ACCOUNT, USER, CSM, SENDER))
    # A trait deleted since publishing has no value: its default is used, or the run is held.
    variables = [known[name] for name in sorted(used) if name in known]
    raw = load_values(batch, variables, recipients=recipients, senders=senders) if variables else {}
    return Texts(fixed, templates, {run.id: _worded(run, variables, raw.get(run.id, {})) for run in batch.runs})


def _worded(run: Run, variables: Iterable[Variable], values: Values) -> dict[str, Value]:
    return {known.name: worded(known, values.get(known.name), run.timezone) for known in variables}
