"""Accounts and users as an integration sends them through the API: strict, item by item, written set-wise.

Unlike Segment's calls a value of the wrong type refuses its item, and a key nobody knows is an error, not a new trait.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from django.db import connection, transaction

from accounts.ingest import subjects, ties
from accounts.ingest.definitions import ACCOUNT, DEFAULT_COLUMNS, USER, USER_COLUMNS, Definitions, is_from_integration
from accounts.ingest.gather import UNSUBSCRIBED, TieNews
from accounts.ingest.merge import News
from accounts.ingest.reading import Refused, refuse_unfit_for_column
from accounts.ingest.rows import as_json
from accounts.ingest.subjects import Subjects
from accounts.models import Account, EndUser, TimelineEntry, TraitDefinition
from accounts.models.traits import TraitType
from accounts.traits import Change, TraitValueError, change_in_words, typed_value, write_assignments
from cs_platform.tenancy.models import Doer, Membership, Tenant

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Tie:
    """A user's place at an account that exists."""

    account: str  # its external id
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """`facts` are built-in columns by name; each is kept in the trait that feeds it."""

    external_id: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    traits: Mapping[str, Any] = field(default_factory=dict)
    ties: Sequence[Tie] = ()


@dataclass(frozen=True, slots=True)
class ItemFault:
    path: Path
    message: str


@dataclass(slots=True)
class Result:
    external_id: str
    outcome: str = "refused"  # or created, updated, unchanged
    id: int | None = None
    faults: list[ItemFault] = field(default_factory=list)


@dataclass(slots=True)
class _Upsert:
    kind: Subjects
    definitions: Definitions
    by: Doer
    now: datetime
    members: Collection[int] = ()
    accounts: Mapping[str, int] = field(default_factory=dict)
    news: dict[str, News] = field(default_factory=dict)
    custom: dict[str, dict[str, Any]] = field(default_factory=dict)  # key -> external id -> value
    ties: dict[str, Sequence[Tie]] = field(default_factory=dict)

    @property
    def tenant_id(self) -> int:
        return self.definitions.tenant.pk


def upsert_accounts(items: Sequence[Item], *, tenant: Tenant, by: Doer, now: datetime) -> list[Result]:
    return _upsert(items, subjects.ACCOUNTS, tenant=tenant, by=by, now=now)


def upsert_users(items: Sequence[Item], *, tenant: Tenant, by: Doer, now: datetime) -> list[Result]:
    return _upsert(items, subjects.USERS, tenant=tenant, by=by, now=now)


def _upsert(items: Sequence[Item], kind: Subjects, *, tenant: Tenant, by: Doer, now: datetime) -> list[Result]:
    """One result per item, in order. What one item gets wrong keeps no other from being written."""
    with transaction.atomic():
        work = _Upsert(kind, Definitions.of(tenant), by, now)
        _learn_columns(work, items)
        work.members = _members(work, items)
        work.accounts = _ids(Account, {tie.account for item in items for tie in item.ties})
        results = [_read(work, item) for item in items]
        if work.news:
            _write(work, results)
    return results


# --- reading ----------------------------------------------------------------------------------------------------------


def _learn_columns(work: _Upsert, items: Iterable[Item]) -> None:
    """A built-in column nobody fed so far gets the trait of its usual name."""
    used = {column for item in items for column in item.facts}
    usual = DEFAULT_COLUMNS if work.kind.scope == ACCOUNT else USER_COLUMNS
    keys = {column: key for key, column in usual.items()}
    unfed = [column for column in sorted(used) if not work.definitions.feeding(work.kind.scope, column)]
    wanted = {(work.kind.scope, keys[column]): [None] for column in unfed if column in keys}
    work.definitions.learn({key: values for key, values in wanted.items() if key not in work.definitions.known})


def _members(work: _Upsert, items: Iterable[Item]) -> set[int]:
    """Whom a person trait may name: asked once, not item by item."""
    values = (value for item in items for given in (item.facts, item.traits) for value in given.values())
    ids = {value for value in values if isinstance(value, int) and not isinstance(value, bool)}
    active = Membership.objects.in_tenant(work.tenant_id).active()
    return set(active.filter(pk__in=ids).values_list("pk", flat=True))


def _read(work: _Upsert, item: Item) -> Result:
    result = Result(item.external_id)
    if item.external_id in work.news:
        result.faults.append(ItemFault(("external_id",), "This id appears earlier in the same request."))
        return result
    given: list[tuple[Path, TraitDefinition | None, Any]] = [
        (("traits", key), work.definitions.known.get((work.kind.scope, key)), value)
        for key, value in item.traits.items()
    ]
    given += [((name,), work.definitions.feeding(work.kind.scope, name), value) for name, value in item.facts.items()]
    values = [(definition, _typed(work, path, definition, value, result)) for path, definition, value in given]
    for at, tie in enumerate(item.ties):
        if tie.account not in work.accounts:
            result.faults.append(ItemFault(("accounts", at, "external_id"), "There is no account with this id."))
    if not result.faults:
        _accept(work, item, [(definition, value) for definition, value in values if definition])
    return result


