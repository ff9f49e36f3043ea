"""Write a custom trait, remembering what was there and who had written it."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.utils.safestring import SafeString

from accounts.actors import Actor, load_actors
from accounts.changes import TRAIT, Changed, remember_changes
from accounts.models import TraitDefinition
from accounts.models.traits import TraitType
from accounts.traits import (
    IMPORT,
    TABLES,
    TraitValueError,
    feeds_required_column,
    shown,
    typed_value,
    write_assignments,
)
from actions.base import (
    Action,
    Applied,
    ApplyOutcome,
    Audience,
    Batch,
    Config,
    Held,
    Keep,
    Receipt,
    Run,
    Skipped,
    Undo,
    UndoDecision,
    Write,
)
from actions.by_hand import DONE_BY_HAND
from actions.chains import by_target, first_of, lowest_below, receipt_of, still_owned
from actions.forms import ActionForm
from actions.trait_fields import (
    MAPPING_LIMIT,
    NAMEABLE,
    JsonField,
    MappingField,
    SourceSelect,
    TraitSelect,
    TraitValueInput,
    what_becomes,
)
from actions.variables import ACCOUNT, USER, load_values, workspace_variables
from actions.widgets import Segmented
from cs_platform.common.statements import fetch
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.looked_up import all_of
from cs_platform.tenancy.models import Membership

SET, MAP, RELATIVE_DATE, CLEAR = "set", "map", "relative_date", "clear"
RESTORE, KEEP = "restore", "keep"
FEEDS_ROLE = ("csm_id", "ae_id")  # one way to write one thing: the action that assigns
MODES = [(SET, "Fixed"), (MAP, "From another trait"), (RELATIVE_DATE, "Days from the run"), (CLEAR, "Clear it")]


class UpdateTraitForm(ActionForm):
    shown_when = {
        "value": ("mode", frozenset({SET})),
        "source": ("mode", frozenset({MAP})),
        "mapping": ("mode", frozenset({MAP})),
        "otherwise": ("mode", frozenset({MAP})),
        "days": ("mode", frozenset({RELATIVE_DATE})),
    }
    also_redrawn_by = ("scope", "trait", "source")

    scope = forms.ChoiceField(
        label="Of", choices=TraitDefinition.Scope.choices, initial=TraitDefinition.Scope.ACCOUNT, widget=Segmented
    )
    trait = forms.CharField(max_length=100, widget=TraitSelect)
    mode = forms.ChoiceField(label="Value", choices=MODES, initial=SET, widget=Segmented)
    value = JsonField(label="Set it to", required=False, widget=TraitValueInput)
    source = forms.CharField(label="Read from", required=False, max_length=120, widget=SourceSelect)
    mapping = MappingField(label="Map", required=False)
    otherwise = JsonField(
        required=False,
        widget=TraitValueInput,
        help_text="What every other value becomes. Empty: then the trait is left as it is.",
    )
    days = forms.IntegerField(
        required=False,
        min_value=-3_650,
        max_value=3_650,
        help_text="After the run. 0 is the same day, -7 a week before.",
    )
    on_stop = forms.ChoiceField(
        label="If stopped",
        choices=[(RESTORE, "The earlier value comes back"), (CLEAR, "Clear it"), (KEEP, "The new value stays")],
        initial=RESTORE,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.audience is Audience.ACCOUNTS:  # nothing to choose, unless it is wrong
            self.shown_when = {**self.shown_when, "scope": ("scope", frozenset({TraitDefinition.Scope.USER.value}))}

    def render(self, *args: Any, **kwargs: Any) -> SafeString:
        self._furnish()
        return super().render(*args, **kwargs)

    __str__ = __html__ = render  # type: ignore[assignment]

    def _furnish(self) -> None:
        """Only what is shown needs to know the workspace's traits and what each takes."""
        scope = str(self["scope"].value() or "")
        offered = {one.key: one for one in self.team.custom_traits if one.scope == scope and not _is_of_a_role(one)}
        chosen = offered.get(str(self["trait"].value() or ""))
        self.fields["trait"].widget.offered = offered  # type: ignore[attr-defined]
        for name in ("value", "mapping", "otherwise"):
            widget: Any = self.fields[name].widget
            widget.definition, widget.team = chosen, self.team
        source, mapping = self.fields["source"].widget, self.fields["mapping"].widget
        source.variables = self.variables  # type: ignore[attr-defined]
        mapping.source = self.variables.get(str(self["source"].value() or ""))  # type: ignore[attr-defined]
        mapping.wrong = self._wrong_values()  # type: ignore[attr-defined]
        is_dated = chosen is None or chosen.type == TraitType.DATE or self["mode"].value() == RELATIVE_DATE
        if not is_dated:
            self.fields["mode"].widget.choices = [one for one in MODES if one[0] != RELATIVE_DATE]  # type: ignore[attr-defined]

    def _wrong_values(self) -> frozenset[str]:
        problems = self.errors.as_data().get("mapping", []) if self.is_bound else []
        return frozenset((problem.code or "").removeprefix("[").removesuffix("]") for problem in problems)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        definition = self._definition(cleaned)
        check = {SET: self._check_value, MAP: self._check_mapping, RELATIVE_DATE: self._check_days}.get(
            cleaned.get("mode", "")
        )
        if definition is not None and check is not None:
            check(cleaned, definition)
        if definition is not None and feeds_required_column(definition):
            self._refuse_clearing(cleaned, definition)
        return cleaned | _unused(cleaned.get("mode", ""))

    def _definition(self, cleaned: Mapping[str, Any]) -> TraitDefinition | None:
        if cleaned.get("scope") == TraitDefinition.Scope.USER and self.audience is Audience.ACCOUNTS:
            self.add_error("scope", "A playbook for accounts can only update traits of the account.")
        if "scope" not in cleaned or "trait" not in cleaned:
            return None
        found = _definition(cleaned)
        if found is None:
            self.add_error(
                "trait", f"There is no {cleaned['scope']} trait “{cleaned['trait']}”. Choose one that exists."
            )
        elif found.source != TraitDefinition.Source.CUSTOM:
            self.add_error("trait", f"“{found.label}” comes from an integration. Choose a custom trait.")
        elif _is_of_a_role(found):
            self.add_error("trait", f"“{found.label}” says who looks after the account. Use “Assign a CSM or AE”.")
        else:
            return found
        return None

    def _refuse_clearing(self, cleaned: Mapping[str, Any], definition: TraitDefinition) -> None:
        for name in ("mode", "on_stop"):
            if cleaned.get(name) == CLEAR:
                self.add_error(name, f"“{definition.label}” cannot be cleared: every account has one.")
        if any(row["becomes"] is None for row in cleaned.get("mapping") or ()):
            self.add_error("mapping", f"“{definition.label}” cannot be cleared: give every value what it becomes.")

    def _check_value(self, cleaned: dict[str, Any], definition: TraitDefinition) -> None:
        cleaned["value"] = self._typed(definition, cleaned["value"], "value")
        if cleaned["value"] is None and "value" not in self.errors:
            self.add_error("value", "Enter the value to set, or choose to clear the trait.")

    def _check_mapping(self, cleaned: dict[str, Any], definition: TraitDefinition) -> None:
        variable = workspace_variables((ACCOUNT, USER)).get(cleaned["source"])
        if variable is None or variable.type not in NAMEABLE or cleaned["source"] not in self.known_variables:
            self.add_error("source", "Choose the trait to read from, such as account.plan.")
        if "mapping" in self.errors:
            return
        rows = cleaned["mapping"]
        if (
            not isinstance(rows, list)
            or not 1 <= len(rows) <= MAPPING_LIMIT
            or any("\x00" in row["when"] for row in rows)
        ):
            self.add_error("mapping", f"Give 1 to {MAPPING_LIMIT} values and what each becomes.")
            return
        cleaned["mapping"] = [
            {"when": when, "becomes": self._typed(definition, becomes, "mapping", when)}
            for when, becomes in what_becomes(rows).items()
        ]
        cleaned["otherwise"] = self._typed(definition, cleaned["otherwise"], "otherwise")

    def _check_days(self, cleaned: dict[str, Any], definition: TraitDefinition) -> None:
        if definition.type != TraitType.DATE:
            self.add_error("mode", f"“{definition.label}” is not a date. Choose a fixed value.")
        if cleaned.get("days") is None and "days" not in self.errors:
            self.add_error("days", "Enter how many days after the run the date is; 0 is the same day.")

    def _typed(self, definition: TraitDefinition, value: Any, name: str, key: str = "") -> Any:
        try:
            typed = typed_value(definition, value)
        except TraitValueError as error:
            self.add_error(name, ValidationError(str(error), code=f"[{key}]" if key else None))
            return None
        if definition.type == TraitType.PERSON and typed is not None and not _is_member(typed):
            self.add_error(name, f"“{typed}” is not an active team member.")
        return typed


