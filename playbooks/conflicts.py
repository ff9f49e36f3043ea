"""What a draft and the playbooks beside it do to each other: who writes what whose rules ask about, and who disagrees.

Everything here can be meant. So it is said before a playbook goes live, and refuses nothing.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from accounts.matching import bounded
from accounts.rules.compile import Audience, one_pass_accounts
from accounts.rules.describe import counted
from accounts.rules.fields import Column, Field, FieldSet, Subject
from accounts.rules.grammar import Rule, RuleErrors, leaves
from accounts.rules.sql import Clock, compose
from actions.base import Write
from actions.registry import action_for
from cs_platform.common.time_limit import TooLong
from cs_platform.tenancy.models import Tenant
from playbooks.definition import Definition, StepLike, audience_of, outcome_audience
from playbooks.models import Playbook, Step

BESIDE = 200  # playbooks that are live or paused, by name
SHOWN = 20
WARN, INFO = "warn", "info"
ANY_SEGMENT = "segments"
_UNDER_WAY = (Playbook.Status.LIVE, Playbook.Status.PAUSED)


@dataclass(frozen=True, slots=True)
class Finding:
    """`playbook` is the other one; `part` the step of the wizard that could change it."""

    code: str  # feeds_itself, reaches_itself, against, circle, feeds, fed_by
    tone: str
    says: str
    detail: str
    part: str
    playbook: Playbook | None = None


def find_conflicts(
    definition: Definition, playbook: Playbook, *, tenant: Tenant, fields: FieldSet, now: datetime
) -> list[Finding]:
    """The gravest first; three statements, whatever the number of playbooks."""
    stored = definition.stored()
    draft = _Player(playbook, stored, definition.steps, audience_of(stored, fields), fields)
    others = list(_beside(playbook, fields))
    reached = outcome_audience(stored, audience=definition.audience, fields=fields)
    alone = [*_feeds_itself(draft), *_reaches_itself(draft, reached)]
    found = [*alone, *_against(draft, others, tenant=tenant, now=now), *_circles(draft, others)]
    return [*found, *_neighbours(draft, others, found)][:SHOWN]


@dataclass(frozen=True)
class _Player:
    """A playbook with what its rules ask about and what its actions leave behind."""

    playbook: Playbook
    definition: Mapping[str, Any]
    steps: Sequence[StepLike]
    audience: Audience
    fields: FieldSet

    @property
    def name(self) -> str:
        return f"“{self.playbook.name}”"

    @cached_property
    def reads(self) -> Mapping[str, str]:
        """What its rules ask about: the place, and what people call it."""
        return dict(_places_of(self.audience))

    @cached_property
    def writes(self) -> Mapping[str, Sequence[tuple[Write, StepLike]]]:
        """By place."""
        found: dict[str, list[tuple[Write, StepLike]]] = {}
        for step in self.steps:
            for write in action_for(step.action).writes(step.config):
                found.setdefault(self._place(write), []).append((write, step))
        return found

    def feeds(self, other: "_Player") -> list[str]:
        """What the other's rules ask about and this one writes, as people call it; the states of this one included."""
        own = {f"{prefix}:{self.playbook.key}" for prefix in ("playbook", "playbook_applied", "playbook_progress")}
        written = self.writes.keys() | (own if other is not self else set())
        return [name for place, name in other.reads.items() if place in written]

    def _place(self, write: Write) -> str:
        found = self.fields.find(Subject(write.scope), write.field)
        return _place(found) if found else write.field


def _places_of(audience: Audience) -> Iterator[tuple[str, str]]:
    for rule in (audience.account, audience.user):
        if rule:
            yield from _places_in(rule)


def _places_in(rule: Rule) -> Iterator[tuple[str, str]]:
    for leaf in leaves(rule):
        if leaf.field.key == ANY_SEGMENT:
            yield from ((f"segment:{value}", leaf.field.label) for value in leaf.values)
        else:
            yield _place(leaf.field), leaf.field.label


def _place(field: Field) -> str:
    """A trait that feeds a column is that column: both are one place."""
    return repr(field.source) if isinstance(field.source, Column) else field.key


def _beside(playbook: Playbook, fields: FieldSet) -> Iterator[_Player]:
    """One whose rules cannot be asked any more enrolls nobody, and disturbs nobody."""
    found = Playbook.objects.filter(status__in=_UNDER_WAY).exclude(pk=playbook.pk)
    known = list(
        found.exclude(audience=Playbook.Audience.CTAS).select_related("version").order_by("name", "pk")[:BESIDE]
    )
    steps: dict[int, list[Step]] = {}
    for step in Step.objects.filter(version_id__in=[one.version_id for one in known]).order_by("position"):
        steps.setdefault(step.version_id, []).append(step)
    for one in known:
        assert one.version is not None
        try:
            audience = audience_of(one.version.definition, fields)
        except RuleErrors:
            continue
        yield _Player(one, one.version.definition, steps.get(one.version.pk, []), audience, fields)


# --- by itself --------------------------------------------------------------------------------------------------------


def _feeds_itself(draft: _Player) -> Iterator[Finding]:
    """Where its rules stop matching by its own doing, and something follows from that."""
    names = draft.feeds(draft)
    stops = draft.definition["on_unmatch"] == "stop"
    again = draft.definition["reenrollment"]["policy"] == "every_match"
    if not names or not (stops or again):
        return
    says = f"It writes what its own rules ask about: {_listed(names)}"
    if stops and again:
        detail = "It may stop and undo itself, match again, and be applied again, night after night."
    elif stops:
        detail = "Its rules may stop matching by its own doing; then it stops and undoes what it did."
    else:
        detail = "Its rules may stop matching by its own doing, and it is applied again when they match anew."
    yield Finding("feeds_itself", WARN if stops else INFO, says, detail, "rules")


