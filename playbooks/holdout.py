"""Whom a playbook leaves out to compare: drawn by a hash, not by anybody, and written down once.

The hash is of the playbook's key and the account (of a playbook about users: the user). So it is the same whatever
night and version asks, and a higher per cent only adds people. It is the one PostgreSQL places rows of partitioned
tables by, which no upgrade may change.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from accounts.models import Account, EndUser
from accounts.rules.sql import Sql, compose
from cs_platform.common.statements import fetch
from cs_platform.tenancy.context import current_tenant_id
from playbooks.models import Playbook

Pair = tuple[int, int | None]  # of account and user


def share_of(status: str, definition: Mapping[str, Any]) -> int:
    """Per cent. A dry run leaves nobody out: it shows whom the rules find, and does nothing that has an effect."""
    return 0 if status == Playbook.Status.DRY_RUN else definition.get("holdout") or 0


def is_drawn(key: str, subject: Sql, share: int) -> Sql:
    """Whether this subject is left out."""
    return compose(
        "mod(hashtextextended({key} || ':' || {subject}, 0) & 9223372036854775807, 100) < {share}",
        key=Sql.value(key),
        subject=subject,
        share=Sql(str(int(share))),
    )


def is_left_out(playbook: Playbook, share: int, account: Account, user: EndUser | None) -> bool:
    subject = user.pk if playbook.audience == Playbook.Audience.USERS and user else account.pk
    asked = is_drawn(playbook.key, Sql.value(subject), share)
    return bool(fetch(f"SELECT {asked.text}", asked.params)[0][0])


def draw(playbook: Playbook, share: int, pairs: Sequence[Pair]) -> list[Pair]:
    """Those of them that are left out."""
    if not share or not pairs:
        return []
    subject = Sql("s.end_user_id" if playbook.audience == Playbook.Audience.USERS else "s.account_id")
    found = compose(
        "SELECT s.account_id, s.end_user_id FROM {pairs} WHERE {drawn}",
        pairs=_unnested(pairs),
        drawn=is_drawn(playbook.key, subject, share),
    )
    return fetch(found.text, found.params)


def withhold(playbook: Playbook, pairs: Sequence[Pair], *, now: datetime) -> None:
    """Write down that they were left out, under the version published now."""
    rows = compose(
        "SELECT {playbook}::bigint AS playbook_id, {version}::bigint AS version_id, s.* FROM {pairs}",
        playbook=Sql.value(playbook.pk),
        version=Sql.value(playbook.version_id),
        pairs=_unnested(pairs),
    )
    withhold_selected(rows, now=now)


def withhold_selected(rows: Sql, *, now: datetime) -> None:
    """Rows (playbook_id, version_id, account_id, end_user_id). Whoever is written down already stays as they are."""
    statement = compose(
        "INSERT INTO playbooks_withheld (tenant_id, playbook_id, version_id, account_id, end_user_id, matched_at)"
        " SELECT {tenant}, r.playbook_id, r.version_id, r.account_id, r.end_user_id, {now} FROM ({rows}) r"
        " ORDER BY r.playbook_id, r.account_id, r.end_user_id ON CONFLICT DO NOTHING",
        tenant=Sql.value(current_tenant_id()),
        now=Sql.value(now),
        rows=rows,
    )
    with connection.cursor() as cursor:
        cursor.execute(statement.text, statement.params)


def _unnested(pairs: Sequence[Pair]) -> Sql:
    return Sql(
        "unnest(%s::bigint[], %s::bigint[]) s(account_id, end_user_id)",
        ([account for account, _user in pairs], [user for _account, user in pairs]),
    )
