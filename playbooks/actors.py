"""The names of playbooks and of their runs, where something says who did it."""

from collections.abc import Collection, Mapping
from uuid import UUID

from accounts.actors import Actor, Persons, ids_after
from playbooks.models import ActionRun, Playbook


class PlaybookActors:
    def actors(self, wanted: Collection[str]) -> Mapping[str, Actor]:
        evaluations = {
            actor: Actor("the evaluation", "workflow") for actor in wanted if actor.startswith("evaluation:")
        }
        return evaluations | _playbooks(wanted) | _runs(wanted) | _stops(wanted)

    def names(self, wanted: Collection[str]) -> Mapping[str, str]:
        """Where only a name is asked for: beside a comment, a notification (settings.COMMENTERS)."""
        return {actor: one.name for actor, one in self.actors(wanted).items()}


def _playbooks(wanted: Collection[str]) -> dict[str, Actor]:
    ids = ids_after("playbook:", wanted)
    found = Playbook.objects.filter(pk__in=ids).only("tenant_id", "name") if ids else ()
    return {playbook.actor: Actor(playbook.name, "workflow") for playbook in found}


def _runs(wanted: Collection[str]) -> dict[str, Actor]:
    """A value names the run that wrote it, so the playbook and the day come with it."""
    ids = _run_ids("run:", wanted)
    runs = (
        ActionRun.objects.filter(pk__in=ids).values_list("pk", "enrollment__playbook__name", "settled_at")
        if ids
        else ()
    )
    return {f"run:{pk}": Actor(name, "workflow", at) for pk, name, at in runs}


def _stops(wanted: Collection[str]) -> dict[str, Actor]:
    """Whoever stopped the enrollment of a run, and so took back what the run did."""
    ids = _run_ids("stop:", wanted)
    runs = ActionRun.objects.filter(pk__in=ids) if ids else ActionRun.objects.none()
    stopped = list(runs.values_list("pk", "enrollment__playbook__name", "enrollment__stopped_by"))
    people = Persons().actors({by for _pk, _name, by in stopped if by})
    return {f"stop:{pk}": Actor(_stopping(people.get(by), name), "workflow") for pk, name, by in stopped}


def _stopping(who: Actor | None, playbook: str) -> str:
    return f"{who.name}, stopping {playbook}" if who else f"the stop of {playbook}"


def _run_ids(prefix: str, wanted: Collection[str]) -> list[UUID]:
    return [UUID(pk) for actor in wanted if (pk := actor.removeprefix(prefix)) != actor]
