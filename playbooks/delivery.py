"""Actions that leave our database: drafted in one transaction, marked, sent outside of any, settled in another.

The marker is committed before the call. If the worker dies after it, the effect may or may not have happened: the run
becomes `uncertain`, is shown to a person and is never repeated blindly.
"""

import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from accounts.conversations.intercom import read_intercoms
from accounts.conversations.reading import look_after_mailboxes
from actions.base import (
    Applied,
    DeliveryOutcome,
    ExternalAction,
    FanOut,
    Held,
    Later,
    Prepared,
    Refused,
    Retry,
    Skipped,
    Uncertain,
)
from actions.by_people import send_by_people
from actions.registry import action_for
from actions.retracting import send_retractions
from cs_platform.connectors.testing import run_tests
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant
from playbooks.asking import ask_first
from playbooks.batches import Claimed, Work, load
from playbooks.leases import Claim, LeaseLost, claim_due, due_steps, reclaim_expired, release_reconnected
from playbooks.models import Step
from playbooks.runner import (
    as_far_as_known,
    backoff,
    fail_run,
    in_halves,
    meet_condition,
    retry_or_dead,
    split_by_enrollment,
    tell_applied,
)
from playbooks.settlement import Settled, count_progress, settle
from playbooks.turns import Turn

log = logging.getLogger(__name__)

Deliver = Callable[[ExternalAction, Any], DeliveryOutcome]

# What can be on the wire at once: nothing that is marked as sent still waits for its turn.
AT_ONCE = 20
SHARE = 5  # of one step, as long as others wait
DRAFTS = 200  # of one step in one transaction: nothing leaves by them
SECONDS_EACH = 2.0  # at one workspace that has more, before the next one has its turn
GATHER_SECONDS = 0.01  # answers come in flocks; each flock is settled in one transaction
LATE_AFTER = timedelta(hours=24)


def deliver_directly(action: ExternalAction, payload: Any) -> DeliveryOutcome:
    return action.deliver(payload)


def deliver_round(tenant: Tenant, turn: Turn, *, deliver: Deliver = deliver_directly) -> int:
    """Something of every due external step of one workspace, and what people wrote. Returns how much was worked on."""
    with tenant_context(tenant.pk):
        now = turn.now()
        reclaim_expired(tenant_id=tenant.pk, external=True, now=now)
    tended = look_after_mailboxes(tenant, now=now) + read_intercoms(tenant, now=now)
    with tenant_context(tenant.pk):
        release_reconnected(tenant_id=tenant.pk, now=now)
        steps = due_steps(tenant_id=tenant.pk, external=True, now=now)
    tended += send_by_people(tenant, now=turn.now())
    tended += run_tests(tenant, now=now) + send_retractions(tenant, now=now)
    if steps:
        with _wire(tenant, deliver) as wire:
            tended += _deliver_steps(tenant, steps, wire, turn)
    return tended


def _deliver_steps(tenant: Tenant, steps: Sequence[int], wire: "_Wire", turn: Turn) -> int:
    """Each step has its share, whatever the time; those that have more go on in turns for a while.

    The next one is drafted and marked while calls are out, so that many small steps overlap as one big one does.
    """
    worked, waiting, more = 0, deque(steps), deque[int]()
    ends_at = time.monotonic() + SECONDS_EACH
    while not turn.is_over and (waiting or (more and time.monotonic() < ends_at)):
        wire.settle_answered()
        is_first = bool(waiting)
        step_id = (waiting or more).popleft()
        if is_first:
            worked += _draft(tenant, step_id, now=turn.now())
        wire.make_room(SHARE)
        size = SHARE if waiting or more else wire.room
        sent = _claim_and_send(tenant, step_id, wire, size=size, now=turn.now())
        worked += sent
        if sent == size:
            more.append(step_id)
    return worked


def _draft(tenant: Tenant, step_id: int, *, now: datetime) -> int:
    """Many at a time: nothing of it is on the wire."""
    with tenant_context(tenant.pk):
        claim = claim_due(tenant_id=tenant.pk, step_id=step_id, external=True, now=now, size=DRAFTS, prepared=False)
    return _prepare_claimed(tenant, claim, now, lambda payloads: None) if claim else 0


