"""The names of playbooks and of their runs, where something says who did it."""

from collections.abc import Collection, Mapping
from uuid import UUID

from accounts.actors import Actor, ids_after
from playbooks.models import ActionRun, Playbook


class PlaybookActors:
    def actors(self, wanted: Collection[str]) -> Mapping[str, Actor]:
        evaluations = {
            actor: Actor("the evaluation", "workflow") for actor in wanted if actor.startswith("evaluation:")
        }
        return evaluations | _playbooks(wanted) | _runs(wanted)


def _playbooks(wanted: Collection[str]) -> dict[str, Actor]:
    ids = ids_after("playbook:", wanted)
    found = Playbook.objects.filter(pk__in=ids).only("tenant_id", "name") if ids else ()
    return {playbook.actor: Actor(playbook.name, "workflow") for playbook in found}


def _runs(wanted: Collection[str]) -> dict[str, Actor]:
    """A value names the run that wrote it, so the playbook and the day come with it."""
    ids = [UUID(pk) for actor in wanted if (pk := actor.removeprefix("run:")) != actor]
    runs = (
        ActionRun.objects.filter(pk__in=ids).values_list("pk", "enrollment__playbook__name", "settled_at")
        if ids
        else ()
    )
    return {f"run:{pk}": Actor(name, "workflow", at) for pk, name, at in runs}
