"""What the report lists: answers, newest first, narrowed as its address says; on the page and as a file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Self

from django.db.models import QuerySet

from accounts.models import Account, NpsResponse, Segment
from accounts.nps.scores import Group, answers_in, group_of, in_group
from accounts.places import Place, older_than

PAGE_SIZE = 50
MOST_IN_FILE = 10_000
SEARCH_LIMIT = 100
_HEAD = (
    "answered_at",
    "score",
    "group",
    "comment",
    "user_id",
    "user",
    "email",
    "account_id",
    "account",
    "source",
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which answers. Score and trend follow account and segment; the list follows all of it."""

    group: Group | None = None
    segment: Segment | None = None
    account: Account | None = None
    search: str = ""

    @property
    def base(self) -> QuerySet[NpsResponse]:
        return answers_in(self.segment, account_id=self.account.pk if self.account else None)

    @property
    def listed(self) -> QuerySet[NpsResponse]:
        answers = in_group(self.base, self.group) if self.group else self.base
        if self.search:
            answers = answers.filter(comment__icontains=self.search)
        people = ("end_user__name", "end_user__email", "end_user__external_id", "end_user__tenant_id")
        fields = ("score", "comment", "answered_at", "source", *people, "account__name", "account__external_id")
        return answers.select_related("end_user", "account").only("tenant_id", "account__tenant_id", *fields)


@dataclass(frozen=True, slots=True)
class Page:
    answers: Sequence[NpsResponse]
    next: Place | None

    @classmethod
    def of(cls, wanted: Wanted, *, after: Place | None) -> Self:
        answers = wanted.listed
        if after:
            answers = answers.filter(older_than(after, "answered_at"))
        found = list(answers.order_by("-answered_at", "-pk")[: PAGE_SIZE + 1])
        shown = found[:PAGE_SIZE]
        return cls(shown, Place(shown[-1].answered_at, shown[-1].pk) if len(found) > PAGE_SIZE else None)


def lines(wanted: Wanted) -> Iterator[Sequence[str]]:
    """Head and answers for a file; at most as many as it takes."""
    yield _HEAD
    for one in wanted.listed.order_by("-answered_at", "-pk")[:MOST_IN_FILE]:
        yield (
            one.answered_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            str(one.score),
            group_of(one.score),
            one.comment,
            one.end_user.external_id,
            one.end_user.name,
            one.end_user.email or "",
            one.account.external_id if one.account else "",
            one.account.name if one.account else "",
            one.source,
        )