def _is_of_a_role(definition: TraitDefinition) -> bool:
    return definition.column in FEEDS_ROLE


def _unused(mode: str) -> dict[str, Any]:
    """Settings of the other modes are forgotten, not stored unread."""
    empty: dict[str, dict[str, Any]] = {
        SET: {"value": None},
        MAP: {"source": "", "mapping": None, "otherwise": None},
        RELATIVE_DATE: {"days": None},
    }
    return {name: value for other, settings in empty.items() if other != mode for name, value in settings.items()}


def _is_member(member_id: int) -> bool:
    return Membership.objects.in_tenant(current_tenant_id()).active().filter(pk=member_id).exists()


def _definition(config: Mapping[str, Any]) -> TraitDefinition | None:
    scope, key = config["scope"], config["trait"]
    known = all_of("traits", lambda: {(one.scope, one.key): one for one in TraitDefinition.objects.all()})
    return TraitDefinition.objects.filter(scope=scope, key=key).first() if known is None else known.get((scope, key))


class UpdateTrait(Action):
    key = "update_trait"
    label = "Update a custom trait"
    icon = "tag"
    summary = "A value, or mapped from another trait"
    form = UpdateTraitForm
    sample = {"scope": "account", "trait": "stage", "mode": "set", "value": "Renewal", "on_stop": "restore"}

    def describe(self, config: Config) -> str:
        definition = _definition(config)
        trait = f"{config['scope']} trait “{definition.label if definition else config['trait']}”"
        if config["mode"] == CLEAR:
            return f"Clear the {trait}"
        if config["mode"] == MAP:
            variable = workspace_variables((ACCOUNT, USER)).get(config["source"])
            return f"Set the {trait} from {variable.label if variable else config['source']}"
        if config["mode"] == RELATIVE_DATE:
            return f"Set the {trait} to {_days_words(config['days'])}"
        return f"Set the {trait} to {shown(config['value'], definition.type if definition else '')}"

    def describe_stop(self, config: Config) -> str:
        after = {RESTORE: "The earlier value comes back", CLEAR: "The trait is cleared", KEEP: "The new value stays"}
        return f"{after[config['on_stop']]}{'' if config['on_stop'] == KEEP else ', unless someone changed it since'}."

    def stop_in_brief(self, config: Config) -> str:
        after = {RESTORE: "Earlier value comes back", CLEAR: "Trait is cleared", KEEP: "New value stays"}
        return after[config["on_stop"]]

    def writes(self, config: Config) -> Sequence[Write]:
        left = {SET: json.dumps(config["value"]), CLEAR: "", RELATIVE_DATE: f"{config['days']} days"}
        return (Write(TRAIT + config["trait"], left.get(config["mode"]), config["scope"]),)

    def tell(self, config: Config, receipt: Receipt) -> str:
        if "key" not in receipt:
            return f"“{config['trait']}” was updated by hand"
        if receipt["before"] is None:
            return f"“{receipt['label']}” set to {receipt['after_text']}"
        return f"“{receipt['label']}” changed from {receipt['before_text']} to {receipt['after_text']}"

    def apply(self, batch: Batch) -> Mapping[UUID, ApplyOutcome]:
        definition = _definition(batch.config)
        if definition is None:
            reason = f"The trait “{batch.config['trait']}” no longer exists. Create it again, or skip this step."
            return dict.fromkeys(batch.run_ids, Held("trait_gone", reason))
        wanted = _wanted(batch, definition)
        receipts = _write(batch, definition, [want for want in wanted.values() if isinstance(want, _Wanted)])
        return {run_id: receipts.get(run_id) or want for run_id, want in wanted.items()}  # type: ignore[misc]

    def decide(self, batch: Batch, *, lock: bool) -> Mapping[UUID, UndoDecision]:
        decisions: dict[UUID, UndoDecision] = dict.fromkeys(batch.run_ids, DONE_BY_HAND)
        for (scope, key), runs in _by_trait(batch.runs).items():
            definition = _definition({"scope": scope, "trait": key})
            current = _current(batch, scope, key, runs, lock=lock)
            actors = load_actors({value.writer for value in current.values()})
            for target_id, chain in by_target(runs).items():
                decisions |= _decide_chain(batch, chain, current.get(target_id), definition, actors)
        return decisions

    def reverse(self, batch: Batch, decisions: Mapping[UUID, UndoDecision]) -> None:
        undone = [run for run in batch.runs if isinstance(decisions[run.id], Undo)]
        for (scope, key), runs in _by_trait(undone).items():
            definition = _definition({"scope": scope, "trait": key})
            if definition is not None:
                chains = by_target(runs)
                origins = {target: _origin(batch, chain) for target, chain in chains.items()}
                written = _update(batch, definition, origins)
                changes = [
                    _returned(definition, target, held, origins[target], by=chains[target][0].stopper)
                    for target, held in written.items()
                ]
                remember_changes(changes, now=batch.now)


