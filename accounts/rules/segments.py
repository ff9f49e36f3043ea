"""Who is in which segment: one field per segment, and one for all of them together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from accounts.rules.fields import Field, FieldType, Subject
from accounts.rules.grammar import Leaf
from accounts.rules.sql import Clock, Sql, compose

ALL = "segments"
GROUP = "Segments"
PREFIX = "segment:"
_SUBJECTS = {Subject.ACCOUNT: "m.account_id", Subject.USER: "m.end_user_id"}

Listed = tuple[int, str, str, bool]  # id, name, scope, archived


def _members(subject: Subject, tenant_id: int) -> Sql:
    """FROM and WHERE: who is in a segment now."""
    return Sql(
        f"accounts_segmentmembership m WHERE m.tenant_id = {int(tenant_id)} AND m.left_at IS NULL"
        f" AND {_SUBJECTS[subject]} IS NOT NULL"
    )


@dataclass(frozen=True, slots=True)
class SegmentRelation:
    """Whether a subject is in one segment; shown is the moment it came in."""

    segment_id: int
    subject: Subject

    def hits(self, leaf: Leaf, *, tenant_id: int, clock: Clock) -> Sql:
        return compose(f"SELECT {_SUBJECTS[self.subject]} FROM {{members}}", members=self._of_this(tenant_id))

    def current(self, leaf: Leaf, subject_id: Sql, *, tenant_id: int, clock: Clock) -> Sql | None:
        return compose(
            f"(SELECT m.entered_at FROM {{members}} AND {_SUBJECTS[self.subject]} = {{subject}})",
            members=self._of_this(tenant_id),
            subject=subject_id,
        )

    def _of_this(self, tenant_id: int) -> Sql:
        return compose(
            f"{{members}} AND m.segment_id = {int(self.segment_id)}", members=_members(self.subject, tenant_id)
        )


@dataclass(frozen=True, slots=True)
class SegmentsRelation:
    """The segments a subject is in, as a list of their ids."""

    subject: Subject

    def hits(self, leaf: Leaf, *, tenant_id: int, clock: Clock) -> Sql:
        wanted = sorted({int(value) for value in leaf.values})
        return compose(
            f"SELECT {_SUBJECTS[self.subject]} FROM {{members}} AND m.segment_id IN ({{wanted}}){{all_of_them}}",
            members=_members(self.subject, tenant_id),
            wanted=Sql.values(wanted) if wanted else self._present(tenant_id),
            all_of_them=Sql(f" GROUP BY 1 HAVING count(*) = {len(wanted)}" if self._asks_for_all(leaf) else ""),
        )

    def current(self, leaf: Leaf, subject_id: Sql, *, tenant_id: int, clock: Clock) -> Sql | None:
        return compose(
            "(SELECT array_agg(s.name ORDER BY s.name) FROM accounts_segment s WHERE s.archived_at IS NULL AND s.id IN"
            f" (SELECT m.segment_id FROM {{members}} AND {_SUBJECTS[self.subject]} = {{subject}}))",
            members=_members(self.subject, tenant_id),
            subject=subject_id,
        )

    def _asks_for_all(self, leaf: Leaf) -> bool:
        return leaf.operator.family == "containment"

    def _present(self, tenant_id: int) -> Sql:
        return Sql(
            f"SELECT s.id FROM accounts_segment s WHERE s.tenant_id = {int(tenant_id)} AND s.archived_at IS NULL"
        )


@dataclass(frozen=True)
class SegmentFields:
    """`segment:<id>` and `segments`, for accounts and users each with theirs.

    An archived segment is not offered any more; rules that ask about it go on with the members it had.
    """

    segments: Iterable[Listed]

    @cached_property
    def _listed(self) -> list[Listed]:
        return list(self.segments)

    def fields(self, subject: Subject) -> Iterable[Field]:
        offered = [self._field(subject, one) for one in self._of(subject) if not one[3]]
        return [self._all(subject), *offered] if offered else []

    def find(self, subject: Subject, key: str) -> Field | None:
        if key == ALL and self._of(subject):
            return self._all(subject)
        if not key.startswith(PREFIX):
            return None
        found = (one for one in self._of(subject) if key == f"{PREFIX}{one[0]}")
        return next((self._field(subject, one) for one in found), None)

    def _of(self, subject: Subject) -> list[Listed]:
        return [one for one in self._listed if one[2] == subject.value]

    def _field(self, subject: Subject, one: Listed) -> Field:
        source = SegmentRelation(one[0], subject)
        return Field(f"{PREFIX}{one[0]}", _label(one), FieldType.SEGMENT, subject, source, group=GROUP)

    def _all(self, subject: Subject) -> Field:
        choices = tuple((str(one[0]), _label(one)) for one in self._of(subject))
        return Field(ALL, "Segments", FieldType.LIST, subject, SegmentsRelation(subject), choices, group=GROUP)


def _label(one: Listed) -> str:
    _id, name, _scope, is_archived = one
    return f"{name} (archived)" if is_archived else name
