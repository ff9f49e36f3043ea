"""Put many accounts, or users, into a segment, or take them out, as a person does it by hand."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from accounts.bulk.verbs import BulkVerb, Config, Done, Task, VerbForm, id_of, subject_of
from accounts.bulk.writing import lock_present, refuse_absent
from accounts.models import Segment, SegmentBar
from accounts.rules.fields import Subject
from accounts.segments.members import (
    Outcome,
    Removed,
    add_by_hand,
    bars_on,
    end_claims,
    open_claims,
    put_back,
    remove_by_hand,
    withdraw,
)
from accounts.segments.moves import COLUMN, Claim
from accounts.table.lists import USERS
from cs_platform.jobs.kinds import Item, JobRefused
from cs_platform.jobs.models import JobItem

MOST_SEGMENTS = 1_000
KEPT_OUT = "Whoever had put it in, or somebody else, has taken it out since: it stays out."


def _segments(subject: Subject) -> list[tuple[str, str]]:
    segments = Segment.objects.filter(scope=subject.value, archived_at=None).order_by("name", "pk")
    return [(str(pk), name) for pk, name in segments.values_list("pk", "name")[:MOST_SEGMENTS]]


class SegmentForm(VerbForm):
    segment = forms.ChoiceField(label="Segment", error_messages={"invalid_choice": "Choose one of the segments."})
    subject = Subject.ACCOUNT

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        none = f"There is no segment of {self.subject.value}s yet. Create one under Segments."
        self.offer("segment", _segments(self.subject), none=none)

    def config(self) -> dict[str, Any]:
        return {"segment": int(self.cleaned_data["segment"])}


def _segment(config: Config) -> Segment:
    found: Segment | None = Segment.objects.filter(pk=config["segment"], archived_at=None).first()
    if found is None:
        raise JobRefused("The segment is archived. Restore it, or choose another one.")
    return found


def _name(config: Config) -> str:
    return Segment.objects.filter(pk=config["segment"]).values_list("name", flat=True).first() or "a segment"


class AddToSegment(BulkVerb):
    key = "add_to_segment"
    label = "Add to segment"
    icon = "shapes"
    form = SegmentForm

    def describe(self, config: Config) -> str:
        return f"Add to {_name(config)}"

    def apply(self, task: Task, ids: Sequence[int]) -> Done:
        present, segment = lock_present(ids, self.listing), _segment(task.config)
        bars = _bars(segment, present)
        outcomes = add_by_hand(segment=segment, subjects=present, by=task, now=task.now)
        items = [
            Item(subject_of(id, self.listing), {"outcome": str(outcome), "bars": bars.get(id, [])})
            for id, outcome in zip(present, outcomes, strict=True)
            if outcome in (Outcome.ENTERED, Outcome.CLAIMED)
        ]
        return Done(items, refuse_absent(ids, present, self.listing))

    def restore(self, task: Task, items: Sequence[JobItem], *, undone: str) -> Mapping[str, str]:
        """Only this edit's word is taken back: who is held by something else stays in."""
        segment = _segment(task.config)
        claims = [Claim(id_of(item), undone) for item in items]
        outcomes = end_claims(segment=segment, claims=claims, actor=task.actor, now=task.now)
        withdraw(segment=segment, claims=claims)
        left = [item for item, one in zip(items, outcomes, strict=True) if one is Outcome.LEFT]
        _bar_again(segment, {id_of(item): item.before["bars"] for item in left})
        stays = "Something else holds it in the segment: it stays in."
        return {item.subject: stays for item, one in zip(items, outcomes, strict=True) if one is Outcome.STAYS}


class RemoveFromSegment(BulkVerb):
    key = "remove_from_segment"
    label = "Remove from a segment"
    icon = "circle-slash"
    form = SegmentForm

    def describe(self, config: Config) -> str:
        return f"Remove from {_name(config)}"

    def apply(self, task: Task, ids: Sequence[int]) -> Done:
        present = lock_present(ids, self.listing)
        removed = remove_by_hand(segment=_segment(task.config), subjects=present, by=task, now=task.now)
        ended = [one for one in removed if one.claims]
        items = [Item(subject_of(one.subject_id, self.listing), {"claims": _claims(one)}) for one in ended]
        return Done(items, refuse_absent(ids, present, self.listing))

    def restore(self, task: Task, items: Sequence[JobItem], *, undone: str) -> Mapping[str, str]:
        segment = _segment(task.config)
        present = lock_present([id_of(item) for item in items], self.listing)
        bars_on(segment=segment, subjects=present).filter(made_by=undone).delete()
        removed = [_removed(item) for item in items]
        put_back(segment=segment, removed=removed, by=undone, now=task.now)
        inside = {id for id, _source in open_claims(segment=segment, subjects=present)}
        return {item.subject: KEPT_OUT for item in items if id_of(item) not in inside}


def _bars(segment: Segment, ids: Sequence[int]) -> dict[int, list[list[str]]]:
    """As an item remembers them."""
    found: dict[int, list[list[str]]] = {}
    for bar in bars_on(segment=segment, subjects=ids):
        about = bar.account_id or bar.end_user_id
        assert about is not None  # it is about one of them
        found.setdefault(about, []).append([bar.source, bar.made_by, bar.made_at.isoformat()])
    return found


def _bar_again(segment: Segment, bars: Mapping[int, Sequence[Sequence[str]]]) -> None:
    subject = COLUMN[Segment.Scope(segment.scope)]
    SegmentBar.objects.bulk_create(
        (
            SegmentBar(segment=segment, source=source, made_by=made_by, made_at=made_at, **{subject: id})
            for id, found in bars.items()
            for source, made_by, made_at in found
        ),
        ignore_conflicts=True,
    )


def _removed(item: JobItem) -> Removed:
    return Removed(id_of(item), Outcome.LEFT, tuple(Claim(id_of(item), *parts) for parts in item.before["claims"]))


def _claims(removed: Removed) -> list[list[str]]:
    return [[claim.source, claim.automation] for claim in removed.claims]


class UserSegmentForm(SegmentForm):
    subject = Subject.USER


class AddUsersToSegment(AddToSegment):
    form = UserSegmentForm
    listing = USERS


class RemoveUsersFromSegment(RemoveFromSegment):
    form = UserSegmentForm
    listing = USERS
