"""Making segments and changing what they are. A rule is settled at once where the workspace is small enough."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from accounts.fields import workspace_fields
from accounts.models import Segment
from accounts.rules.describe import describe
from accounts.rules.fields import FieldSet, Subject
from accounts.rules.grammar import Rule, RuleErrors, dump, parse
from accounts.segments.members import end_rule_claims
from accounts.segments.settling import segments_asked, settle_at_once
from cs_platform.tenancy.audit import record
from cs_platform.tenancy.models import Doer, Tenant

MOST = 500  # segments a workspace can have that are not archived
DEFINING = 7_366_004  # the lock's name; the workspace is its other half


class CannotSave(Exception):
    """The text says what to change; `field` is the part it is about."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Wording:
    """What a person says about a segment; without a rule, playbooks and people fill it."""

    name: str
    description: str = ""
    rule: Rule | None = None


def create_segment(*, scope: str, wording: Wording, tenant: Tenant, by: Doer, now: datetime) -> Segment:
    """Raises CannotSave."""
    with transaction.atomic():
        _alone(tenant)
        if Segment.objects.filter(archived_at=None).count() >= MOST:
            raise CannotSave("", f"A workspace can have {MOST} segments. Archive one that is not used any more.")
        segment = Segment(scope=scope, created_at=now, created_by=by.member)
        _write(segment, wording)
        _write_down("created", segment, {}, by=by, now=now)
        return _settled(segment, tenant, now)


def edit_segment(segment: Segment, *, wording: Wording, tenant: Tenant, by: Doer, now: datetime) -> Segment:
    """Raises CannotSave. A rule that was taken away takes along the members it alone had brought."""
    with transaction.atomic():
        _alone(tenant)
        before, said = segment.rule, _said(segment)
        _write(segment, wording)
        if _said(segment) != said:
            _write_down("changed", segment, said, by=by, now=now)
        if segment.rule is None and before is not None:
            end_rule_claims(segment=segment, actor=by.actor, now=now)
        return segment if segment.rule == before else _settled(segment, tenant, now)


def archive_segment(segment: Segment, *, by: Doer, now: datetime) -> bool:
    """It keeps its members, for whatever still asks about them, and nothing changes them any more."""
    with transaction.atomic():
        if not Segment.objects.filter(pk=segment.pk, archived_at=None).update(archived_at=now):
            return False
        _write_down("archived", segment, _said(segment), by=by, now=now)
        return True


def restore_segment(segment: Segment, *, tenant: Tenant, by: Doer, now: datetime) -> bool:
    """Raises CannotSave where its name has been given away, or its rule would now close a circle."""
    with transaction.atomic():
        _alone(tenant)
        if not Segment.objects.filter(pk=segment.pk, archived_at__isnull=False).exists():
            return False
        fields = workspace_fields()
        _refuse_taken_name(segment, segment.name)
        _refuse_circle(segment, _readable(segment, fields), fields)
        Segment.objects.filter(pk=segment.pk).update(archived_at=None)
        segment.archived_at = None
        _write_down("restored", segment, _said(segment), by=by, now=now)
        _settled(segment, tenant, now)
        return True


def _alone(tenant: Tenant) -> None:
    """Two rules saved at once could each be right and close a circle together."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [DEFINING, tenant.pk % 2**31])


def _write(segment: Segment, wording: Wording) -> None:
    _refuse_taken_name(segment, wording.name)
    _refuse_circle(segment, wording.rule, workspace_fields())
    segment.name, segment.description = wording.name, wording.description
    segment.rule = dump(wording.rule) if wording.rule else None
    segment.evaluated_at = None if segment.rule else segment.evaluated_at
    segment.save()


def _said(segment: Segment) -> dict[str, Any]:
    rule = _readable(segment, workspace_fields())
    return {"name": segment.name, "description": segment.description, "rule": describe(rule) if rule else segment.rule}


def _write_down(verb: str, segment: Segment, before: Mapping[str, Any], *, by: Doer, now: datetime) -> None:
    about: dict[str, Any] = {"subject_type": "segment", "subject_id": segment.pk, "name": segment.name}
    record(verb=f"segment.{verb}", **about, before=before, after=_said(segment), by=by, now=now)


def _settled(segment: Segment, tenant: Tenant, now: datetime) -> Segment:
    if segment.rule is not None and settle_at_once(segment, tenant=tenant, fields=workspace_fields(), now=now):
        segment.evaluated_at = now
    return segment


def _refuse_taken_name(segment: Segment, name: str) -> None:
    others = Segment.objects.filter(scope=segment.scope, archived_at=None).exclude(pk=segment.pk)
    if others.filter(name=name).exists():
        raise CannotSave("name", f"There is a segment of {segment.get_scope_display().lower()} called {name} already.")


# --- circles ----------------------------------------------------------------------------------------------------------


def _refuse_circle(segment: Segment, rule: Rule | None, fields: FieldSet) -> None:
    """A segment whose members depend on themselves has no right answer."""
    if rule is None or segment.pk is None:
        return
    others = {one.pk: one for one in Segment.objects.filter(archived_at=None, rule__isnull=False)}
    asked = {pk: segments_asked(found) for pk, one in others.items() if (found := _readable(one, fields))}
    path = _path_back(segment.pk, asked | {segment.pk: segments_asked(rule)})
    if path:
        names = Segment.objects.in_bulk(path)
        raise CannotSave("rule", _circle_in_words([names[pk].name for pk in path]))


def _path_back(start: int, asked: Mapping[int, set[int]]) -> list[int]:
    """From a segment along what the rules ask about, until it meets itself; empty when it does not."""
    trail: dict[int, int] = {}
    waiting = [start]
    while waiting:
        at = waiting.pop()
        for other in sorted(asked.get(at, ())):
            if other == start:
                return _trail_to(at, start, trail)
            if other not in trail:
                trail[other] = at
                waiting.append(other)
    return []


def _trail_to(end: int, start: int, trail: Mapping[int, int]) -> list[int]:
    path = [end]
    while path[-1] != start:
        path.append(trail[path[-1]])
    return path[::-1]


def _circle_in_words(names: list[str]) -> str:
    if len(names) == 1:
        return f"“{names[0]}” cannot ask about itself. Remove that condition."
    steps = ", which asks about ".join(f"“{name}”" for name in [*names[1:], names[0]])
    return f"“{names[0]}” asks about {steps}: its members would depend on themselves. Remove one of these conditions."


def _readable(segment: Segment, fields: FieldSet) -> Rule | None:
    return parsed_rule(segment.rule, fields=fields, subject=Subject(segment.scope))


def parsed_rule(stored: Any, *, fields: FieldSet, subject: Subject) -> Rule | None:
    """None where there is none, or it cannot be asked any more."""
    try:
        return None if stored is None else parse(stored, fields=fields, subject=subject)
    except RuleErrors:
        return None
