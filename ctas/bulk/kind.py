"""The jobs behind bulk edits of CTAs and of tasks."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import ClassVar

from django.conf import settings
from django.utils.module_loading import import_string

from cs_platform.jobs import bulk
from cs_platform.jobs.bulk import BulkKind, CannotChoose, Config
from cs_platform.jobs.kinds import JobRefused
from cs_platform.jobs.models import Job
from cs_platform.jobs.starting import start_job
from cs_platform.tenancy.models import Doer
from cs_platform.tenancy.roles import Ability
from ctas.bulk.selection import Chosen, Selection, TaskSelection
from ctas.bulk.tasks import TASK_VERBS
from ctas.models import Cta, Task

BULK_EDIT_CTAS, BULK_EDIT_TASKS = "bulk_edit_ctas", "bulk_edit_tasks"


def start_bulk_edit(selection: Selection, verb: bulk.BulkVerb, config: Config, *, by: Doer, now: datetime) -> Job:
    kind = BULK_EDIT_TASKS if isinstance(selection, TaskSelection) else BULK_EDIT_CTAS
    params = {"selection": selection.params, "verb": verb.key, "config": dict(config)}
    return start_job(kind, title=verb.describe(config), params=params, by=by, now=now)


class BulkEditCtas(BulkKind):
    key = BULK_EDIT_CTAS
    label = "Bulk edit of CTAs"
    ability = Ability.WORK_CTAS
    event = "account:changed"
    selection: ClassVar[type[Selection]] = Selection

    def verbs(self) -> Mapping[str, bulk.BulkVerb]:
        return bulk_verbs()

    def names(self, ids: Iterable[int]) -> Mapping[int, str]:
        return dict(Cta.objects.filter(pk__in=list(ids)).values_list("pk", "name"))

    def chosen(self, job: Job) -> Chosen:
        try:
            selection = self.selection.of(job.params["selection"])
            return selection.among(tenant=job.tenant, member=job.member, now=job.created_at)
        except CannotChoose as refusal:
            raise JobRefused(str(refusal)) from None


class BulkEditTasks(BulkEditCtas):
    key = BULK_EDIT_TASKS
    label = "Bulk edit of tasks"
    selection = TaskSelection

    def verbs(self) -> Mapping[str, bulk.BulkVerb]:
        return task_verbs()

    def names(self, ids: Iterable[int]) -> Mapping[int, str]:
        return dict(Task.objects.filter(pk__in=list(ids)).values_list("pk", "title"))


@cache
def bulk_verbs() -> Mapping[str, bulk.BulkVerb]:
    verbs: list[bulk.BulkVerb] = [import_string(path)() for path in settings.CTA_BULK_VERBS]
    return {verb.key: verb for verb in verbs}


@cache
def task_verbs() -> Mapping[str, bulk.BulkVerb]:
    return {verb.key: verb() for verb in TASK_VERBS}
