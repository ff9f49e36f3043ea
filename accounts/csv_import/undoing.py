"""What an import changed, remembered as it changes it, and taken back where it is still as the import left it."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q

from accounts.bulk.set_trait import Held, legacies, write_values
from accounts.bulk.verbs import id_of
from accounts.bulk.writing import as_they_stand
from accounts.changes import TRAIT, Changed, remember_changes
from accounts.heirs import hand_over
from accounts.ingest import subjects, ties
from accounts.ingest.definitions import Definitions, is_from_integration
from accounts.ingest.merge import Document, Moment, News
from accounts.ingest.upsert import Result
from accounts.models import Account, AccountUser, CsvImport, EndUser, TimelineEntry, TraitDefinition
from accounts.traits import IMPORT, TABLES, mirror_expression
from cs_platform.common.statements import fetch
from cs_platform.jobs.kinds import Item
from cs_platform.jobs.models import Job, JobItem
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Tenant

ACCOUNT = CsvImport.Scope.ACCOUNT
# Built-in columns that traits feed, by scope; `role` stands on the tie.
_ACCOUNT_COLUMNS = "name plan timezone lifecycle mrr_cents health renewal_on trial_end_on created_at csm_id ae_id"
_FED: Mapping[str, list[str]] = {
    ACCOUNT: _ACCOUNT_COLUMNS.split(),
    CsvImport.Scope.USER: ["name", "email", "created_at"],
}
_NEVER_EMPTY = ("name", "created_at", "lifecycle")
USED = "Something has happened here since it was made: it stays."
GONE = "It is archived."


@dataclass(frozen=True, slots=True)
class State:
    """One account or user as the import meets or leaves it."""

    id: int
    traits: Mapping[str, Any]
    writers: Mapping[str, str]
    moments: Mapping[str, Moment]
    columns: Mapping[str, Any]
    accounts: frozenset[int]  # of a user

    def writer(self, key: str) -> str:
        return self.writers.get(key, IMPORT)

    def moment_of(self, key: str) -> Moment:
        return Document(dict(self.traits), dict(self.writers), dict(self.moments)).moment_of(key)


@dataclass(slots=True)
class Snapshot:
    scope: str
    before: Mapping[str, State]  # by external id
    found: list[Item] = field(default_factory=list)

    @classmethod
    def of(cls, scope: str, external_ids: Sequence[str]) -> "Snapshot":
        return cls(scope, _states(scope, external_ids=external_ids))

    def compare(self, results: Sequence[Result], *, now: datetime) -> None:
        touched = [result.external_id for result in results if result.outcome in ("created", "updated", "unchanged")]
        after = _states(self.scope, external_ids=touched)
        for external_id, state in after.items():
            item = _item(self.scope, self.before.get(external_id), state, now)
            if item:
                self.found.append(item)

    def items(self, job: Job) -> list[Item]:
        """Those of new subjects. One that an earlier slice has met keeps what it was before that."""
        known = {
            one.subject: one for one in JobItem.objects.filter(job=job, subject__in=[i.subject for i in self.found])
        }
        for item in self.found:
            if one := known.get(item.subject):
                one.before, one.after = _joined(item.before, one.before), _joined(one.after, item.after)
        JobItem.objects.bulk_update(known.values(), ["before", "after"])
        return [item for item in self.found if item.subject not in known]


def _joined(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Part by part; of what both name, `over` counts."""
    parts = {**under, **over}
    for name in ("traits", "columns"):
        if name in under or name in over:
            parts[name] = {**under.get(name, {}), **over.get(name, {})}
    if "ties" in under or "ties" in over:
        parts["ties"] = sorted({*under.get("ties", ()), *over.get("ties", ())})
    return parts


def _item(scope: str, before: State | None, after: State, now: datetime) -> Item | None:
    subject = f"{scope}:{after.id}"
    if before is None:
        return Item(subject, {"created": now.isoformat()}, {"ties": sorted(after.accounts)})
    keys = {key for key in {*before.traits, *after.traits} if _differs(before, after, key)}
    gained = sorted(after.accounts - before.accounts)
    if not keys and not gained:
        return None
    return Item(
        subject,
        {
            "traits": {key: [before.traits.get(key), before.writer(key)] for key in keys},
            "columns": {name: value for name, value in before.columns.items() if value != after.columns[name]},
            "ties": gained,
        },
        {"traits": {key: [after.traits.get(key), after.moment_of(key)] for key in keys}, "written": now.isoformat()},
    )


def _differs(before: State, after: State, key: str) -> bool:
    return (before.traits.get(key), before.writer(key)) != (after.traits.get(key), after.writer(key))


def _states(scope: str, *, external_ids: Sequence[str] = (), ids: Sequence[int] = ()) -> dict[str, State]:
    """By external id, locked in the order of ids."""
    columns = ", ".join(f"'{name}', t.{name}" for name in _FED[scope])
    rows = fetch(
        f"SELECT t.external_id, t.id, t.traits::text, t.trait_writers::text, t.trait_moments::text, "
        f"jsonb_build_object({columns})::text FROM {TABLES[TraitDefinition.Scope(scope)]} t "
        "WHERE t.tenant_id = %s AND (t.external_id = ANY(%s) OR t.id = ANY(%s)) AND t.archived_at IS NULL "
        "ORDER BY t.id FOR NO KEY UPDATE OF t",
        [current_tenant_id(), list(external_ids), list(ids)],
    )
    homes = _homes([row[1] for row in rows]) if scope != ACCOUNT else {}
    return {row[0]: _state(row, homes) for row in rows}