def _claim_and_send(tenant: Tenant, step_id: int, wire: "_Wire", *, size: int, now: datetime) -> int:
    last_start = time.monotonic() + settings.LEASE_SECONDS / 2
    with tenant_context(tenant.pk):
        claim = claim_due(tenant_id=tenant.pk, step_id=step_id, external=True, now=now, size=size, prepared=True)
        if claim is None:
            return 0
        action = _external(action_for(Step.objects.get(pk=step_id).action))
    batch = _Batch(claim, action, now, last_start)
    return _prepare_claimed(tenant, claim, now, lambda payloads: wire.send(batch, payloads))


def _prepare_claimed(tenant: Tenant, claim: Claim, now: datetime, send: Callable[[Mapping[UUID, Any]], None]) -> int:
    """What is marked leaves as soon as that is committed, whatever becomes of the rest."""
    in_halves(
        claim.run_ids,
        lambda ids: send(_prepare(tenant, claim, ids, now)),
        lambda id, why: fail_run(tenant, claim, id, why, now),
    )
    return len(claim.run_ids)


def _prepare(tenant: Tenant, claim: Claim, run_ids: Sequence[UUID], now: datetime) -> dict[UUID, Any]:
    """Drafts what is new and marks what is ready: the payloads it returns may be sent once this has committed."""
    with tenant_context(tenant.pk):
        work = load(tenant, claim.step_id, run_ids, token=claim.token, now=now)
        active, settled = split_by_enrollment(work)
        _withdraw(work)
        active, late = _hold_late(active, now) if _external(work.action).holds_late else (active, [])
        drafts, unmet = meet_condition(work, [one for one in active if not one.prepared])
        drafts, asked = ask_first(work, drafts)
        ready, forgotten = _still_recognised(work, [one for one in active if one.prepared])
        payloads, kept_back = _load_payloads(work, ready)
        settled += [*unmet, *asked, *late, *_prepared(work, drafts), *forgotten, *kept_back]
        settled = _as_far_as_known(work, settled)
        settle(settled, tenant_id=tenant.pk, token=claim.token, from_state="running", now=now)
        _mark_sent(tenant.pk, claim.token, list(payloads), now)
        count_progress((one.run.enrollment_id for one in work.claimed), tenant_id=tenant.pk, now=now)
        return payloads


def _withdraw(work: Work) -> None:
    """Drafts of enrollments that were stopped between the claim and now."""
    ended = [one for one in work.claimed if one.enrollment_state not in ("active", "paused") and one.prepared]
    if ended:
        work.action.cancel(work.batch(ended))


def _hold_late(claimed: Sequence[Claimed], now: datetime) -> tuple[list[Claimed], list[Settled]]:
    """A message more than a day late waits for a person: after an outage nobody gets a burst of old mail."""
    late = [one for one in claimed if one.try_at is not None and now - one.try_at > LATE_AFTER]
    why = "It is more than a day late. Send it now, or skip it."
    held = [Settled(one.run.id, "held", reason_code="late", reason=why) for one in late]
    return [one for one in claimed if one not in late], held


def _still_recognised(work: Work, ready: Sequence[Claimed]) -> tuple[list[Claimed], list[Settled]]:
    """What may have arrived is repeated only as long as the other side remembers; after that a person settles it."""
    since = work.now - (_external(work.action).repeat_window or timedelta(0))
    forgotten = [one for one in ready if one.marked_at and one.marked_at < since]
    why = "It may have arrived, and so long afterwards a repeat might count as another."
    settled = [Settled(one.run.id, "uncertain", reason_code="uncertain", reason=why) for one in forgotten]
    return [one for one in ready if one not in forgotten], settled


def _as_far_as_known(work: Work, settled: Sequence[Settled]) -> list[Settled]:
    by_run = {one.run.id: one for one in work.claimed}
    return [as_far_as_known(by_run[outcome.run_id], outcome, now=work.now) for outcome in settled]


