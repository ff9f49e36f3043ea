"""Put many accounts, or users, into a segment, or take them out, as a person does it by hand."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from accounts.bulk.verbs import BulkVerb, Config, Done, Task, VerbForm, id_of, subject_of
from accounts.bulk.writing import lock_present, refuse_absent
from accounts.models import Segment, SegmentBar
from accounts.rules.fields import Subject
from accounts.segments.members import Outcome, Removed, add, add_by_hand, end_claims, remove_by_hand
from accounts.segments.moves import Claim
from accounts.table.lists import ACCOUNTS, USERS
from cs_platform.jobs.kinds import Item, JobRefused
from cs_platform.jobs.models import JobItem

MOST_SEGMENTS = 1_000


def _segments(subject: Subject) -> list[tuple[str, str]]:
    segments = Segment.objects.filter(scope=subject.value, archived_at=None).order_by("name", "pk")
    return [(str(pk), name) for pk, name in segments.values_list("pk", "name")[:MOST_SEGMENTS]]


class SegmentForm(VerbForm):
    segment = forms.ChoiceField(label="Segment", error_messages={"invalid_choice": "Choose one of the segments."})
    subject = Subject.ACCOUNT

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["segment"].choices = _segments(self.subject)  # type: ignore[attr-defined]

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
    label = "Add to a segment"
    icon = "shapes"
    form = SegmentForm

    def describe(self, config: Config) -> str:
        return f"Add to {_name(config)}"

    def apply(self, task: Task, ids: Sequence[int]) -> Done:
        present = lock_present(ids, self.listing)
        outcomes = add_by_hand(segment=_segment(task.config), subjects=present, by=task, now=task.now)
        items = [
            Item(subject_of(id, self.listing), {"outcome": str(outcome)})
            for id, outcome in zip(present, outcomes, strict=True)
            if outcome in (Outcome.ENTERED, Outcome.CLAIMED)
        ]
        return Done(items, refuse_absent(ids, present, self.listing))

    def restore(self, task: Task, items: Sequence[JobItem], *, undone: str) -> Mapping[str, str]:
        """Only this edit's word is taken back: who is held by something else stays in."""
        segment = _segment(task.config)
        claims = [Claim(id_of(item), undone) for item in items]
        outcomes = end_claims(segment=segment, claims=claims, actor=task.actor, now=task.now)
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
        ids = [id_of(item) for item in items]
        own = "account_id__in" if self.listing is ACCOUNTS else "end_user_id__in"
        SegmentBar.objects.filter(**{own: ids}, segment=segment, made_by=undone).delete()
        claims = [Claim(id_of(item), *parts) for item in items for parts in item.before["claims"]]
        outcomes = add(segment=segment, claims=claims, now=task.now)
        barred = {one.subject_id for one, out in zip(claims, outcomes, strict=True) if out is Outcome.BARRED}
        kept_out = "Somebody has taken it out since: it stays out."
        return {item.subject: kept_out for item in items if id_of(item) in barred}


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
