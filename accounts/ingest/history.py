"""What changed on accounts and users that were known before, for their histories: one statement for a batch."""

from collections.abc import Iterable
from datetime import datetime

from django.db import connection

from accounts.ingest.definitions import ACCOUNT
from accounts.ingest.merge import Document
from accounts.ingest.rows import as_json


def remember(changed: Iterable[tuple[int, Document]], *, scope: str, actor: str, tenant_id: int, now: datetime) -> None:
    """`now` and not the call's own moment: a history tells what was true here, and late news was not."""
    rows = [
        {"id": id, "field": f"trait:{key}", "before": before, "after": after}
        for id, document in changed
        for key, (before, after) in document.replaced.items()
    ]
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO accounts_traitchange (tenant_id, {subject_column(scope)}, field, at, actor, before, after) "
            "SELECT %s, s.id, s.field, %s, %s, s.before, s.after "
            "FROM json_to_recordset(%s) AS s(id bigint, field text, before jsonb, after jsonb)",
            [tenant_id, now, actor, as_json(rows)],
        )


def subject_column(scope: str) -> str:
    return "account_id" if scope == ACCOUNT else "end_user_id"