def _prepared(work: Work, drafts: Sequence[Claimed]) -> list[Settled]:
    if not drafts:
        return []
    outcomes = _external(work.action).prepare(work.batch(drafts))
    _fan_out(work.tenant.pk, {id: one.keys for id, one in outcomes.items() if isinstance(one, FanOut)})
    return [_settled_draft(one, outcomes[one.run.id]) for one in drafts]


def _fan_out(tenant_id: int, keys: Mapping[UUID, Sequence[str]]) -> None:
    """A run for each recipient, due with its parent: a crash anywhere later repeats none and forgets none."""
    rows = [(id, key) for id, some in keys.items() for key in some]
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO playbooks_actionrun (tenant_id, enrollment_id, step_id, fan_key, position, is_external,
                anchor_on, due_on, due_at, try_at, cause_depth)
            SELECT r.tenant_id, r.enrollment_id, r.step_id, k.key, r.position, r.is_external,
                r.anchor_on, r.due_on, r.due_at, r.try_at, r.cause_depth
            FROM unnest(%s::uuid[], %s::text[]) WITH ORDINALITY AS k(id, key, n)
            JOIN playbooks_actionrun r ON r.tenant_id = %s AND r.id = k.id ORDER BY k.n
            ON CONFLICT (tenant_id, enrollment_id, step_id, fan_key) DO NOTHING
            """,
            [[id for id, _key in rows], [key for _id, key in rows], tenant_id],
        )


def _settled_draft(one: Claimed, outcome: Prepared | FanOut | Skipped | Held | Later) -> Settled:
    match outcome:
        case Prepared(receipt, send_at):
            return Settled(one.run.id, "scheduled", receipt, try_at=send_at, prepared=True)
        case FanOut(receipt, _):
            return Settled(one.run.id, "applied", receipt)
        case Later(until, reason):
            return Settled(one.run.id, "scheduled", reason_code="later", reason=reason, try_at=until)
        case Skipped(reason):
            return Settled(one.run.id, "skipped", reason_code="skipped", reason=reason)
        case Held(code, reason):
            return Settled(one.run.id, "held", reason_code=code, reason=reason)


def _load_payloads(work: Work, ready: Sequence[Claimed]) -> tuple[dict[UUID, Any], list[Settled]]:
    if not ready:
        return {}, []
    loaded = _external(work.action).load(work.batch(ready))
    stays = {id: found for id, found in loaded.items() if isinstance(found, Skipped | Held | Later)}
    kept_back = [_settled_draft(one, stays[one.run.id]) for one in ready if one.run.id in stays]
    return {id: found for id, found in loaded.items() if id not in stays}, kept_back


def _mark_sent(tenant_id: int, token: UUID, run_ids: list[UUID], now: datetime) -> None:
    """A repeat keeps the marker of the first. Raises LeaseLost when any is no longer ours and may be sent elsewhere."""
    if not run_ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE playbooks_actionrun SET sent_marker_at = COALESCE(sent_marker_at, %s)"
            " WHERE tenant_id = %s AND lease_token = %s AND id = ANY(%s)",
            [now, tenant_id, token, run_ids],
        )
        if cursor.rowcount != len(run_ids):
            raise LeaseLost


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Claimed runs of one step. Whoever is frozen beyond `last_start` begins none of their calls."""

    claim: Claim
    action: ExternalAction
    now: datetime
    last_start: float


@dataclass(frozen=True, slots=True)
class _Wire:
    """Calls that are out. What has been answered is settled while the slow ones still are."""

    tenant: Tenant
    deliver: Deliver
    pool: ThreadPoolExecutor
    calls: dict[Future[DeliveryOutcome], tuple[_Batch, UUID]] = field(default_factory=dict)

    @property
    def room(self) -> int:
        return AT_ONCE - len(self.calls)

    def send(self, batch: _Batch, payloads: Mapping[UUID, Any]) -> None:
        for run_id, payload in payloads.items():
            self.calls[self.pool.submit(_call, self.deliver, batch, payload)] = (batch, run_id)

    def make_room(self, wanted: int) -> None:
        while self.room < wanted:
            wait(self.calls, return_when=FIRST_COMPLETED)
            wait(self.calls, timeout=GATHER_SECONDS)
            self.settle_answered()

    def settle_answered(self) -> None:
        answered: dict[_Batch, dict[UUID, DeliveryOutcome]] = defaultdict(dict)
        for call in [call for call in self.calls if call.done()]:
            batch, run_id = self.calls.pop(call)
            answered[batch][run_id] = call.result()
        for batch, outcomes in answered.items():
            _record_all(self.tenant, batch, outcomes)


