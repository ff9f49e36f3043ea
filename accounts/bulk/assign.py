"""Say who looks after many accounts: their CSM, their AE, or a role of the workspace's own."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from accounts.bulk.set_trait import active_members
from accounts.bulk.verbs import BulkVerb, Config, Done, Task, VerbForm, id_of, subject_of
from accounts.bulk.writing import (
    CHANGED_SINCE,
    Told,
    gone,
    lock_present,
    member_names,
    refuse_absent,
    write_down,
)
from accounts.holders import Holding, fields_of, hold, last_writers, role_names, take_turns
from cs_platform.jobs.kinds import Item
from cs_platform.jobs.models import JobItem

NOBODY = ("", "Nobody")


class AssignForm(VerbForm):
    role = forms.ChoiceField(label="Role", error_messages={"invalid_choice": "Choose one of the roles."})
    member = forms.ChoiceField(
        label="Team member", required=False, error_messages={"invalid_choice": "Choose an active member."}
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = list(role_names().items())  # type: ignore[attr-defined]
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
        role = role_names().get(config["role"], config["role"])
        if config["member"] is None:
            return f"Leave nobody as {role}"
        return f"Make {member_names([config['member']]).get(config['member'], 'somebody')} the {role}"

    def apply(self, task: Task, account_ids: Sequence[int]) -> Done:
        role, member = task.config["role"], task.config["member"]
        present = lock_present(account_ids)
        before = _write(task, role, dict.fromkeys(present, member))
        take_turns(role, [member for was in before.values() if was != member], now=task.now)
        _tell(task, role, {id: (was, member) for id, was in before.items()})
        items = [
            Item(subject_of(id), {"member": was}, {"member": member}) for id, was in before.items() if was != member
        ]
        return Done(items, refuse_absent(account_ids, present))

    def restore(self, task: Task, items: Sequence[JobItem], *, undone: str) -> Mapping[str, str]:
        role = task.config["role"]
        wanted = {id_of(item): item for item in items}
        present = lock_present(list(wanted))
        writers = last_writers(present, fields_of(role))
        ours = [id for id in present if writers.get(id) == undone]
        still = set(member_names(wanted[id].before["member"] for id in ours))
        before = {id: was if (was := wanted[id].before["member"]) in still else None for id in ours}
        changed = _write(task, role, before)
        _tell(task, role, {id: (was, before[id]) for id, was in changed.items()})
        kept = {id for id in wanted if id not in ours and not _was_undone(writers.get(id), task)}
        return {wanted[id].subject: CHANGED_SINCE if id in present else gone() for id in kept}


def _was_undone(writer: str | None, task: Task) -> bool:
    return writer == task.actor


def _write(task: Task, role: str, members: Mapping[int, int | None]) -> dict[int, int | None]:
    """Returns who it was."""
    return hold(role, {id: Holding(member, task.actor) for id, member in members.items()}, now=task.now)


def _tell(task: Task, role: str, changes: Mapping[int, tuple[int | None, int | None]]) -> None:
    names, label = member_names(value for pair in changes.values() for value in pair), role_names().get(role, role)
    told = [
        Told(id, role, before, after, f"{label} changed from {_name(names, before)} to {_name(names, after)}")
        for id, (before, after) in changes.items()
    ]
    write_down(task, told, kind="role.changed", subject=f"field:{role}")


def _name(names: Mapping[int, str], id: int | None) -> str:
    return "nobody" if id is None else names.get(id, "somebody")
