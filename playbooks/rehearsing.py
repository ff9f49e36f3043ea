"""What an action would do, without its doing it: how the runs of a dry run are settled.

The action itself is carried out inside a savepoint, asked what it did, and taken back, so the record is no guess. What
leaves the house is drafted and goes no further.
"""

from collections.abc import Sequence

from django.db import transaction

from actions.base import Applied, ApplyOutcome, ExternalAction, FanOut, Held, Prepared, PrepareOutcome, Skipped
from playbooks.batches import Claimed, Work
from playbooks.settlement import Settled

DRY_RUN = "dry_run"  # the reason code of what was only recorded


def rehearse(work: Work, claimed: Sequence[Claimed]) -> list[Settled]:
    if not claimed:
        return []
    with transaction.atomic():
        batch, action = work.batch(claimed), work.action
        outcomes = action.prepare(batch) if isinstance(action, ExternalAction) else action.apply(batch)
        recorded = [_recorded(one, outcomes[one.run.id], work) for one in claimed]
        transaction.set_rollback(True)
    return recorded


def recorded_failure(one: Claimed, why: str) -> Settled:
    return Settled(one.run.id, "skipped", _receipt("failed"), reason_code=DRY_RUN, reason=f"Would fail: {why}")


def _recorded(one: Claimed, outcome: ApplyOutcome | PrepareOutcome, work: Work) -> Settled:
    said, reason = words_of(outcome, work)
    return Settled(one.run.id, "skipped", _receipt(said), reason_code=DRY_RUN, reason=reason)


def words_of(outcome: ApplyOutcome | PrepareOutcome, work: Work) -> tuple[str, str]:
    """What became of it, and a sentence that says so."""
    match outcome:
        case Applied(receipt) | Prepared(receipt, _) | FanOut(receipt, _):
            return "applied", work.action.tell(work.step.config, receipt)
        case Skipped(reason):
            return "skipped", f"Would be skipped: {reason}"
        case Held(_, reason):
            return "held", f"Would wait for somebody: {reason}"
    raise TypeError(f"{work.action.key} answered {outcome!r}")


def _receipt(outcome: str) -> dict[str, str]:
    """No more of the action's own receipt: what it names was taken back with it."""
    return {DRY_RUN: outcome}
