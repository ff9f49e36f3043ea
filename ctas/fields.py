"""What rules can ask about an account's CTAs: how many are open, of which type, how many are late, what is due next."""

from collections.abc import Iterable

from accounts.rules.aggregates import Aggregate
from accounts.rules.fields import Field, FieldType, Subject
from ctas.models import Cta

_ROWS = """
    SELECT c.account_id, {value} FROM ctas_cta c
    WHERE c.tenant_id = {{tenant}} AND c.archived_at IS NULL AND c.status = 'open'{only} GROUP BY 1
"""


def _count(key: str, label: str, only: str = "", **values: str) -> Field:
    rows = _ROWS.format(value="count(*)", only=only)
    source = Aggregate(rows, Subject.ACCOUNT, tuple(values.items()), missing=0)
    return Field(key, label, FieldType.NUMBER, Subject.ACCOUNT, source, group="CTAs")


_NEXT_DUE = Aggregate(_ROWS.format(value="min(c.due_on)", only=""), Subject.ACCOUNT)
_FIELDS = (
    _count("open_ctas", "Open CTAs"),
    *(
        _count(f"open_ctas:{value}", f"Open CTAs of type {label}", " AND c.type = {type}", type=value)
        for value, label in Cta.Type.choices
    ),
    _count("overdue_ctas", "Overdue CTAs", " AND c.due_on < {today}"),
    Field("next_cta_due_on", "Next CTA due", FieldType.DATE, Subject.ACCOUNT, _NEXT_DUE, group="CTAs"),
)


class CtaFields:
    def fields(self, subject: Subject) -> Iterable[Field]:
        return _FIELDS if subject is Subject.ACCOUNT else ()

    def find(self, subject: Subject, key: str) -> Field | None:
        return next((field for field in self.fields(subject) if field.key == key), None)