def _reaches_itself(draft: _Player, reached: Audience | None) -> Iterator[Finding]:
    """Those left out cannot reach it that way, so the comparison would only tell that the playbook acted."""
    asked = dict(_places_of(reached)) if reached else {}
    names = [name for place, name in asked.items() if place in draft.writes]
    if names:
        says = f"It writes what its outcome asks about: {_listed(names)}"
        detail = "It may reach the outcome by its own doing. Ask for what customers do instead."
        yield Finding("reaches_itself", WARN, says, detail, "rules")


# --- against each other -----------------------------------------------------------------------------------------------


def _against(draft: _Player, others: Sequence[_Player], *, tenant: Tenant, now: datetime) -> list[Finding]:
    """Two that leave different things in one place, and how many accounts both are about."""
    pairs = [(other, one, two) for other in others for one, two in _disagreeing(draft, other)][:SHOWN]
    about = {other.playbook.pk: other for other, _one, _two in pairs}
    shared = _shared(draft, list(about.values()), tenant=tenant, now=now)
    return [
        Finding(
            "against",
            INFO if shared.get(other.playbook.pk) == 0 else WARN,
            f"{other.name} does otherwise: {_words(two)}. Here: {_words(one)}",
            _both(shared.get(other.playbook.pk)),
            "actions",
            other.playbook,
        )
        for other, one, two in pairs
    ]


def _disagreeing(draft: _Player, other: _Player) -> Iterator[tuple[StepLike, StepLike]]:
    """At most once for each place."""
    for place in draft.writes.keys() & other.writes.keys():
        found = (
            (here, there)
            for one, here in draft.writes[place]
            for two, there in other.writes[place]
            if _differ(one, two)
        )
        yield from list(found)[:1]


def _differ(one: Write, two: Write) -> bool:
    """What depends on the account may differ; where both give way to what is there, nobody loses anything."""
    return (one.value is None or one.value != two.value) and not (one.yields and two.yields)


def _words(step: StepLike) -> str:
    return f"“{action_for(step.action).describe(step.config)}”"


def _shared(draft: _Player, others: Sequence[_Player], *, tenant: Tenant, now: datetime) -> dict[int, int]:
    """How many accounts match the draft and each other one now, in one pass. Empty where that would take too long."""
    if not others:
        return {}
    asked = [draft.audience, *(other.audience for other in others)]
    clock = Clock.at(now, ZoneInfo(tenant.timezone))
    counts = ", ".join(
        f"count(*) FILTER (WHERE bits & 1 <> 0 AND bits & {1 << at} <> 0)" for at in range(1, len(asked))
    )
    found = one_pass_accounts(asked, tenant_id=tenant.pk, clock=clock)
    try:
        [row] = bounded(compose(f"SELECT {counts} FROM ({{found}}) f", found=found))
    except TooLong:
        return {}
    return {other.playbook.pk: count for other, count in zip(others, row, strict=True)}


def _both(count: int | None) -> str:
    if count is None:
        return "Where both apply, the later action wins."
    if count == 0:
        return "No account matches both now."
    return f"{counted(count, 'account')} {'matches' if count == 1 else 'match'} both now; the later action wins."


# --- through each other's rules ---------------------------------------------------------------------------------------


def _circles(draft: _Player, others: Sequence[_Player]) -> Iterator[Finding]:
    """The shortest way back to the draft through each playbook it feeds."""
    ways = _Ways([draft, *others])
    for first in ways.fed_by(draft):
        path = ways.shortest(first, draft) if first is not draft else None
        if path is None:
            continue
        says = " → ".join(["This playbook", *(one.name for one in path[:-1]), "this playbook"])
        detail = f"Each writes what the rules of the next ask about, beginning with {_listed(draft.feeds(first))}."
        yield Finding("circle", WARN, f"A circle: {says}", detail, "rules", first.playbook)


class _Ways:
    """Who feeds whom."""

    def __init__(self, players: Sequence[_Player]) -> None:
        self.players = players
        self._fed: dict[int, list[_Player]] = {}

    def fed_by(self, player: _Player) -> list[_Player]:
        if id(player) not in self._fed:
            self._fed[id(player)] = [other for other in self.players if player.feeds(other)]
        return self._fed[id(player)]

    def shortest(self, start: _Player, end: _Player) -> list[_Player] | None:
        """From one to the other, both included."""
        came_from: dict[int, _Player | None] = {id(start): None}
        waiting = deque([start])
        while waiting:
            here = waiting.popleft()
            for other in self.fed_by(here):
                if other is end:
                    return [*self._back(here, came_from), end]
                if id(other) not in came_from:
                    came_from[id(other)] = here
                    waiting.append(other)
        return None

    def _back(self, player: _Player, came_from: Mapping[int, _Player | None]) -> list[_Player]:
        path = [player]
        while (before := came_from[id(path[0])]) is not None:
            path.insert(0, before)
        return path


def _neighbours(draft: _Player, others: Sequence[_Player], found: Iterable[Finding]) -> Iterator[Finding]:
    """Who is fed, and who feeds, without a way back."""
    told = {one.playbook.pk for one in found if one.code == "circle" and one.playbook}
    for other in others:
        if other.playbook.pk in told:
            continue
        if names := draft.feeds(other):
            says = f"It writes what the rules of {other.name} ask about: {_listed(names)}"
            yield Finding("feeds", INFO, says, "These may begin or stop to match.", "actions", other.playbook)
        if names := other.feeds(draft):
            says = f"{other.name} writes what these rules ask about: {_listed(names)}"
            yield Finding("fed_by", INFO, says, "They may begin or stop to match.", "rules", other.playbook)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
