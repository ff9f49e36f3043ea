"""What rules can ask about an account's CTAs: how many are open, of which type or reason, how many are late, what is
due next.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property

from accounts.rules.aggregates import Aggregate
from accounts.rules.fields import Field, FieldType, Subject
from ctas.lists import Kind, Lists, current_lists

_ROWS = """
    SELECT c.account_id, {value} FROM ctas_cta c
    WHERE c.tenant_id = {{tenant}} AND c.archived_at IS NULL AND c.status = 'open'{only} GROUP BY 1
"""


def _count(key: str, label: str, only: str = "", **values: str) -> Field:
    rows = _ROWS.format(value="count(*)", only=only)
    source = Aggregate(rows, Subject.ACCOUNT, tuple(values.items()), missing=0)
    return Field(key, label, FieldType.NUMBER, Subject.ACCOUNT, source, group="CTAs")


_NEXT_DUE = Aggregate(_ROWS.format(value="min(c.due_on)", only=""), Subject.ACCOUNT)
_FIXED = (
    _count("open_ctas", "Open CTAs"),
    _count("overdue_ctas", "Overdue CTAs", " AND c.due_on < {today}"),
    Field("next_cta_due_on", "Next CTA due", FieldType.DATE, Subject.ACCOUNT, _NEXT_DUE, group="CTAs"),
)
_BY_TYPE, _BY_REASON = "open_ctas:", "open_ctas_reason:"


def _of_type(key: str, name: str) -> Field:
    return _count(_BY_TYPE + key, f"Open CTAs of type {name}", " AND c.type = {type}", type=key)


def _of_reason(key: str, name: str) -> Field:
    return _count(_BY_REASON + key, f"Open CTAs because of {name}", " AND c.reason = {reason}", reason=key)


class CtaFields:
    """`open_ctas:<type>` and `open_ctas_reason:<reason>` are known for archived entries, too, but not offered."""

    def fields(self, subject: Subject) -> Iterable[Field]:
        return tuple(self._offered()) if subject is Subject.ACCOUNT else ()

    def find(self, subject: Subject, key: str) -> Field | None:
        if subject is not Subject.ACCOUNT:
            return None
        for prefix, kind, field in ((_BY_TYPE, Kind.TYPE, _of_type), (_BY_REASON, Kind.REASON, _of_reason)):
            if key.startswith(prefix):
                entry = self._lists.known(kind, key.removeprefix(prefix))
                return field(entry.key, entry.name) if entry else None
        return next((field for field in _FIXED if field.key == key), None)

    def _offered(self) -> Iterator[Field]:
        yield from _FIXED
        yield from (_of_type(entry.key, entry.name) for entry in self._lists.offered(Kind.TYPE))
        yield from (_of_reason(entry.key, entry.name) for entry in self._lists.offered(Kind.REASON))

    @cached_property
    def _lists(self) -> Lists:
        return current_lists()