def _days_words(days: int) -> str:
    return "the day of the run" if days == 0 else f"{abs(days)} days {'after' if days > 0 else 'before'} the run"


# --- apply ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Value:
    """What a trait holds, who wrote it, and what its mirror holds: a fed column may know more than the trait did."""

    value: Any
    writer: str
    mirror: Any


@dataclass(frozen=True, slots=True)
class _Wanted:
    run: Run
    target_id: int
    value: Any


def _wanted(batch: Batch, definition: TraitDefinition) -> dict[UUID, _Wanted | Skipped]:
    """What each run writes where, or why it rightly writes nothing."""
    values = _mapped(batch) if batch.config["mode"] == MAP else dict.fromkeys(batch.run_ids, _constant(batch))
    targets = {run.id: _target_id(definition.scope, run) for run in batch.runs}
    present = _lock_present(batch, definition.scope, targets.values())

    def want(run: Run) -> _Wanted | Skipped:
        target_id, value = targets[run.id], values[run.id]
        if target_id is None or target_id not in present:
            return Skipped(f"The {definition.scope} is archived.")
        return value if isinstance(value, Skipped) else _Wanted(run, target_id, value)

    return {run.id: want(run) for run in batch.runs}


def _target_id(scope: str, run: Run) -> int | None:
    return run.account_id if scope == TraitDefinition.Scope.ACCOUNT else run.end_user_id


