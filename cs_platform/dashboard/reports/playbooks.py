"""What playbooks led to, of those applied in the time."""

from collections.abc import Iterator, Sequence

from cs_platform.dashboard.reports.asked import Asked
from cs_platform.dashboard.reports.files import File
from playbooks.effect import Effect, effects


def effects_of(asked: Asked) -> list[Effect]:
    return effects(since=asked.since, csms=asked.csms)


def _rows(asked: Asked) -> Iterator[Sequence[str]]:
    for one in effects_of(asked):
        counts = (one.applied, one.active, one.finished, one.stopped, one.tasks, one.tasks_done)
        more = (one.messages, one.replies, one.nps.answers)
        score = "" if one.nps.score is None else str(one.nps.score)
        yield (one.playbook.name, *map(str, (*counts, *more)), score)


PLAYBOOKS = File(
    "playbooks",
    "What playbooks led to",
    (
        "playbook", "applied", "active", "finished", "stopped", "tasks", "tasks_done", "messages", "replies",
        "nps_answers", "nps",
    ),
    _rows,
)  # fmt: skip