@contextmanager
def _wire(tenant: Tenant, deliver: Deliver) -> Iterator[_Wire]:
    """What was sent is waited for and settled, whatever became of what came after it."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        wire = _Wire(tenant, deliver, pool)
        try:
            yield wire
        finally:
            wire.make_room(AT_ONCE)


def _record_all(tenant: Tenant, batch: _Batch, outcomes: Mapping[UUID, DeliveryOutcome]) -> None:
    """Nothing is repeated from here: an outcome that cannot be written down stays marked, and becomes uncertain."""
    in_halves(
        list(outcomes),
        lambda ids: _record_held(tenant, batch.claim, {id: outcomes[id] for id in ids}, batch.now),
        lambda id, why: log.error("the outcome of run %s could not be written down: %s", id, why),
    )


def _call(deliver: Deliver, batch: _Batch, payload: Any) -> DeliveryOutcome:
    """Whoever was frozen too long begins nothing more: others may have given these runs up, or stopped them."""
    if time.monotonic() > batch.last_start:
        return Retry("There was not enough time left to send it safely.", counts=False)
    try:
        return deliver(batch.action, payload)
    except Exception as error:
        return Uncertain(f"It is not known whether it was sent: {error or type(error).__name__}")


def _record_held(tenant: Tenant, claim: Claim, outcomes: Mapping[UUID, DeliveryOutcome], now: datetime) -> None:
    """One run whose lease was lost must not take the outcomes of the others with it."""
    try:
        _record(tenant, claim, outcomes, now)
    except LeaseLost:
        if len(outcomes) > 1:
            raise RuntimeError("a lease of this batch was lost") from None
        raise


def _record(tenant: Tenant, claim: Claim, outcomes: Mapping[UUID, DeliveryOutcome], now: datetime) -> None:
    with tenant_context(tenant.pk):
        work = load(tenant, claim.step_id, list(outcomes), token=claim.token, now=now)
        _external(work.action).record(work.batch(work.claimed), outcomes)
        settled = _as_far_as_known(work, [_settled_call(one, outcomes[one.run.id], now) for one in work.claimed])
        settle(settled, tenant_id=tenant.pk, token=claim.token, from_state="running", now=now)
        tell_applied(work, outcomes, work.claimed)
        count_progress((one.run.enrollment_id for one in work.claimed), tenant_id=tenant.pk, now=now)


def _settled_call(one: Claimed, outcome: DeliveryOutcome, now: datetime) -> Settled:
    match outcome:
        case Applied(receipt):
            return Settled(one.run.id, "applied", receipt)
        case Retry(reason, may_have_happened=True):
            again = retry_or_dead(one, reason, now=now)
            given_up = Settled(one.run.id, "uncertain", reason_code="uncertain", reason=reason, attempt=again.attempt)
            return given_up if again.state == "dead" else replace(again, is_open=True)
        case Retry(reason, not_before, counts) if not counts:
            return Settled(
                one.run.id,
                "scheduled",
                reason_code="retry",
                reason=reason,
                try_at=max(not_before or now, now + backoff(0)),
            )
        case Retry(reason, not_before, _):
            return retry_or_dead(one, reason, now=now, not_before=not_before)
        case Held(code, reason):
            return Settled(one.run.id, "held", reason_code=code, reason=reason)
        case Uncertain(reason):
            return Settled(one.run.id, "uncertain", reason_code="uncertain", reason=reason)
        case Refused(reason, _):
            return Settled(one.run.id, "dead", reason_code="refused", reason=reason)


def _external(action: Any) -> ExternalAction:
    if not isinstance(action, ExternalAction):
        raise TypeError(f"{action.key} does not leave our database")
    return action
