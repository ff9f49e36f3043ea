"""Two kinds of jobs with no product behind them: one counts to a number and can be undone, one writes a file."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cs_platform.jobs.kinds import Failure, Item, JobKind, JobRefused, Slice
from cs_platform.jobs.models import Job, JobItem
from cs_platform.tenancy.roles import Ability

AT_ONCE = 10


class Counting(JobKind):
    """`params`: to (how far), bad (numbers that cannot be), break_at (where an error of ours waits), says no."""

    key = "counting"
    label = "Counting"
    ability = Ability.EDIT_ACCOUNTS
    can_undo = True
    event = "account:changed"

    def count(self, job: Job, *, now: datetime) -> int:
        return int(job.params["to"])

    def step(self, job: Job, *, now: datetime) -> Slice:
        first = job.cursor.get("next", 1)
        _stumble(job.params, first)
        numbers = range(first, min(first + AT_ONCE, job.params["to"] + 1))
        bad = [number for number in numbers if number in job.params.get("bad", ())]
        good = [number for number in numbers if number not in bad]
        return Slice(
            cursor={"next": numbers[-1] + 1} if numbers else None,
            done=len(good),
            failures=[Failure(number, "Not a good number. Choose another.") for number in bad],
            items=[Item(f"number:{number:04}", {"was": number - 1}) for number in good],
            counts={"good": len(good)},
        )

    def restore(self, job: Job, items: Sequence[JobItem], *, by: Job, now: datetime) -> Mapping[str, str]:
        return {item.subject: "Somebody needs it." for item in items if item.before["was"] == 2}


def _stumble(params: Mapping[str, Any], at: int) -> None:
    if params.get("break_at") == at:
        raise ZeroDivisionError
    if params.get("refuse_at") == at:
        raise JobRefused("There is nothing to count with.")


class Writing(JobKind):
    key = "writing"
    label = "Writing"
    ability = Ability.MANAGE_DATA
    file_type = "text/csv; charset=utf-8"

    def step(self, job: Job, *, now: datetime) -> Slice:
        at = job.cursor.get("at", 0)
        return Slice({"at": at + 1} if at < 3 else None, done=1, content=f"part {at}\r\n".encode())
