"""Apply a playbook to many accounts, or stop it on them: verbs of bulk edits."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from accounts.bulk.verbs import BulkVerb, Config, Done, Task, VerbForm, subject_of
from accounts.bulk.writing import lock_present, refuse_absent
from cs_platform.jobs.kinds import Item, JobRefused
from cs_platform.jobs.models import JobItem
from cs_platform.tenancy.roles import Ability
from playbooks.enrollment import Application, enroll
from playbooks.models import Enrollment, Playbook
from playbooks.undo import STOPPABLE, request_stops

MOST_PLAYBOOKS = 500
ACTIVE_ALREADY = "It is active here already."
UNDER_WAY = (Enrollment.State.ACTIVE, Enrollment.State.PAUSED)


class PlaybookForm(VerbForm):
    playbook = forms.ChoiceField(label="Playbook", error_messages={"invalid_choice": "Choose one of the playbooks."})
    statuses: tuple[str, ...] = (Playbook.Status.LIVE,)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = Playbook.objects.filter(status__in=self.statuses, audience=Playbook.Audience.ACCOUNTS)
        found = found.order_by("name", "pk").values_list("pk", "name")[:MOST_PLAYBOOKS]
        self.fields["playbook"].choices = [(str(pk), name) for pk, name in found]  # type: ignore[attr-defined]

    def config(self) -> dict[str, Any]:
        return {"playbook": int(self.cleaned_data["playbook"])}


class StopForm(PlaybookForm):
    note = forms.CharField(required=False, max_length=1_000, help_text="Visible to your whole team.")
    statuses = (Playbook.Status.LIVE, Playbook.Status.PAUSED)

    def config(self) -> dict[str, Any]:
        return super().config() | {"note": self.cleaned_data["note"]}


def _playbook(config: Config) -> Playbook:
    found: Playbook | None = Playbook.objects.select_related("version", "tenant").filter(pk=config["playbook"]).first()
    if found is None:
        raise JobRefused("The playbook is not here any more.")
    return found


class ApplyPlaybook(BulkVerb):
    key = "apply_playbook"
    label = "Apply a playbook"
    icon = "workflow"
    ability = Ability.RUN_PLAYBOOKS
    form = PlaybookForm

    def describe(self, config: Config) -> str:
        return f"Apply {_playbook(config).name}"

    def apply(self, task: Task, account_ids: Sequence[int]) -> Done:
        """As by hand: whatever its rules say."""
        playbook = _playbook(task.config)
        if playbook.status != Playbook.Status.LIVE:
            raise JobRefused(f"{playbook.name} is not live any more. Set it live, then apply it.")
        present = lock_present(account_ids)
        application = Application(task.tenant, playbook, applied_by=task.person, now=task.now)
        made = enroll(application, [(id, None) for id in present])
        placed = dict(Enrollment.objects.filter(pk__in=made).values_list("account_id", "pk"))
        refused = {id: ACTIVE_ALREADY for id in present if id not in placed}
        items = [Item(subject_of(id), {"enrollment": pk}) for id, pk in placed.items()]
        return Done(items, refused | refuse_absent(account_ids, present))

    def restore(self, task: Task, items: Sequence[JobItem], *, undone: str) -> Mapping[str, str]:
        """Stops them, which takes back what their actions did; the engine carries it out."""
        ids = {item.before["enrollment"]: item.subject for item in items}
        open_still = Enrollment.objects.filter(pk__in=ids, state__in=STOPPABLE).values_list("pk", flat=True)
        stopped = set(open_still)
        _stop(task, stopped, "Bulk edit undone")
        return {subject: "It was stopped before." for pk, subject in ids.items() if pk not in stopped}


class StopPlaybook(BulkVerb):
    key = "stop_playbook"
    label = "Stop a playbook"
    icon = "octagon-x"
    ability = Ability.RELEASE_EVALUATIONS  # a stop of many (TRUST §4.1)
    form = StopForm

    def describe(self, config: Config) -> str:
        return f"Stop {_playbook(config).name}"

    def apply(self, task: Task, account_ids: Sequence[int]) -> Done:
        mine = Enrollment.objects.filter(playbook_id=task.config["playbook"], account_id__in=account_ids)
        under_way = list(mine.filter(state__in=UNDER_WAY).values_list("pk", "account_id"))
        _stop(task, {pk for pk, _account in under_way}, task.config["note"])
        return Done([Item(subject_of(account), {}) for account in {account for _pk, account in under_way}])

    def restore(self, task: Task, items: Sequence[JobItem], *, undone: str) -> Mapping[str, str]:
        return {item.subject: "A stopped playbook runs only when it is applied again." for item in items}


def _stop(task: Task, ids: set[int], note: str) -> None:
    if ids:
        request_stops(sorted(ids), tenant_id=task.tenant.pk, by=task.person, note=note, now=task.now)
