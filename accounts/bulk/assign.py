"""Say who looks after many accounts: their CSM, their AE, or a role of the workspace's own."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from accounts.bulk.set_trait import active_members
from accounts.bulk.verbs import BulkVerb, Config, Done, Task, VerbForm, account_id_of, subject_of
from accounts.bulk.writing import (
    CHANGED_SINCE,
    GONE,
    Told,
    last_writers,
    lock_present,
    member_names,
    refuse_absent,
    write_down,
)
from accounts.changes import ROLE, TRAIT
from accounts.models import KeyRole, TraitDefinition
from cs_platform.common.statements import fetch
from cs_platform.jobs.kinds import Item
from cs_platform.jobs.models import JobItem
from cs_platform.tenancy.context import current_tenant_id

PERSONS: Mapping[str, str] = {"csm": "CSM", "ae": "AE"}
NOBODY = ("", "Nobody")


def roles() -> dict[str, str]:
    own = KeyRole.objects.filter(archived_at=None).order_by("position", "pk").values_list("key", "name")
    return {**PERSONS, **{ROLE + key: name for key, name in own}}


class AssignForm(VerbForm):
    role = forms.ChoiceField(label="Role", error_messages={"invalid_choice": "Choose one of the roles."})
    member = forms.ChoiceField(
        label="Team member", required=False, error_messages={"invalid_choice": "Choose an active member."}
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = list(roles().items())  # type: ignore[attr-defined]
        self.fields["member"].choices = [NOBODY, *active_members()]  # type: ignore[attr-defined]

    def config(self) -> dict[str, Any]:
        member = self.cleaned_data["member"]
        return {"role": self.cleaned_data["role"], "member": int(member) if member else None}


class Assign(BulkVerb):
    key = "assign"
    label = "Assign"
    icon = "user-plus"
    form = AssignForm

    def describe(self, config: Config) -> str:
        role = roles().get(config["role"], config["role"])
        if config["member"] is None:
            return f"Leave nobody as {role}"
        return f"Make {member_names([config['member']]).get(config['member'], 'somebody')} the {role}"

    def apply(self, task: Task, account_ids: Sequence[int]) -> Done:
        role, member = task.config["role"], task.config["member"]
        present = lock_present(account_ids)
        before = _write(task, role, dict.fromkeys(present, member))
        _tell(task, role, {id: (was, member) for id, was in before.items()})
        items = [
            Item(subject_of(id), {"member": was}, {"member": member}) for id, was in before.items() if was != member
        ]
        return Done(items, refuse_absent(account_ids, present))

    def restore(self, task: Task, items: Sequence[JobItem], *, undone: str) -> Mapping[str, str]:
        role = task.config["role"]
        wanted = {account_id_of(item): item for item in items}
        present = lock_present(list(wanted))
        writers = last_writers(present, _fields(role))
        ours = [id for id in present if writers.get(id) == undone]
        still = set(member_names(wanted[id].before["member"] for id in ours))
        before = {id: was if (was := wanted[id].before["member"]) in still else None for id in ours}
        changed = _write(task, role, before)
        _tell(task, role, {id: (was, before[id]) for id, was in changed.items()})
        kept = {id for id in wanted if id not in ours and not _was_undone(writers.get(id), task)}
        return {wanted[id].subject: CHANGED_SINCE if id in present else GONE for id in kept}


def _was_undone(writer: str | None, task: Task) -> bool:
    return writer == task.actor


def _fields(role: str) -> list[str]:
    """The role as histories call it; also the trait that feeds its column, which an integration writes."""
    if role not in PERSONS:
        return [role]
    feeding = TraitDefinition.objects.filter(scope=TraitDefinition.Scope.ACCOUNT, column=f"{role}_id")
    return [role, *(TRAIT + key for key in feeding.values_list("key", flat=True))]


def _write(task: Task, role: str, members: Mapping[int, int | None]) -> dict[int, int | None]:
    """Returns who it was."""
    if not members:
        return {}
    given = {
        "tenant": current_tenant_id(),
        "ids": list(members),
        "members": list(members.values()),
        "now": task.now,
        "actor": task.actor,
        "role": role.removeprefix(ROLE),
    }
    if role in PERSONS:
        return dict(fetch(_WRITE_PERSON.format(column=f"{role}_id"), given))
    held = dict(fetch(_HELD, given))
    fetch(_VACATE, given)
    fetch(_HOLD, given)
    fetch(_TOUCH, given | {"ids": [id for id in members if held.get(id) != members[id]]})
    return {id: held.get(id) for id in members}


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
SELECT %(tenant)s, n.id, k.id, n.member, %(now)s, %(actor)s
FROM unnest(%(ids)s::bigint[], %(members)s::bigint[]) AS n(id, member)
JOIN accounts_keyrole k ON k.tenant_id = %(tenant)s AND k.key = %(role)s
WHERE n.member IS NOT NULL
ON CONFLICT (tenant_id, account_id, role_id) DO UPDATE
    SET member_id = EXCLUDED.member_id, since_at = EXCLUDED.since_at, assigned_by = EXCLUDED.assigned_by
    WHERE r.member_id <> EXCLUDED.member_id
"""
_TOUCH = "UPDATE accounts_account SET updated_at = %(now)s WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s)"


def _tell(task: Task, role: str, changes: Mapping[int, tuple[int | None, int | None]]) -> None:
    names, label = member_names(value for pair in changes.values() for value in pair), roles().get(role, role)
    told = [
        Told(id, role, before, after, f"{label} changed from {_name(names, before)} to {_name(names, after)}")
        for id, (before, after) in changes.items()
    ]
    write_down(task, told, kind="role.changed", subject=f"field:{role}")


def _name(names: Mapping[int, str], id: int | None) -> str:
    return "nobody" if id is None else names.get(id, "somebody")
