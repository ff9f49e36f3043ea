"""Writing down what happened: the engine's own ledger, and the timeline people read, in the same transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection


@dataclass(frozen=True, slots=True)
class Told:
    """One sentence on an account's timeline."""

    account_id: int
    end_user_id: int | None
    text: str
    subject: str  # "enrollment:31"


def tell(lines: Sequence[Told], *, tenant_id: int, kind: str, actor: str, now: datetime) -> None:
    if not lines:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO accounts_timelineentry (tenant_id, account_id, end_user_id, at, kind, actor, text, subject)
            SELECT %s, told.account_id, told.end_user_id, %s, %s, %s, told.text, told.subject
            FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[]) told(account_id, end_user_id, text, subject)
            """,
            [
                tenant_id,
                now,
                kind,
                actor,
                [line.account_id for line in lines],
                [line.end_user_id for line in lines],
                [line.text for line in lines],
                [line.subject for line in lines],
            ],
        )


def record_enrollments(
    ids: Sequence[int], *, tenant_id: int, from_state: str, to_state: str, actor: str, now: datetime, reason: str = ""
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO playbooks_ledgerentry (tenant_id, enrollment_id, at, from_state, to_state, actor, reason)
            SELECT %s, id, %s, %s, %s, %s, %s FROM unnest(%s::bigint[]) id
            """,
            [tenant_id, now, from_state, to_state, actor, reason, list(ids)],
        )


def record_runs(
    ids: Sequence[UUID], *, tenant_id: int, from_state: str, actor: str, now: datetime, reason: str = ""
) -> None:
    """The runs' present state is what they moved to."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO playbooks_ledgerentry
                (tenant_id, run_id, enrollment_id, at, from_state, to_state, actor, reason, receipt)
            SELECT tenant_id, id, enrollment_id, %s, %s, state, %s, %s, receipt
            FROM playbooks_actionrun WHERE tenant_id = %s AND id = ANY(%s)
            """,
            [now, from_state, actor, reason, tenant_id, list(ids)],
        )