def _typed(work: _Upsert, path: Path, definition: TraitDefinition | None, value: Any, result: Result) -> Any:
    if definition is None:
        words = "There is no such trait. Define it first." if path[0] == "traits" else "No trait feeds this field."
        result.faults.append(ItemFault(path, words))
        return None
    try:
        typed = typed_value(definition, value)
        refuse_unfit_for_column(definition.column, typed)
    except (TraitValueError, Refused) as refusal:
        result.faults.append(ItemFault(path, str(refusal)))
        return None
    if definition.type == TraitType.PERSON and typed is not None and typed not in work.members:
        result.faults.append(ItemFault(path, f"“{typed}” is not an active member of this workspace."))
    return typed


def _accept(work: _Upsert, item: Item, values: Iterable[tuple[TraitDefinition, Any]]) -> None:
    news = work.news[item.external_id] = News(first_at=work.now)
    for definition, value in values:
        if is_from_integration(definition):
            news.say(definition.key, value, work.now)
        else:
            work.custom.setdefault(definition.key, {})[item.external_id] = value
        if definition.scope == USER and definition.key == UNSUBSCRIBED:
            news.unsubscribed.append((work.now, value is True))
    if item.ties:
        work.ties[item.external_id] = item.ties


# --- writing ----------------------------------------------------------------------------------------------------------


def _write(work: _Upsert, results: Sequence[Result]) -> None:
    model = Account if work.kind is subjects.ACCOUNTS else EndUser
    before = _ids(model, work.news)
    ids = subjects.ensure(work.kind, work.news, tenant_id=work.tenant_id, now=work.now)
    subjects.write(work.kind, work.news, ids, work.definitions, now=work.now)
    for key, values in sorted(work.custom.items()):
        _write_custom(work, key, {ids[external_id]: value for external_id, value in values.items()})
    tied = _write_ties(work, ids)
    changed = set(model.objects.filter(pk__in=ids.values(), updated_at=work.now).values_list("pk", flat=True)) | tied
    for result in results:
        if not result.faults:
            result.id = ids[result.external_id]
            seen_before = "updated" if result.id in changed else "unchanged"
            result.outcome = seen_before if result.external_id in before else "created"


def _ids(model: Any, external_ids: Iterable[str]) -> dict[str, int]:
    return dict(model.objects.filter(external_id__in=list(external_ids)).values_list("external_id", "pk"))


def _write_custom(work: _Upsert, key: str, values: Mapping[int, Any]) -> None:
    """One trait for everybody it was sent for: value, writer and mirror, as when a person edits it."""
    definition = work.definitions.known[work.kind.scope, key]
    assignments = write_assignments(definition, key="n.key", value="n.value", writer="n.writer")
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE {work.kind.table} t SET {assignments},
                updated_at = CASE WHEN t.traits -> n.key IS DISTINCT FROM n.value THEN %s ELSE t.updated_at END
            FROM (
                SELECT s.id, s.value, %s::text AS key, %s::text AS writer
                FROM json_to_recordset(%s) AS s(id bigint, value jsonb)
            ) n
            WHERE t.tenant_id = %s AND t.id = n.id AND (t.traits -> n.key IS DISTINCT FROM n.value
                OR t.trait_writers ->> n.key IS DISTINCT FROM n.writer)
            RETURNING t.id, (old.traits -> n.key)::text, n.value::text
            """,
            [work.now, key, work.by.actor, as_json([{"id": i, "value": v} for i, v in values.items()]), work.tenant_id],
        )
        changes = {id: Change(_parsed(old), _parsed(new)) for id, old, new in cursor.fetchall()}
    _tell(work, definition, {id: change for id, change in changes.items() if change})


def _parsed(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)


def _tell(work: _Upsert, definition: TraitDefinition, changes: Mapping[int, Change]) -> None:
    """One entry on each account, or on every account of each user."""
    is_user = work.kind is subjects.USERS
    homes = ties.accounts_of(changes, tenant_id=work.tenant_id) if is_user else {id: [id] for id in changes}
    TimelineEntry.objects.bulk_create(
        TimelineEntry(
            account_id=account_id,
            end_user_id=id if is_user else None,
            at=work.now,
            kind="trait.changed",
            actor=work.by.actor,
            text=change_in_words(definition, changes[id]),
            subject=f"trait:{definition.key}",
            detail={"key": definition.key, "before": changes[id].before, "after": changes[id].after},
        )
        for id, accounts in homes.items()
        for account_id in accounts
    )


def _write_ties(work: _Upsert, users: Mapping[str, int]) -> set[int]:
    """Returns the users who gained an account."""
    placed = {
        (users[external_id], work.accounts[tie.account]): TieNews(role=tie.role, role_at=work.now if tie.role else None)
        for external_id, listed in work.ties.items()
        for tie in listed
    }
    gained = ties.write(placed, tenant_id=work.tenant_id) if placed else []
    if gained:
        ties.count_users({account for _user, account in gained}, tenant_id=work.tenant_id, now=work.now)
    return {user for user, _account in gained}
