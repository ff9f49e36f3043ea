"""Put the account or the user into a segment, or take it out, without touching what others claim."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django import forms

from accounts.models import Segment
from accounts.segments.members import (
    Outcome,
    Removed,
    add,
    claims_ended_by,
    displace,
    end_claims,
    open_claims,
    put_back,
    withdraw,
)
from accounts.segments.moves import Claim
from actions.base import (
    Action,
    Applied,
    ApplyOutcome,
    Audience,
    Batch,
    Config,
    Held,
    Keep,
    Receipt,
    Run,
    Skipped,
    Undo,
    UndoDecision,
    Write,
)
from actions.by_hand import DONE_BY_HAND
from actions.chains import by_target, receipt_of
from actions.choosing import SegmentField
from actions.forms import ActionForm
from actions.subjects import lock_present, target_of
from actions.widgets import Segmented
from cs_platform.tenancy.looked_up import all_of

ADD, REMOVE = "add", "remove"


class ChangeSegmentForm(ActionForm):
    do = forms.ChoiceField(choices=[(ADD, "Add"), (REMOVE, "Remove")], initial=ADD, widget=Segmented)
    segment = SegmentField()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        segment = _segment(cleaned) if "segment" in cleaned else None
        if segment and segment.scope == Segment.Scope.USER and self.audience is Audience.ACCOUNTS:
            self.add_error("segment", f"“{segment}” is a segment of users. This playbook is for accounts.")
        return cleaned


def _segment(config: Config) -> Segment | None:
    present = Segment.objects.filter(archived_at=None)
    known = all_of("segments", lambda: {one.pk: one for one in present})
    return present.filter(pk=config["segment"]).first() if known is None else known.get(config["segment"])


class ChangeSegment(Action):
    key = "change_segment"
    label = "Add to or remove from a segment"
    icon = "shapes"
    summary = "Held by this playbook until it stops"
    form = ChangeSegmentForm
    sample = {"do": "add", "segment": "Renewal"}

    def describe(self, config: Config) -> str:
        segment = _segment(config)
        name = f"“{segment}”" if segment else "a segment that is gone"
        return f"Add to the segment {name}" if config["do"] == ADD else f"Remove from the segment {name}"

    def describe_stop(self, config: Config) -> str:
        if config["do"] == ADD:
            return "It leaves the segment, unless a rule, a person or another playbook holds it there too."
        return "What was taken out comes back in, unless it was withdrawn since."

    def stop_in_brief(self, config: Config) -> str:
        return "Leaves the segment" if config["do"] == ADD else "Comes back in"

    def writes(self, config: Config) -> Sequence[Write]:
        return (Write(f"segment:{config['segment']}", config["do"]),)

    def tell(self, config: Config, receipt: Receipt) -> str:
        name = f"“{receipt['name']}”" if "name" in receipt else "a segment"
        if config["do"] == ADD:
            joined = receipt.get("outcome", Outcome.ENTERED) != Outcome.ENTERED
            return f"Was in the segment {name} already; held there too" if joined else f"Added to the segment {name}"
        if receipt.get("outcome") == Outcome.STAYS:
            return f"Stays in the segment {name}: a person put it in"
        return f"Was not in {name}" if receipt.get("outcome") == Outcome.ABSENT else f"Removed from the segment {name}"

    def apply(self, batch: Batch) -> Mapping[UUID, ApplyOutcome]:
        segment = _segment(batch.config)
        if segment is None:
            return dict.fromkeys(batch.run_ids, Held("segment_gone", "The segment is gone. Bring it back, or skip."))
        targets = {run.id: target_of(run, segment.scope) for run in batch.runs}
        present = lock_present(batch, segment.scope, targets.values())
        runs = [run for run in batch.runs if targets[run.id] in present]
        change = _add if batch.config["do"] == ADD else _remove
        gone = Skipped(f"The {segment.scope} is archived.")
        return dict.fromkeys(batch.run_ids, gone) | (change(batch, segment, runs) if runs else {})

    def decide(self, batch: Batch, *, lock: bool) -> Mapping[UUID, UndoDecision]:
        decisions: dict[UUID, UndoDecision] = dict.fromkeys(batch.run_ids, DONE_BY_HAND)
        done = [run for run in batch.runs if run.receipt and "segment" in run.receipt]
        segment = _segment(batch.config)
        if segment is None:
            return decisions | {run.id: _gone(receipt_of(run)) for run in done}
        if lock:
            lock_present(batch, segment.scope, by_target(done))
        return decisions | (_decide_adding if batch.config["do"] == ADD else _decide_removing)(batch, segment, done)

    def reverse(self, batch: Batch, decisions: Mapping[UUID, UndoDecision]) -> None:
        segment = _segment(batch.config)
        done = [run for run in batch.runs if run.receipt and "segment" in run.receipt]
        if segment is None or not done:
            return
        if batch.config["do"] == REMOVE:
            undone = [_removed(run) for run in done if isinstance(decisions[run.id], Undo)]
            put_back(segment=segment, removed=undone, by=batch.actor, now=batch.now)
            return
        claims = [_claim(batch, run, receipt_of(run)["target_id"]) for run in done]
        end_claims(segment=segment, claims=claims, actor=batch.actor, now=batch.now)
        withdraw(segment=segment, claims=claims)


def _claim(batch: Batch, run: Run, target_id: int) -> Claim:
    return Claim(target_id, run.writer, batch.actor)


def _receipt(segment: Segment, target_id: int, outcome: Outcome, claims: Sequence[Claim] = ()) -> Receipt:
    held = [[claim.source, claim.automation] for claim in claims]
    return {"segment": segment.pk, "name": segment.name, "target_id": target_id, "outcome": outcome, "claims": held}


def _add(batch: Batch, segment: Segment, runs: Sequence[Run]) -> dict[UUID, ApplyOutcome]:
    claims = [_claim(batch, run, target_of(run, segment.scope) or 0) for run in runs]
    barred = Skipped(f"A person took it out of “{segment.name}”, and only a person can put it back.")
    outcomes = add(segment=segment, claims=claims, now=batch.now)
    return {
        run.id: barred if outcome == Outcome.BARRED else Applied(_receipt(segment, claim.subject_id, outcome))
        for run, claim, outcome in zip(runs, claims, outcomes, strict=True)
    }


def _remove(batch: Batch, segment: Segment, runs: Sequence[Run]) -> dict[UUID, ApplyOutcome]:
    """The first run on a subject takes what others claim; the next one finds nothing."""
    firsts = {target_of(run, segment.scope) or 0: run.id for run in reversed(runs)}
    found = {
        one.subject_id: one for one in displace(segment=segment, subjects=firsts, actor=batch.actor, now=batch.now)
    }

    def applied(run: Run) -> Applied:
        target = target_of(run, segment.scope) or 0
        one = found[target] if firsts[target] == run.id else Removed(target, Outcome.ABSENT)
        return Applied(_receipt(segment, target, one.outcome, one.claims))

    return {run.id: applied(run) for run in runs}


# --- undo -------------------------------------------------------------------------------------------------------------


def _decide_adding(batch: Batch, segment: Segment, runs: Sequence[Run]) -> dict[UUID, UndoDecision]:
    held = open_claims(segment=segment, subjects=by_target(runs))
    leaving = {(receipt_of(run)["target_id"], run.writer) for run in runs}
    claimed_by_others = {target for target, _source in held - leaving}
    return {run.id: _decision(run, segment, held, claimed_by_others) for run in runs}


def _decision(run: Run, segment: Segment, held: set[tuple[int, str]], by_others: set[int]) -> UndoDecision:
    target = receipt_of(run)["target_id"]
    if (target, run.writer) not in held:
        return Keep("removed_since", f"It was taken out of “{segment.name}” since: nothing is left to take back")
    if target in by_others:
        return Undo(f"It stays in “{segment.name}” for others who hold it there; this playbook no longer does")
    return Undo(f"It leaves the segment “{segment.name}”")


def _decide_removing(batch: Batch, segment: Segment, runs: Sequence[Run]) -> dict[UUID, UndoDecision]:
    claims = [claim for run in runs for claim in _removed(run).claims]
    left = {claim.subject_id for claim in claims_ended_by(batch.actor, segment=segment, claims=claims)}

    def decision(run: Run) -> UndoDecision:
        receipt = receipt_of(run)
        if not receipt["claims"]:
            return Undo(f"Nothing was taken out of “{segment.name}”, and nothing comes back")
        if receipt["target_id"] in left:
            return Undo(f"It comes back into the segment “{segment.name}”")
        return Keep("withdrawn", f"It stays out of “{segment.name}”: whoever had put it in took that back since")

    return {run.id: decision(run) for run in runs}


def _removed(run: Run) -> Removed:
    receipt = receipt_of(run)
    claims = tuple(Claim(receipt["target_id"], source, automation) for source, automation in receipt["claims"])
    return Removed(receipt["target_id"], Outcome(receipt["outcome"]), claims)


def _gone(receipt: Receipt) -> Keep:
    return Keep("target_gone", f"The segment “{receipt['name']}” is gone")