def _constant(batch: Batch) -> Any:
    mode = batch.config["mode"]
    if mode == RELATIVE_DATE:
        return (batch.today + timedelta(days=batch.config["days"])).isoformat()
    return batch.config["value"] if mode == SET else None


def _mapped(batch: Batch) -> dict[UUID, Any]:
    source, otherwise = batch.config["source"], batch.config["otherwise"]
    mapping = what_becomes(batch.config["mapping"])
    variable = workspace_variables((ACCOUNT, USER)).get(source)
    read = load_values(batch, [variable]) if variable else {}
    found = {run_id: _name(read.get(run_id, {}).get(source)) for run_id in batch.run_ids}
    known = {
        name: mapping.get(name, otherwise) for name in set(found.values()) if name in mapping or otherwise is not None
    }
    return {run_id: known[name] if name in known else _unmapped(source, name) for run_id, name in found.items()}


def _name(value: Any) -> str:
    """A value as a mapping names it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value)


def _unmapped(source: str, name: str) -> Skipped:
    return Skipped(f"{source} is {f'“{name}”' if name else 'not set'}, and the mapping says nothing about that.")


def _lock_present(batch: Batch, scope: str, targets: Iterable[int | None]) -> set[int]:
    """In the order of ids, so that two batches on the same rows never wait for each other in a ring."""
    rows = fetch(
        f"SELECT id FROM {TABLES[TraitDefinition.Scope(scope)]} WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s) "
        "AND archived_at IS NULL ORDER BY id FOR NO KEY UPDATE",
        {"tenant": batch.tenant_id, "ids": list({target for target in targets if target is not None})},
    )
    return {pk for (pk,) in rows}


def _write(batch: Batch, definition: TraitDefinition, wanted: Sequence[_Wanted]) -> dict[UUID, Applied]:
    """One UPDATE per target. Several runs on one target chain: each one's *before* is the *after* of the one before."""
    current = _update(batch, definition, {want.target_id: _written(want) for want in wanted})
    texts = _texts(definition, [*(want.value for want in wanted), *(held.value for held in current.values())])
    applied: dict[UUID, Applied] = {}
    changes: list[Changed] = []
    for want in wanted:
        before = current[want.target_id]
        applied[want.run.id] = Applied(_receipt(definition, want, before, texts))
        changes.append(_changed_value(definition, want.target_id, before, want.value, actor=want.run.writer))
        current[want.target_id] = _written(want)
    remember_changes(changes, now=batch.now)
    return applied


