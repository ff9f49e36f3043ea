"""Who holds which role at which accounts, for any number of accounts at once: CSM, AE and the workspace's own roles.

A role is named as rules name it: "csm", "ae", "role:onboarding". Who wrote it last is read from the history of values,
which everybody who changes a role writes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.changes import ROLE, TRAIT
from accounts.models import KeyRole, TraitDefinition
from cs_platform.common.statements import fetch
from cs_platform.tenancy.context import current_tenant_id

PERSONS: Mapping[str, str] = {"csm": "CSM", "ae": "AE"}


@dataclass(frozen=True, slots=True)
class Holding:
    """Somebody or nobody, and who said so."""

    member_id: int | None
    writer: str


def role_names() -> dict[str, str]:
    own = KeyRole.objects.filter(archived_at=None).order_by("position", "pk").values_list("key", "name")
    return {**PERSONS, **{ROLE + key: name for key, name in own}}


def fields_of(role: str) -> list[str]:
    """The role as histories call it; also the trait that feeds its column, which an integration writes."""
    if role not in PERSONS:
        return [role]
    feeding = TraitDefinition.objects.filter(scope=TraitDefinition.Scope.ACCOUNT, column=f"{role}_id")
    return [role, *(TRAIT + key for key in feeding.values_list("key", flat=True))]


def last_writers(account_ids: Sequence[int], fields: Sequence[str]) -> dict[int, str]:
    """Who last changed any of these fields, by account."""
    return {id: holding.writer for id, holding in last_words(account_ids, fields).items()}


def last_words(account_ids: Sequence[int], fields: Sequence[str]) -> dict[int, Holding]:
    """What was last said about any of these fields, and by whom."""
    rows = fetch(
        "SELECT DISTINCT ON (account_id) account_id, after::text, actor FROM accounts_traitchange"
        " WHERE tenant_id = %s AND account_id = ANY(%s) AND field = ANY(%s) ORDER BY account_id, at DESC, id DESC",
        [current_tenant_id(), list(account_ids), list(fields)],
    )
    return {id: Holding(None if member is None else int(member), writer) for id, member, writer in rows}


def hold(role: str, holdings: Mapping[int, Holding], *, now: datetime) -> dict[int, int | None]:
    """By account; returns who it was. The caller has locked the accounts and writes the history."""
    if not holdings:
        return {}
    given = {
        "tenant": current_tenant_id(),
        "ids": list(holdings),
        "members": [one.member_id for one in holdings.values()],
        "writers": [one.writer for one in holdings.values()],
        "now": now,
        "role": role.removeprefix(ROLE),
    }
    if role in PERSONS:
        return dict(fetch(_WRITE_PERSON.format(column=f"{role}_id"), given))
    held = dict(fetch(_HELD, given))
    fetch(_VACATE, given)
    fetch(_HOLD, given)
    fetch(_TOUCH, given | {"ids": [id for id, one in holdings.items() if held.get(id) != one.member_id]})
    return {id: held.get(id) for id in holdings}


_WRITE_PERSON = """
UPDATE accounts_account t SET {column} = n.member,
    updated_at = CASE WHEN t.{column} IS DISTINCT FROM n.member THEN %(now)s ELSE t.updated_at END
FROM unnest(%(ids)s::bigint[], %(members)s::bigint[]) AS n(id, member)
WHERE t.tenant_id = %(tenant)s AND t.id = n.id RETURNING t.id, old.{column}
"""
_ROLE = "(SELECT k.id FROM accounts_keyrole k WHERE k.tenant_id = %(tenant)s AND k.key = %(role)s)"
_HELD = f"""
SELECT account_id, member_id FROM accounts_accountrole
WHERE tenant_id = %(tenant)s AND account_id = ANY(%(ids)s) AND role_id = {_ROLE}
"""
_VACATE = f"""
DELETE FROM accounts_accountrole r USING unnest(%(ids)s::bigint[], %(members)s::bigint[]) AS n(id, member)
WHERE r.tenant_id = %(tenant)s AND r.account_id = n.id AND r.role_id = {_ROLE} AND n.member IS NULL
"""
_HOLD = """
INSERT INTO accounts_accountrole AS r (tenant_id, account_id, role_id, member_id, since_at, assigned_by)
SELECT %(tenant)s, n.id, k.id, n.member, %(now)s, n.writer
FROM unnest(%(ids)s::bigint[], %(members)s::bigint[], %(writers)s::text[]) AS n(id, member, writer)
JOIN accounts_keyrole k ON k.tenant_id = %(tenant)s AND k.key = %(role)s
WHERE n.member IS NOT NULL
ON CONFLICT (tenant_id, account_id, role_id) DO UPDATE
    SET member_id = EXCLUDED.member_id, since_at = EXCLUDED.since_at, assigned_by = EXCLUDED.assigned_by
    WHERE r.member_id <> EXCLUDED.member_id
"""
_TOUCH = "UPDATE accounts_account SET updated_at = %(now)s WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s)"

# --- in turn ----------------------------------------------------------------------------------------------------------

_TAKE_TURNS = """
INSERT INTO accounts_roleturn AS t (tenant_id, role, member_id, assigned_at, place)
SELECT %(tenant)s, %(role)s, member_id, %(now)s, place + (
    SELECT COALESCE(max(s.place) + 1, 0) FROM accounts_roleturn s
    WHERE s.tenant_id = %(tenant)s AND s.role = %(role)s AND s.assigned_at = %(now)s
)
FROM unnest(%(members)s::bigint[], %(places)s::int[]) AS n(member_id, place) ORDER BY member_id
ON CONFLICT (tenant_id, role, member_id) DO UPDATE SET assigned_at = EXCLUDED.assigned_at, place = EXCLUDED.place
    WHERE (t.assigned_at, t.place) < (EXCLUDED.assigned_at, EXCLUDED.place)
"""


def take_turns(role: str, members: Iterable[int | None], *, now: datetime) -> None:
    """Remembers that each was given an account, in this order: whoever had one longest ago is next (round robin)."""
    places = {member_id: place for place, member_id in enumerate(members) if member_id is not None}
    if places:
        given = {"tenant": current_tenant_id(), "role": role, "now": now}
        fetch(_TAKE_TURNS, given | {"members": list(places), "places": list(places.values())})


def one_at_a_time(role: str) -> None:
    """Until the transaction ends, nobody else of the workspace gives out accounts in this role by what each has."""
    fetch("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{current_tenant_id()}:hold:{role}"])
