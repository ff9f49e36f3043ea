"""How Python comes by what a rule asks: by a query each time, or by loading everything for a chunk beforehand."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.db.models import Sum

from accounts.models import Account, AccountUser, EventCount, Indicator
from cs_platform.bench.evaluator import TODAY
from cs_platform.bench.profiles import DAYS_OF_EVENTS

CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class Person:
    """A user at an account: role and last seen belong to the tie, the rest to the user."""

    tie: AccountUser

    def value(self, attribute: str) -> Any:
        return getattr(self.tie if attribute in ("role", "last_seen_at") else self.tie.end_user, attribute)


@dataclass(frozen=True, slots=True)
class AskingSubject:
    """One query per question, as code looks that was written account by account."""

    account: Account

    def value(self, attribute: str) -> Any:
        return getattr(self.account, attribute)

    def times(self, event: str, days: int) -> int:
        counts = EventCount.objects.filter(account=self.account, event_type__name=event, day__lte=TODAY)
        return counts.filter(day__gte=TODAY - timedelta(days=days)).aggregate(n=Sum("count"))["n"] or 0

    def has_indicator(self, title: str) -> bool:
        return Indicator.objects.filter(account=self.account, title=title, state="active").exists()

    def people(self) -> Iterator[Person]:
        return map(Person, AccountUser.objects.filter(account=self.account).select_related("end_user"))


@dataclass(slots=True)
class LoadedSubject:
    account: Account
    history: dict[str, list[tuple[date, int]]] = field(default_factory=lambda: defaultdict(list))
    indicators: set[str] = field(default_factory=set)
    ties: list[Person] = field(default_factory=list)

    def value(self, attribute: str) -> Any:
        return getattr(self.account, attribute)

    def times(self, event: str, days: int) -> int:
        since = TODAY - timedelta(days=days)
        return sum(count for day, count in self.history[event] if since <= day <= TODAY)

    def has_indicator(self, title: str) -> bool:
        return title in self.indicators

    def people(self) -> Iterable[Person]:
        return self.ties


def asking(account_ids: Sequence[int]) -> Iterator[AskingSubject]:
    return map(AskingSubject, Account.objects.filter(pk__in=account_ids))


def loaded(account_ids: Sequence[int]) -> Iterator[LoadedSubject]:
    """Four queries per chunk; of events only what a rule could ask about."""
    for start in range(0, len(account_ids), CHUNK):
        yield from _load(account_ids[start : start + CHUNK]).values()


def _load(ids: Sequence[int]) -> dict[int, LoadedSubject]:
    subjects = {account.pk: LoadedSubject(account) for account in Account.objects.filter(pk__in=ids)}
    recent = EventCount.objects.filter(account__in=ids, day__gte=TODAY - timedelta(days=DAYS_OF_EVENTS))
    for account_id, event, day, count in recent.values_list("account_id", "event_type__name", "day", "count"):
        subjects[account_id].history[event].append((day, count))
    active = Indicator.objects.filter(account__in=ids, state="active")
    for account_id, title in active.values_list("account_id", "title"):
        subjects[account_id].indicators.add(title)
    for tie in AccountUser.objects.filter(account__in=ids).select_related("end_user"):
        subjects[tie.account_id].ties.append(Person(tie))
    return subjects
