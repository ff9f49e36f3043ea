"""Say who looks after many accounts: their CSM, their AE, or a role of the workspace's own."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from accounts.bulk.set_trait import active_members
from accounts.bulk.verbs import BulkVerb, Config, Done, Task, VerbForm, id_of, subject_of
from accounts.bulk.writing import (
    CHANGED_SINCE,
    Told,
    as_they_stand,
    gone,
    lock_present,
    member_names,
    refuse_absent,
    write_down,
)
from accounts.heirs import Legacy, hand_over
from accounts.holders import Holding, fields_of, hold, last_words, last_writers, role_names, take_turns
from accounts.traits import IMPORT
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
        writers = last_writers(present, fields_of(role))
        before = hold(role, dict.fromkeys(present, Holding(member, task.actor)), now=task.now)
        changed = {id: Holding(was, writers.get(id, IMPORT)) for id, was in before.items() if was != member}
        take_turns(role, [member] * len(changed), now=task.now)
        _tell(task, role, {id: (was.member_id, member) for id, was in changed.items()}, back_to={})
        items = [Item(subject_of(id), _found(was), {"member": member}) for id, was in changed.items()]
        return Done(items, refuse_absent(account_ids, present))

    def restore(self, task: Task, items: Sequence[JobItem], *, undone: str) -> Mapping[str, str]:
        role = task.config["role"]
        present = lock_present([id_of(item) for item in items])
        found = {id: _before(item) for id, item in as_they_stand(items).items()}
        now = last_words(present, fields_of(role))
        ours = {id: found[id] for id, held in now.items() if held.writer == undone}
        changed = hold(role, ours, now=task.now)
        writers = {id: was.writer for id, was in ours.items()}
        _tell(task, role, {id: (was, ours[id].member_id) for id, was in changed.items()}, back_to=writers)
        kept = {id for id in found if id not in ours and found[id] != now.get(id)}
        _leave(undone, {id: found[id] for id in present if id in kept})
        return {subject_of(id): CHANGED_SINCE if id in present else gone() for id in kept}


def _found(was: Holding) -> dict[str, Any]:
    """In the names of a playbook's receipt: what inherits from one can inherit from the other."""
    return {"before": was.member_id, "before_writer": was.writer}


def _before(item: JobItem) -> Holding:
    return Holding(item.before["before"], item.before["before_writer"])


def _leave(undone: str, kept: Mapping[int, Holding]) -> None:
    """To whoever has assigned them since."""
    names = member_names(was.member_id for was in kept.values())
    texts = {id: {"before_text": _name(names, was.member_id)} for id, was in kept.items()}
    hand_over(Legacy("account", id, undone, _found(was) | texts[id]) for id, was in kept.items())


def _tell(
    task: Task, role: str, changes: Mapping[int, tuple[int | None, int | None]], *, back_to: Mapping[int, str]
) -> None:
    names, label = member_names(value for pair in changes.values() for value in pair), role_names().get(role, role)

    def told(id: int, was: int | None, now: int | None) -> Told:
        text = f"{label} changed from {_name(names, was)} to {_name(names, now)}"
        return Told(id, role, was, now, text, back_to.get(id, ""))

    told_of = [told(id, was, now) for id, (was, now) in changes.items()]
    write_down(task, told_of, kind="role.changed", subject=f"field:{role}")


def _name(names: Mapping[int, str], id: int | None) -> str:
    return "nobody" if id is None else names.get(id, "somebody")
