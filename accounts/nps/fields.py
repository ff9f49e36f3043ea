"""What rules ask about answers: a user's last score and when it was given; an account's score and its last answer."""

from collections.abc import Iterable

from accounts.rules.aggregates import Aggregate
from accounts.rules.fields import Field, FieldType, Subject

_LAST_OF_USER = """
    SELECT DISTINCT ON (r.end_user_id) r.end_user_id, r.{column} FROM accounts_npsresponse r
    WHERE r.tenant_id = {{tenant}} ORDER BY r.end_user_id, r.answered_at DESC, r.id DESC
"""
# The same rounding as accounts.nps.scores.Tally.score.
_SCORE_OF_ACCOUNT = """
    SELECT l.account_id, round(
        100.0 * (count(*) FILTER (WHERE l.score >= 9) - count(*) FILTER (WHERE l.score <= 6)) / count(*)
    )::float8 FROM (
        SELECT DISTINCT ON (r.account_id, r.end_user_id) r.account_id, r.score FROM accounts_npsresponse r
        WHERE r.tenant_id = {tenant} AND r.account_id IS NOT NULL
        ORDER BY r.account_id, r.end_user_id, r.answered_at DESC, r.id DESC
    ) l GROUP BY 1
"""
_LAST_OF_ACCOUNT = """
    SELECT r.account_id, max(r.answered_at) FROM accounts_npsresponse r
    WHERE r.tenant_id = {tenant} AND r.account_id IS NOT NULL GROUP BY 1
"""


def _field(key: str, label: str, type: FieldType, subject: Subject, rows: str) -> Field:
    return Field(key, label, type, subject, Aggregate(rows, subject), group="NPS")


FIELDS: tuple[Field, ...] = (
    _field("nps", "NPS", FieldType.NUMBER, Subject.ACCOUNT, _SCORE_OF_ACCOUNT),
    _field("nps_answered_at", "Last NPS answer", FieldType.MOMENT, Subject.ACCOUNT, _LAST_OF_ACCOUNT),
    _field("nps_score", "Last NPS score", FieldType.NUMBER, Subject.USER, _LAST_OF_USER.format(column="score::float8")),
    _field(
        "nps_answered_at",
        "Last NPS answer",
        FieldType.MOMENT,
        Subject.USER,
        _LAST_OF_USER.format(column="answered_at"),
    ),
)


class NpsFields:
    def fields(self, subject: Subject) -> Iterable[Field]:
        return (field for field in FIELDS if field.subject is subject)

    def find(self, subject: Subject, key: str) -> Field | None:
        return next((field for field in self.fields(subject) if field.key == key), None)
