"""Archive many accounts, or users, at once, and bring back what is archived."""

from collections.abc import Mapping, Sequence

from django import forms

from accounts.archiving import PLAYBOOKS_THERE, STOP, archive, restore
from accounts.bulk.verbs import BulkVerb, Config, Done, Task, VerbForm, id_of, subject_of
from accounts.bulk.writing import refuse_absent
from accounts.table.lists import USERS
from cs_platform.jobs.kinds import Item
from cs_platform.jobs.models import JobItem
from cs_platform.tenancy.roles import Ability

RESTORED_SINCE = "It was restored since."
ARCHIVED_SINCE = "It was archived again since."


class ArchiveForm(VerbForm):
    playbooks = forms.ChoiceField(label="Playbooks under way", choices=PLAYBOOKS_THERE, initial=STOP)


class Archive(BulkVerb):
    key = "archive"
    label = "Archive"
    icon = "archive"
    ability = Ability.RELEASE_EVALUATIONS  # it may stop many (TRUST §4.1)
    form = ArchiveForm

    def describe(self, config: Config) -> str:
        return "Archive and stop playbooks" if config["playbooks"] == STOP else "Archive"

    def apply(self, task: Task, ids: Sequence[int]) -> Done:
        stops = task.config["playbooks"] == STOP
        archived = archive(self.listing, ids, stop=stops, tenant=task.tenant, by=task.actor, now=task.now)
        items = [Item(subject_of(id, self.listing), {}) for id in archived]
        return Done(items, refuse_absent(ids, archived, self.listing))

    def restore(self, task: Task, items: Sequence[JobItem], *, undone: str) -> Mapping[str, str]:
        """A stopped playbook stays stopped. Whoever was restored and archived again stays archived."""
        ids = [id_of(item) for item in items]
        ours = self.listing.model.objects.filter(pk__in=ids, archived_by=undone).values_list("pk", flat=True)
        restored = set(restore(self.listing, list(ours), by=task.actor, now=task.now))
        return {item.subject: RESTORED_SINCE for item in items if id_of(item) not in restored}


class Restore(BulkVerb):
    key = "restore"
    label = "Restore"
    icon = "undo-2"
    ability = Ability.EDIT_ACCOUNTS
    form = VerbForm

    def describe(self, config: Config) -> str:
        return "Restore"

    def apply(self, task: Task, ids: Sequence[int]) -> Done:
        restored = restore(self.listing, ids, by=task.actor, now=task.now)
        return Done([Item(subject_of(id, self.listing), {}) for id in restored])

    def restore(self, task: Task, items: Sequence[JobItem], *, undone: str) -> Mapping[str, str]:
        ids = [id_of(item) for item in items]
        again = archive(self.listing, ids, stop=False, tenant=task.tenant, by=task.actor, now=task.now)
        return {item.subject: ARCHIVED_SINCE for item in items if id_of(item) not in again}


class ArchiveUsers(Archive):
    listing = USERS


class RestoreUsers(Restore):
    listing = USERS
