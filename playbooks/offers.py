"""CTA playbooks, offered to the layers below (settings.CTA_PLAYBOOKS)."""

from collections.abc import Collection, Sequence
from datetime import datetime

from cs_platform.tenancy.models import Doer
from ctas.models import Cta
from ctas.playbooks import CannotApply, CtaPlaybook
from playbooks.models import Playbook, Step
from playbooks.on_ctas import offered
from playbooks.task_lists import NotPossible, apply_to_cta, apply_to_ctas


class TaskLists:
    def offered(self) -> Sequence[CtaPlaybook]:
        found = list(offered())
        steps = Step.objects.filter(version_id__in=[one.version_id for one in found])
        tasks = {step.version_id: len(step.config["tasks"]) for step in steps}
        return [
            CtaPlaybook(one.key, one.name, one.version.definition["types"], tasks[one.version.pk])
            for one in found
            if one.version
        ]

    def apply(self, key: str, cta: Cta, *, by: Doer, now: datetime) -> None:
        try:
            apply_to_cta(_offered(key), cta, by=by, now=now)
        except NotPossible as refusal:
            raise CannotApply(str(refusal)) from None

    def apply_to_many(self, key: str, ctas: Collection[int], *, by: Doer, now: datetime) -> None:
        apply_to_ctas(_offered(key), ctas, by=by.actor, now=now)


def _offered(key: str) -> Playbook:
    playbook = offered().select_related("tenant").filter(key=key).first()
    if playbook is None:
        raise CannotApply("There is no such CTA playbook any more.")
    return playbook