def _changed_value(definition: TraitDefinition, target_id: int, before: _Value, after: Any, *, actor: str) -> Changed:
    is_account = definition.scope == TraitDefinition.Scope.ACCOUNT
    whose: dict[str, Any] = {"account_id" if is_account else "end_user_id": target_id}
    return Changed(TRAIT + definition.key, before.value, after, actor, **whose)


def _returned(definition: TraitDefinition, target_id: int, before: _Value, origin: _Value, *, by: str) -> Changed:
    changed = _changed_value(definition, target_id, before, origin.value, actor=origin.writer)
    return replace(changed, undone_by=by)


def _written(want: _Wanted) -> _Value:
    return _Value(want.value, want.run.writer, want.value)


def _receipt(definition: TraitDefinition, want: _Wanted, before: _Value, texts: Mapping[str, str]) -> Receipt:
    return {
        "scope": definition.scope,
        "key": definition.key,
        "type": definition.type,
        "label": definition.label,
        "target_id": want.target_id,
        "before": before.value,
        "before_text": texts[_json(before.value)],
        "before_writer": before.writer,
        "before_mirror": before.mirror,
        "after": want.value,
        "after_text": texts[_json(want.value)],
    }


def _texts(definition: TraitDefinition, values: Iterable[Any]) -> dict[str, str]:
    """How each value reads; a person by name, as it is today."""
    distinct = {_json(value): value for value in values}
    if definition.type != TraitType.PERSON:
        return {key: shown(value, definition.type) for key, value in distinct.items()}
    ids = [value for value in distinct.values() if value is not None]
    names = dict(Membership.objects.in_tenant(current_tenant_id()).filter(pk__in=ids).values_list("pk", "name"))
    return {key: names.get(value, shown(value)) for key, value in distinct.items()}


def _json(value: Any) -> str:
    return json.dumps(value)


def _update(batch: Batch, definition: TraitDefinition, values: Mapping[int, _Value]) -> dict[int, _Value]:
    """Write value, writer and mirror of each target; returns what was there."""
    if not values:
        return {}
    assignments = write_assignments(
        definition, key="%(key)s::text", value="n.value", writer="n.writer", mirror="n.mirror"
    )
    mirror = f"to_jsonb(old.{definition.column})" if definition.column else "old.traits -> %(key)s::text"
    rows = fetch(
        f"""
        UPDATE {TABLES[TraitDefinition.Scope(definition.scope)]} t SET {assignments}, updated_at = %(now)s
        FROM unnest(%(ids)s::bigint[], %(values)s::jsonb[], %(writers)s::text[], %(mirrors)s::jsonb[])
            AS n(id, value, writer, mirror)
        WHERE t.tenant_id = %(tenant)s AND t.id = n.id
        RETURNING t.id, (old.traits -> %(key)s::text)::text, old.trait_writers ->> %(key)s::text, ({mirror})::text
        """,
        {
            "tenant": batch.tenant_id,
            "now": batch.now,
            "key": definition.key,
            "ids": list(values),
            "values": [_jsonb(held.value) for held in values.values()],
            "writers": [held.writer for held in values.values()],
            "mirrors": [_jsonb(held.mirror) for held in values.values()],
        },
    )
    return {pk: _held(*found) for pk, *found in rows}


