"""Actions that wait for somebody's word: what a step with an approval does when it falls due, instead of acting.

Nothing of it happens before, not even a draft. Who approves, and what else can become of it: playbooks/approvals.py.
"""

from collections.abc import Sequence
from datetime import timedelta

from actions.people import role_words
from playbooks.batches import Claimed, Work
from playbooks.models import Approval
from playbooks.settlement import Settled

HELD_FOR = "approval"  # the reason code of a run that waits
# A person said yes, or nobody did in time and the step says that it runs all the same.
GRANTED = (Approval.State.APPROVED, Approval.State.EXPIRED)


def ask_first(work: Work, claimed: Sequence[Claimed]) -> tuple[list[Claimed], list[Settled]]:
    """Those that may go on, and those that wait. What a step fanned out into was asked about as one."""
    wanted = work.step.approval
    if not wanted:
        return list(claimed), []
    open_ids = [one.run.id for one in claimed if not one.run.fan_key and not one.prepared]
    granted = Approval.objects.filter(run_id__in=open_ids, state__in=GRANTED).values_list("run_id", flat=True)
    asked = set(open_ids).difference(granted)
    _ask([one for one in claimed if one.run.id in asked], wanted, work)
    why = f"It waits for approval by {role_words(wanted['by'])}."
    held = [Settled(id, "held", reason_code=HELD_FOR, reason=why) for id in open_ids if id in asked]
    return [one for one in claimed if one.run.id not in asked], held


def _ask(claimed: Sequence[Claimed], wanted: dict[str, str], work: Work) -> None:
    """One that was withdrawn before is put anew."""
    expires_at = work.now + timedelta(days=int(wanted["within_days"]))
    asked = {"asks": wanted["by"], "otherwise": wanted["otherwise"], "asked_at": work.now, "expires_at": expires_at}
    rows = [
        Approval(run_id=one.run.id, enrollment_id=one.run.enrollment_id, decided_at=None, **asked) for one in claimed
    ]
    Approval.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["tenant", "run_id"],
        update_fields=[*asked, "state", "decided_at", "decided_by", "told_at"],
    )
