"""Accounts and users as an integration sends them through the API: strict, item by item, written set-wise.

Unlike Segment's calls a value of the wrong type refuses its item, and a key nobody knows is an error, not a new trait.
Like them it is data coming in: values of custom traits carry the sender's name, but the timeline is not told of each.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from accounts.governed import is_governed
from accounts.ingest import subjects, ties
from accounts.ingest.definitions import ACCOUNT, DEFAULT_COLUMNS, USER, USER_COLUMNS, Definitions, is_from_integration
from accounts.ingest.gather import UNSUBSCRIBED, TieNews
from accounts.ingest.history import subject_column
from accounts.ingest.merge import News
from accounts.ingest.reading import Refused, refuse_unfit_for_column
from accounts.ingest.rows import as_json
from accounts.ingest.subjects import Subjects
from accounts.models import Account, EndUser, TraitDefinition
from accounts.models.traits import TraitType
from accounts.traits import TraitValueError, mirror_column, mirror_expression, typed_value
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
    custom: dict[str, dict[str, Any]] = field(default_factory=dict)  # external id -> key -> value
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
        result.faults.append(ItemFault(path, _why_unknown(work, path)))
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


def _why_unknown(work: _Upsert, path: Path) -> str:
    if path[0] == "traits":
        return "There is no such trait. Define it first."
    if is_governed(work.definitions.columns, str(path[0])):
        return "The workspace's own rules decide this field. Send it as a trait that they ask about."
    return "No trait feeds this field."


def _accept(work: _Upsert, item: Item, values: Iterable[tuple[TraitDefinition, Any]]) -> None:
    news = work.news[item.external_id] = News(first_at=work.now)
    for definition, value in values:
        if is_from_integration(definition):
            news.say(definition.key, value, work.now)
        else:
            work.custom.setdefault(item.external_id, {})[definition.key] = value
        if definition.scope == USER and definition.key == UNSUBSCRIBED:
            news.unsubscribed.append((work.now, value is True))
    if item.ties:
        work.ties[item.external_id] = item.ties


# --- writing ----------------------------------------------------------------------------------------------------------


def _write(work: _Upsert, results: Sequence[Result]) -> None:
    model = Account if work.kind is subjects.ACCOUNTS else EndUser
    before = _ids(model, work.news)
    ids = subjects.ensure(work.kind, work.news, tenant_id=work.tenant_id, now=work.now)
    subjects.write(work.kind, work.news, ids, work.definitions, actor=work.by.actor, now=work.now)
    if work.custom:
        _write_custom(work, {ids[external_id]: given for external_id, given in work.custom.items()}, known=before)
    tied = _write_ties(work, ids)
    changed = set(model.objects.filter(pk__in=ids.values(), updated_at=work.now).values_list("pk", flat=True)) | tied
    for result in results:
        if not result.faults:
            result.id = ids[result.external_id]
            seen_before = "updated" if result.id in changed else "unchanged"
            result.outcome = seen_before if result.external_id in before else "created"


def _ids(model: Any, external_ids: Iterable[str]) -> dict[str, int]:
    return dict(model.objects.filter(external_id__in=list(external_ids)).values_list("external_id", "pk"))


def _write_custom(work: _Upsert, values: Mapping[int, Mapping[str, Any]], *, known: Mapping[str, int]) -> None:
    """Values, the key's name as their writer, and mirrors, for everybody at once; and what changed, if it was known."""
    keys = sorted({key for given in values.values() for key in given})
    mirrors = [_mirror(work.definitions.known[work.kind.scope, key], at) for at, key in enumerate(keys, start=1)]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH w AS (UPDATE {work.kind.table} t SET
                traits = n.traits, trait_writers = n.writers,
                updated_at = CASE WHEN t.traits IS DISTINCT FROM n.traits THEN %s ELSE t.updated_at END
                {"".join(mirrors)}
            FROM (
                SELECT o.id, s.given, k.names, (o.traits || jsonb_strip_nulls(s.given)) - s.cleared AS traits,
                    o.trait_writers || s.writers AS writers
                FROM (SELECT %s::text[] AS names) k,
                    json_to_recordset(%s) AS s(id bigint, given jsonb, cleared text[], writers jsonb)
                JOIN {work.kind.table} o ON o.tenant_id = %s AND o.id = s.id
            ) n
            WHERE t.tenant_id = %s AND t.id = n.id
                AND (t.traits, t.trait_writers) IS DISTINCT FROM (n.traits, n.writers)
            RETURNING t.id, old.traits AS before, new.traits AS after)
            INSERT INTO accounts_traitchange
                (tenant_id, {subject_column(work.kind.scope)}, field, at, actor, before, after)
            SELECT %s, w.id, 'trait:' || k.key, %s, %s, w.before -> k.key, w.after -> k.key
            FROM w, unnest(%s::text[]) AS k(key)
            WHERE w.id = ANY(%s) AND w.before -> k.key IS DISTINCT FROM w.after -> k.key
            """,
            [
                work.now,
                keys,
                as_json([_custom_row(id, given, work.by) for id, given in sorted(values.items())]),
                work.tenant_id,
                work.tenant_id,
                work.tenant_id,
                work.now,
                work.by.actor,
                keys,
                list(known.values()),
            ],
        )


def _custom_row(id: int, given: Mapping[str, Any], by: Doer) -> dict[str, Any]:
    cleared = [key for key, value in given.items() if value is None]
    return {"id": id, "given": given, "cleared": cleared, "writers": dict.fromkeys(given, by.actor)}


def _mirror(definition: TraitDefinition, place: int) -> str:
    column, name = mirror_column(definition), f"n.names[{place}]"
    if column is None:
        return ""
    value = mirror_expression(definition, f"NULLIF(n.given -> {name}, 'null'::jsonb)")
    return f", {column} = CASE WHEN jsonb_exists(n.given, {name}) THEN {value} ELSE t.{column} END"


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