def _held(value: str | None, writer: str | None, mirror: str | None) -> _Value:
    return _Value(_loaded(value), writer or IMPORT, _loaded(mirror))


def _jsonb(value: Any) -> str | None:
    """Absent is NULL, never the JSON null."""
    return None if value is None else _json(value)


def _loaded(value: str | None) -> Any:
    return None if value is None else json.loads(value)


# --- undo -------------------------------------------------------------------------------------------------------------


def _by_trait(runs: Iterable[Run]) -> dict[tuple[str, str], list[Run]]:
    found: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in runs:
        if run.receipt and "key" in run.receipt:
            found[run.receipt["scope"], run.receipt["key"]].append(run)
    return found


def _current(batch: Batch, scope: str, key: str, runs: Sequence[Run], *, lock: bool) -> dict[int, _Value]:
    rows = fetch(
        "SELECT id, (traits -> %(key)s::text)::text, trait_writers ->> %(key)s::text, NULL "
        f"FROM {TABLES[TraitDefinition.Scope(scope)]} "
        "WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s) AND archived_at IS NULL "
        f"ORDER BY id {'FOR NO KEY UPDATE' if lock else ''}",
        {"tenant": batch.tenant_id, "key": key, "ids": list(by_target(runs))},
    )
    return {pk: _held(*found) for pk, *found in rows}


def _decide_chain(
    batch: Batch,
    chain: Sequence[Run],
    current: _Value | None,
    definition: TraitDefinition | None,
    actors: Mapping[str, Actor],
) -> dict[UUID, UndoDecision]:
    """The runs of this batch that wrote one trait of one target, in whatever order they come."""
    if current is None or definition is None or definition.type != receipt_of(chain[0])["type"]:
        return {run.id: _gone(receipt_of(run), target_exists=current is not None) for run in chain}
    if batch.config["on_stop"] == KEEP:
        return {run.id: _stays(receipt_of(run)) for run in chain}
    undone = still_owned(chain, current.writer)
    return {
        run.id: _taken_back(batch, run)
        if run.id in undone
        else _changed(run, definition, current, actors, inherit=_inheritance(batch, run, chain))
        for run in chain
    }


def _origin(batch: Batch, chain: Sequence[Run]) -> _Value:
    """What was there before the first of these runs."""
    return _before(batch, first_of(chain))


def _before(batch: Batch, run: Run) -> _Value:
    if batch.config["on_stop"] == CLEAR:
        return _Value(None, IMPORT, None)
    receipt = receipt_of(run)
    return _Value(receipt["before"], receipt["before_writer"], receipt["before_mirror"])


def _inheritance(batch: Batch, run: Run, chain: Sequence[Run]) -> Receipt:
    """What the run that wrote over ours restores instead."""
    lowest = lowest_below(run, chain)
    origin = _before(batch, lowest)
    text = "not set" if batch.config["on_stop"] == CLEAR else receipt_of(lowest)["before_text"]
    return {
        "before": origin.value,
        "before_text": text,
        "before_writer": origin.writer,
        "before_mirror": origin.mirror,
    }


def _gone(receipt: Receipt, *, target_exists: bool) -> Keep:
    what = f"the trait “{receipt['label']}”" if target_exists else f"the {receipt['scope']}"
    return Keep("target_gone", f"“{receipt['label']}” cannot be restored: {what} is gone or of another type now")


def _stays(receipt: Receipt) -> Keep:
    return Keep("keep_on_stop", f"“{receipt['label']}” stays {receipt['after_text']}, as its step says")


def _taken_back(batch: Batch, run: Run) -> Undo:
    receipt = receipt_of(run)
    before = "not set" if batch.config["on_stop"] == CLEAR else receipt["before_text"]
    if before == receipt["after_text"]:
        return Undo(f"“{receipt['label']}” stays {before}, as it was before")
    return Undo(f"“{receipt['label']}” goes back from {receipt['after_text']} to {before}")


def _changed(
    run: Run, definition: TraitDefinition, current: _Value, actors: Mapping[str, Actor], *, inherit: Receipt
) -> Keep:
    text = _texts(definition, [current.value])[_json(current.value)]
    who = actors[current.writer].name
    return Keep("changed_by", f"“{definition.label}” stays {text}: it was changed by {who} since", inherit=inherit)