def _state(row: Sequence[Any], homes: Mapping[int, Sequence[int]]) -> State:
    traits, writers, moments, columns = map(json.loads, row[2:])
    return State(row[1], traits, writers, moments, columns, frozenset(homes.get(row[1], ())))


def _homes(user_ids: Sequence[int]) -> dict[int, list[int]]:
    return ties.accounts_of(user_ids, tenant_id=current_tenant_id())


# --- taking back ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Undo:
    scope: str
    definitions: Definitions
    undone: str  # the import, as a writer
    actor: str  # the job that takes it back
    now: datetime

    @property
    def kind(self) -> subjects.Subjects:
        return subjects.ACCOUNTS if self.scope == ACCOUNT else subjects.USERS

    @property
    def model(self) -> Any:
        return Account if self.scope == ACCOUNT else EndUser

    def definition(self, key: str) -> TraitDefinition | None:
        return self.definitions.known.get((self.scope, key))


def restore(
    made: CsvImport, items: Sequence[JobItem], *, tenant: Tenant, undone: str, actor: str, now: datetime
) -> Mapping[str, str]:
    """Returns what stays, by subject, and why."""
    work = _Undo(made.scope, Definitions.of(tenant), undone, actor, now)
    states = {state.id: state for state in _states(made.scope, ids=[id_of(item) for item in items]).values()}
    by_id = as_they_stand(items)
    kept = {item.subject: GONE for id, item in by_id.items() if id not in states and not _was_archived(item)}
    changed = {id: item for id, item in by_id.items() if id in states and "created" not in item.before}
    kept |= _take_back_values(work, changed, states)
    created = {id: item for id, item in by_id.items() if id in states and "created" in item.before}
    kept |= _archive(work, created)
    _untie(work, changed)
    return kept


def _was_archived(item: JobItem) -> bool:
    """By an undo that was cancelled half way, or by somebody: either way it is gone, as it was to be."""
    return "created" in item.before


def _take_back_values(work: _Undo, items: Mapping[int, JobItem], states: Mapping[int, State]) -> dict[str, str]:
    ours: dict[int, list[str]] = {}
    since: dict[int, list[str]] = {}
    for id, item in items.items():
        keys = [key for key in item.before.get("traits", {}) if not _is_back(item, states[id], key)]
        ours[id] = [key for key in keys if _is_ours(work, item, states[id], key)]
        since[id] = [key for key in keys if key not in ours[id]]
    _leave(work, items, since)
    _write_integration(work, items, ours)
    _write_custom(work, items, states, ours)
    _write_columns(work, items, ours)
    labels = {id: ", ".join(sorted(_label(work, key) for key in keys)) for id, keys in since.items() if keys}
    return {items[id].subject: f"Changed since, and kept: {those}." for id, those in labels.items()}


def _is_back(item: JobItem, state: State, key: str) -> bool:
    """An undo that was cancelled half way has been here."""
    return [state.traits.get(key), state.writer(key)] == item.before["traits"][key] and not _stands(item, state, key)


def _stands(item: JobItem, state: State, key: str) -> bool:
    value, moment = item.after["traits"][key]
    return state.traits.get(key) == value and state.moment_of(key) == moment


def _is_ours(work: _Undo, item: JobItem, state: State, key: str) -> bool:
    """Nobody has spoken of it since, not even to say the same."""
    definition, (value, moment) = work.definition(key), item.after["traits"][key]
    if definition is None or state.traits.get(key) != value:
        return False
    if is_from_integration(definition):
        return state.writer(key) == IMPORT and state.moment_of(key) == moment
    return state.writer(key) == work.undone


def _leave(work: _Undo, items: Mapping[int, JobItem], since: Mapping[int, Sequence[str]]) -> None:
    """To playbooks and bulk edits that have written over custom traits since."""
    left: dict[str, dict[int, Held]] = defaultdict(dict)
    for id, keys in since.items():
        for key in keys:
            left[key][id] = _found(work, items[id], key)
    known = {key: work.definition(key) for key in left}
    custom = {key: one for key, one in known.items() if one and not is_from_integration(one)}
    hand_over(one for key, definition in custom.items() for one in legacies(definition, work.undone, left[key]))


def _found(work: _Undo, item: JobItem, key: str) -> Held:
    value, writer = item.before["traits"][key]
    definition = work.definition(key)
    mirror = item.before.get("columns", {}).get(definition.column, value) if definition else value
    return Held(value, writer, mirror)


def _label(work: _Undo, key: str) -> str:
    definition = work.definition(key)
    return definition.label if definition else key


