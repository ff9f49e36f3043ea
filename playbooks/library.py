"""The list of playbooks: what each is for, its schedule at a glance, and how many accounts are where in it."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db.models import Count, Max, Q

from accounts.fields import workspace_fields
from accounts.rules import grammar
from accounts.rules.describe import Part, Sentence, counted, describe_audience, describe_when
from accounts.rules.fields import FieldSet
from accounts.rules.grammar import RuleErrors
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Membership
from ctas.lists import Kind, current_lists
from playbooks.definition import audience_of, subject_of
from playbooks.models import ActionRun, Enrollment, Evaluation, EvaluationRun, Playbook, PlaybookVersion, Step
from playbooks.progress import UNDER_WAY
from playbooks.steps import of_draft, place

UNCATEGORISED = "Other"
MOST_ERRORS = 1_000
TARGET_WORDS = {"tracked": "All tracked", "subscribed": "Subscribed", "trialing": "Trialing", "churned": "Churned"}
GONE = "Its rules ask about a field that is gone"


@dataclass(frozen=True, slots=True)
class Counts:
    active: int = 0
    finished: int = 0
    stopped: int = 0
    last_applied_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """Where the actions lie between the first day and the last, in per cent."""

    actions: int
    days: int
    places: Sequence[int]


@dataclass(frozen=True, slots=True)
class Row:
    playbook: Playbook
    sentence: str
    target: str
    schedule: Schedule
    counts: Counts


# How rows of one category may be sorted, and in which words; what is as far or as old follows its name.
SORTS: Mapping[str, tuple[str, Callable[[Row], Any]]] = {
    "name": ("Name", lambda row: 0),
    "active": ("Most active", lambda row: -row.counts.active),
    "latest": ("Last applied", lambda row: -_moment(row.counts.last_applied_at)),
}


def library(playbooks: Iterable[Playbook], *, sort: str = "name") -> list[tuple[str, list[Row]]]:
    """By category. The playbooks come with their version; a fixed number of queries, whatever their number."""
    found = sorted(playbooks, key=_place_in_list)
    schedules = _schedules([one.version_id for one in found if one.version_id])
    drafted = _drafted([one.pk for one in found if not one.version_id])
    counts, words = count_enrollments([one.pk for one in found]), Words.load()
    rows = [
        Row(
            playbook=one,
            sentence=words.audience(one.version),
            target=words.target(one.version),
            schedule=schedules.get(one.version_id or 0) or drafted.get(one.pk, Schedule(0, 0, ())),
            counts=counts.get(one.pk, Counts()),
        )
        for one in found
    ]
    grouped = groupby(rows, key=lambda row: row.playbook.category or UNCATEGORISED)
    return [(name, sorted(group, key=SORTS[sort][1])) for name, group in grouped]


def _moment(at: datetime | None) -> float:
    return at.timestamp() if at else 0


@dataclass(frozen=True, slots=True)
class TaskListRow:
    playbook: Playbook
    types: Sequence[str]
    schedule: Schedule
    counts: Counts


def task_lists(playbooks: Iterable[Playbook]) -> list[TaskListRow]:
    """CTA playbooks, with their version, in the order of `library`."""
    found = sorted(playbooks, key=_place_in_list)
    counts, lists = count_enrollments([one.pk for one in found]), current_lists()
    steps = Step.objects.filter(version_id__in=[one.version_id for one in found if one.version_id])
    days = {step.version_id: [task["day"] - 1 for task in step.config["tasks"]] for step in steps}
    return [
        TaskListRow(
            playbook=one,
            types=[lists.find(Kind.TYPE, type).name for type in one.version.definition["types"]] if one.version else [],
            schedule=_schedule(days[one.version_id]) if one.version_id in days else Schedule(0, 0, ()),
            counts=counts.get(one.pk, Counts()),
        )
        for one in found
    ]


def _place_in_list(playbook: Playbook) -> tuple[bool, str, str, str, int]:
    category = playbook.category
    return (not category, category.lower(), category, playbook.name.lower(), playbook.pk)


def count_enrollments(playbook_ids: Sequence[int]) -> dict[int, Counts]:
    completed, stopped = Enrollment.State.COMPLETED, Enrollment.State.STOPPED
    rows = Enrollment.objects.that_count().filter(playbook_id__in=playbook_ids).values("playbook_id").order_by()
    counted = rows.annotate(
        active=Count("pk", filter=Q(state__in=UNDER_WAY)),
        finished=Count("pk", filter=Q(state=completed)),
        stopped=Count("pk", filter=Q(state=stopped)),
        last_applied_at=Max("activated_at"),
    )
    return {row.pop("playbook_id"): Counts(**row) for row in counted}


def _schedules(version_ids: Sequence[int]) -> dict[int, Schedule]:
    offsets: dict[int, list[int]] = defaultdict(list)
    steps = Step.objects.filter(version_id__in=version_ids).order_by("version_id", "offset_days", "position")
    for version_id, offset in steps.values_list("version_id", "offset_days"):
        offsets[version_id].append(offset)
    return {version_id: _schedule(days) for version_id, days in offsets.items()}


def _drafted(playbook_ids: Sequence[int]) -> dict[int, Schedule]:
    """Of those that say something in a draft only, finished or not."""
    drafts = PlaybookVersion.objects.filter(playbook_id__in=playbook_ids, published_at=None)
    found = {id: of_draft(draft or {}) for id, draft in drafts.values_list("playbook_id", "draft")}
    days = {id: [place(step) for step in steps] for id, steps in found.items()}
    return {
        id: _schedule([number if anchored else number - 1 for anchored, _field, number in places])
        for id, places in days.items()
        if places
    }


def _schedule(offsets: Sequence[int]) -> Schedule:
    first, last = min(0, *offsets), max(0, *offsets)
    length = max(last - first, 1)
    return Schedule(len(offsets), last - first + 1, [round(100 * (offset - first) / length) for offset in offsets])


# Words ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Words:
    """Rules as sentences, with the workspace's fields and people loaded once."""

    fields: FieldSet
    people: Mapping[int, str]

    @classmethod
    def load(cls) -> "Words":
        members = Membership.objects.in_tenant(current_tenant_id()).values_list("pk", "name")
        return cls(workspace_fields(), dict(members))

    def audience(self, version: PlaybookVersion | None) -> str:
        return str(self.rules(version.definition)) if version else "Not published yet"

    def rules(self, definition: Mapping[str, Any]) -> Sentence:
        try:
            return describe_audience(audience_of(definition, self.fields), people=self.people)
        except RuleErrors:
            return Sentence([Part(GONE)])

    def outcome(self, definition: Mapping[str, Any], *, audience: str) -> Sentence:
        """What it is called, when it is reached, and within how many days that counts."""
        outcome = definition.get("outcome")
        if not outcome:
            return Sentence([Part("None chosen")])
        name, within = Part(outcome["name"], is_condition=True), Part(f", within {counted(outcome['days'], 'day')}")
        try:
            rule = grammar.parse(outcome["rule"], fields=self.fields, subject=subject_of(audience))
        except RuleErrors:
            return Sentence([name, within, Part(f". {GONE}")])
        return Sentence([name, Part(", when "), *describe_when(rule, people=self.people).parts, within])

    def target(self, version: PlaybookVersion | None) -> str:
        return TARGET_WORDS[version.definition["target"]] if version else ""


# The last look --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LastLook:
    run: EvaluationRun
    enrolled: int
    held: int


def asked_look() -> EvaluationRun | None:
    """What somebody asked for and no worker has finished."""
    return EvaluationRun.objects.asked().select_related("requested_by").order_by("pk").first()


def count_errors() -> int:
    """Of all playbooks, that a person has to see to; up to one more than are counted."""
    failed = (ActionRun.State.DEAD, ActionRun.State.UNCERTAIN, ActionRun.State.UNDO_DEAD)
    return ActionRun.objects.filter(state__in=failed).order_by()[: MOST_ERRORS + 1].count()


def last_look() -> LastLook | None:
    run = EvaluationRun.objects.exclude(finished_at=None).order_by("-started_at", "-pk").first()
    return _came_of(run) if run else None


def _came_of(run: EvaluationRun) -> LastLook:
    rows = list(run.evaluations.values_list("enrolled", "state"))
    held = sum(state == Evaluation.State.HELD for _enrolled, state in rows)
    return LastLook(run, sum(enrolled for enrolled, _state in rows), held)
