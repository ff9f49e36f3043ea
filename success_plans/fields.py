"""What rules can ask about an account's success plans: how many are under way, of which type, how far, until when."""

from collections.abc import Iterable
from functools import cached_property

from accounts.rules.aggregates import Aggregate
from accounts.rules.fields import Field, FieldType, Subject
from success_plans.models import PlanType
from success_plans.progress import FROM_PLANS, PERCENT

STATES = (("active", "Active"), ("draft", "Draft"), ("closed", "Closed"), ("none", "No plan"))
_ROWS = """
    SELECT p.account_id, {value} FROM success_plans_successplan p
    WHERE p.tenant_id = {{tenant}} AND p.archived_at IS NULL{only} GROUP BY 1
"""
# The one that is furthest on its way speaks for the account.
_STATE = """
    CASE WHEN bool_or(p.status = 'active') THEN 'active' WHEN bool_or(p.status = 'draft') THEN 'draft' ELSE 'closed' END
"""
_OPEN = " AND p.status = 'active'"
_PROGRESS = f"""
    SELECT p.account_id, min({PERCENT})::float8 {FROM_PLANS}
    WHERE p.tenant_id = {{tenant}} AND p.archived_at IS NULL{_OPEN} GROUP BY 1
"""


def _aggregate(value: str, only: str = "", *, missing: object = None, **values: object) -> Aggregate:
    return Aggregate(_ROWS.format(value=value, only=only), Subject.ACCOUNT, tuple(values.items()), missing)


def _field(
    key: str, label: str, type: FieldType, source: Aggregate, choices: tuple[tuple[str, str], ...] = ()
) -> Field:
    return Field(key, label, type, Subject.ACCOUNT, source, choices, group="Success plans")


_FIELDS = (
    _field("success_plan", "Success plan", FieldType.STATE, _aggregate(_STATE, missing="none"), STATES),
    _field("open_plans", "Active success plans", FieldType.NUMBER, _aggregate("count(*)", _OPEN, missing=0)),
    _field(
        "overdue_plans",
        "Overdue success plans",
        FieldType.NUMBER,
        _aggregate("count(*)", f"{_OPEN} AND p.due_on < {{today}}", missing=0),
    ),
    _field(
        "plan_progress",
        "Progress of the active success plan least done (%)",
        FieldType.NUMBER,
        Aggregate(_PROGRESS, Subject.ACCOUNT),
    ),
    _field("next_plan_due_on", "Next success plan due", FieldType.DATE, _aggregate("min(p.due_on)", _OPEN)),
)


class PlanFields:
    """Those above, and `open_plans:<id>` for each type of plans."""

    def fields(self, subject: Subject) -> Iterable[Field]:
        if subject is not Subject.ACCOUNT:
            return ()
        return (*_FIELDS, *(_of_type(one) for one in self._types.values() if one.archived_at is None))

    def find(self, subject: Subject, key: str) -> Field | None:
        if subject is not Subject.ACCOUNT:
            return None
        prefix, _, wanted = key.partition(":")
        if prefix == "open_plans" and wanted in self._types:
            return _of_type(self._types[wanted])
        return next((field for field in _FIELDS if field.key == key), None)

    @cached_property
    def _types(self) -> dict[str, PlanType]:
        rows = PlanType.objects.only("tenant_id", "name", "archived_at").order_by("name", "pk")
        return {str(one.pk): one for one in rows}


def _of_type(one: PlanType) -> Field:
    source = _aggregate("count(*)", f"{_OPEN} AND p.type_id = {{type}}", missing=0, type=one.pk)
    return _field(f"open_plans:{one.pk}", f"Active success plans of type “{one.name}”", FieldType.NUMBER, source)
