"""Work of somebody who leaves, given to a colleague: each layer says what it has, and hands it over."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from cs_platform.tenancy.audit import record
from cs_platform.tenancy.models import Membership


class WorkSource(Protocol):
    def counts(self, member: Membership) -> Sequence[tuple[str, int]]:
        """What is theirs: ("accounts as CSM", 12). Nothing that is none."""

    def hand_over(self, member: Membership, to: Membership, *, by: Membership, now: datetime) -> None:
        """All of it, in this transaction; each thing's own history says so."""


@dataclass(frozen=True, slots=True)
class Work:
    what: str
    count: int


def work_of(member: Membership) -> list[Work]:
    return [Work(what, count) for source in _sources() for what, count in source.counts(member) if count]


def hand_over(member: Membership, to: Membership, *, by: Membership, now: datetime) -> list[Work]:
    given = work_of(member)
    with transaction.atomic():
        for source in _sources():
            source.hand_over(member, to, by=by, now=now)
        after = {"to": to.name} | {work.what: work.count for work in given}
        subject: dict[str, Any] = {"subject_type": "member", "subject_id": member.pk, "name": member.name}
        record(verb="member.handed_over", after=after, by=by, now=now, **subject)
    return given


def _sources() -> list[WorkSource]:
    return [import_string(path)() for path in settings.WORK_SOURCES]
