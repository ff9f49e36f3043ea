"""Which user belongs to which account, in what role, and when they were last seen there."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import connection

from accounts.ingest.gather import TieNews
from accounts.ingest.merge import REST
from accounts.ingest.rows import as_json, whole_second

Place = tuple[int, int]  # user, account


# The later word wins; of one moment, the greater role does, so that all orders of arrival agree.
_IS_NEWER = """EXCLUDED.role_at IS NOT NULL AND (
    t.role_at IS NULL OR EXCLUDED.role_at > t.role_at
    OR (EXCLUDED.role_at = t.role_at AND COALESCE(EXCLUDED.role, '') > COALESCE(t.role, ''))
)"""
_ROLE = f"CASE WHEN {_IS_NEWER} THEN EXCLUDED.role ELSE t.role END"
_ROLE_AT = "GREATEST(t.role_at, EXCLUDED.role_at)"
_SEEN = "GREATEST(t.last_seen_at, EXCLUDED.last_seen_at)"
# When a user's own role was last spoken of (accounts/ingest/merge.py says how moments are kept).
_MOMENT = (
    "COALESCE(u.trait_moments -> k.key, CASE WHEN jsonb_exists(u.traits, k.key) "
    f"THEN u.trait_moments -> '{REST}' END)::bigint"
)


def write(ties: Mapping[Place, TieNews], *, tenant_id: int) -> list[Place]:
    """The ties that are new."""
    rows = [
        {"account": account, "user": user, **_row(tie)} for (user, account), tie in sorted(ties.items(), key=_place)
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO accounts_accountuser AS t
                (tenant_id, account_id, end_user_id, role, role_at, last_seen_at, is_key_contact)
            SELECT %s, s.account, s."user", s.role, s.role_at, s.seen_at, false
            FROM json_to_recordset(%s)
                AS s(account bigint, "user" bigint, role text, role_at timestamptz, seen_at timestamptz)
            ON CONFLICT (tenant_id, account_id, end_user_id) DO UPDATE SET
                role = {_ROLE}, role_at = {_ROLE_AT}, last_seen_at = {_SEEN}
            WHERE (t.role, t.role_at, t.last_seen_at) IS DISTINCT FROM ({_ROLE}, {_ROLE_AT}, {_SEEN})
            RETURNING end_user_id, account_id, old.id IS NULL
            """,
            [tenant_id, as_json(rows)],
        )
        return [(user_id, account_id) for user_id, account_id, is_new in cursor.fetchall() if is_new]


def spread_roles(user_ids: Iterable[int], *, role_key: str, tenant_id: int) -> None:
    """A role said without naming an account holds at all of the user's accounts, until one is told otherwise."""
    roles = _own_roles(user_ids, role_key, tenant_id)
    homes = accounts_of(roles, tenant_id=tenant_id) if roles else {}
    placed = {(user, account): roles[user] for user, accounts in homes.items() for account in accounts}
    if placed:
        write(placed, tenant_id=tenant_id)


def _own_roles(user_ids: Iterable[int], key: str, tenant_id: int) -> dict[int, TieNews]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT u.id, u.traits ->> k.key, to_timestamp({_MOMENT} / 1000.0)
            FROM (SELECT %s::text AS key) k, unnest(%s::bigint[]) AS w(id)
            JOIN accounts_enduser u ON u.tenant_id = %s AND u.id = w.id
            WHERE {_MOMENT} IS NOT NULL
            """,
            [key, list(user_ids), tenant_id],
        )
        return {id: TieNews(role=role, role_at=at) for id, role, at in cursor.fetchall()}


def _place(item: tuple[Place, TieNews]) -> Place:
    return item[0]


def _row(tie: TieNews) -> dict[str, Any]:
    seen_at = tie.seen_at and whole_second(tie.seen_at)
    return {"role": tie.role, "role_at": tie.role_at, "seen_at": seen_at}


def accounts_of(user_ids: Iterable[int], *, tenant_id: int) -> dict[int, list[int]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT w.id, array_agg(t.account_id) FROM unnest(%s::bigint[]) AS w(id) "
            "JOIN accounts_accountuser t ON t.tenant_id = %s AND t.end_user_id = w.id GROUP BY w.id",
            [list(user_ids), tenant_id],
        )
        return dict(cursor.fetchall())


def count_users(account_ids: Iterable[int], *, tenant_id: int, now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH c AS MATERIALIZED (
                SELECT w.id, count(t.id) AS users FROM unnest(%s::bigint[]) AS w(id)
                LEFT JOIN accounts_accountuser t ON t.tenant_id = %s AND t.account_id = w.id GROUP BY w.id
            )
            UPDATE accounts_account t SET user_count = c.users, updated_at = %s
            FROM c WHERE t.tenant_id = %s AND t.id = c.id AND t.user_count IS DISTINCT FROM c.users
            """,
            [list(account_ids), tenant_id, now, tenant_id],
        )
