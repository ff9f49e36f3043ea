"""Values that several runs wrote one over the other: whose it is now, and what was there before all of them.

A receipt of such a run says `target_id`, `before_writer` and what was before. Taking back never compares values: the
value is ours while we are its writer, and whoever wrote over us inherits what we found (the splice).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID

from actions.base import Receipt, Run


def receipt_of(run: Run) -> Receipt:
    assert run.receipt is not None
    return run.receipt


def by_target(runs: Iterable[Run]) -> dict[int, list[Run]]:
    found: dict[int, list[Run]] = defaultdict(list)
    for run in runs:
        if run.receipt:
            found[run.receipt["target_id"]].append(run)
    return found


def still_owned(chain: Sequence[Run], writer: str) -> set[UUID]:
    """From the present writer backwards: taking back the top one makes the one below it the owner."""
    by_writer = {run.writer: run for run in chain}
    owned: set[UUID] = set()
    while (run := by_writer.pop(writer, None)) is not None:
        owned.add(run.id)
        writer = receipt_of(run)["before_writer"]
    return owned


def first_of(chain: Sequence[Run]) -> Run:
    """The one that found what was there before all of these runs, which leave together."""
    writers = {run.writer for run in chain}
    return next(run for run in chain if receipt_of(run)["before_writer"] not in writers)


def lowest_below(run: Run, chain: Sequence[Run]) -> Run:
    """Past every run of this batch below it, all of which go: what that one found is what an heir restores."""
    by_writer = {other.writer: other for other in chain}
    while (below := by_writer.get(receipt_of(run)["before_writer"])) is not None:
        run = below
    return run