def _write_integration(work: _Undo, items: Mapping[int, JobItem], ours: Mapping[int, Sequence[str]]) -> None:
    """As news of now: what was there before is what is true again."""
    news: dict[str, News] = {}
    for id, keys in ours.items():
        for key in keys:
            definition = work.definition(key)
            if definition and is_from_integration(definition):
                one = news.setdefault(str(id), News(first_at=work.now))
                one.say(key, items[id].before["traits"][key][0], work.now)
    if news:
        ids = {name: int(name) for name in news}
        subjects.write(work.kind, news, ids, work.definitions, actor=work.actor, now=work.now)


def _write_custom(
    work: _Undo, items: Mapping[int, JobItem], states: Mapping[int, State], ours: Mapping[int, Sequence[str]]
) -> None:
    by_key: dict[str, dict[int, Held]] = defaultdict(dict)
    for id, keys in ours.items():
        for key in keys:
            value, writer = items[id].before["traits"][key]
            by_key[key][id] = Held(value, writer, value)
    changes: list[Changed] = []
    for key, values in by_key.items():
        definition = work.definition(key)
        if definition and not is_from_integration(definition):
            write_values(definition, values, now=work.now)
            changes += [_changed(work, key, states[id], held) for id, held in values.items()]
    remember_changes(changes, now=work.now)


def _changed(work: _Undo, key: str, state: State, held: Held) -> Changed:
    whose: dict[str, Any] = {"account_id" if work.scope == ACCOUNT else "end_user_id": state.id}
    return Changed(TRAIT + key, state.traits.get(key), held.value, held.writer, **whose, undone_by=work.actor)


def _write_columns(work: _Undo, items: Mapping[int, JobItem], ours: Mapping[int, Sequence[str]]) -> None:
    """A column may have held what no trait had said: a CSM who was assigned here, a name that was typed."""
    by_column: dict[str, dict[int, Any]] = defaultdict(dict)
    for id, keys in ours.items():
        fed = {definition.column for key in keys if (definition := work.definition(key)) and definition.column}
        for column, value in items[id].before.get("columns", {}).items():
            if column in fed and (value is not None or column not in _NEVER_EMPTY):
                by_column[column][id] = value
    for column, values in by_column.items():
        feeder = work.definitions.feeding(work.scope, column)
        if feeder:
            _write_column(work, column, mirror_expression(feeder, "n.value"), values)


def _write_column(work: _Undo, column: str, expression: str, values: Mapping[int, Any]) -> None:
    fetch(
        f"UPDATE {work.kind.table} t SET {column} = {expression}, updated_at = %s "
        "FROM unnest(%s::bigint[], %s::jsonb[]) AS n(id, value) WHERE t.tenant_id = %s AND t.id = n.id",
        [
            work.now,
            list(values),
            [None if value is None else json.dumps(value) for value in values.values()],
            current_tenant_id(),
        ],
    )


def _archive(work: _Undo, items: Mapping[int, JobItem]) -> dict[str, str]:
    """What the import made and nobody has touched since."""
    if not items:
        return {}
    untouched = _unused(work, items)
    work.model.objects.filter(pk__in=untouched).update(archived_at=work.now, updated_at=work.now)
    _untie(work, {id: item for id, item in items.items() if id in untouched})
    return {item.subject: USED for id, item in items.items() if id not in untouched}


def _unused(work: _Undo, items: Mapping[int, JobItem]) -> set[int]:
    moments = {id: datetime.fromisoformat(item.before["created"]) for id, item in items.items()}
    rows = work.model.objects.filter(pk__in=items, last_seen_at=None).values_list("pk", "updated_at")
    still = {pk for pk, updated_at in rows if updated_at <= max(moments[pk], _last_written(items[pk], moments[pk]))}
    if work.scope != ACCOUNT:
        return still - _told_of("end_user_id", still)
    peopled = set(AccountUser.objects.filter(account_id__in=still).values_list("account_id", flat=True))
    return still - peopled - _told_of("account_id", still)


def _last_written(item: JobItem, made_at: datetime) -> datetime:
    """A later row of the same file may have written it again."""
    text = item.after.get("written")
    return datetime.fromisoformat(text) if text else made_at


def _told_of(column: str, ids: Iterable[int]) -> set[int]:
    return set(TimelineEntry.objects.filter(Q(**{f"{column}__in": list(ids)})).values_list(column, flat=True))


def _untie(work: _Undo, items: Mapping[int, JobItem]) -> None:
    """Accounts a user gained by the import, where the user has not been seen since."""
    pairs = {
        (id, account)
        for id, item in items.items()
        for account in (*item.before.get("ties", ()), *item.after.get("ties", ()))
    }
    if work.scope == ACCOUNT or not pairs:
        return
    found = AccountUser.objects.filter(
        end_user_id__in={user for user, _account in pairs}, last_seen_at=None, is_key_contact=False
    )
    gone = [row for row in found if (row.end_user_id, row.account_id) in pairs]
    AccountUser.objects.filter(pk__in=[row.pk for row in gone]).delete()
    accounts = {row.account_id for row in gone}
    ties.count_users(accounts, tenant_id=current_tenant_id(), now=work.now)
