"""A batch of calls, added up in memory: news per account and user, ties between them, events per day."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from accounts.ingest.calls import Call
from accounts.ingest.definitions import ACCOUNT, SAMPLES, USER, Definitions, Key, is_from_integration, is_usable
from accounts.ingest.merge import News
from accounts.ingest.problems import Problems
from accounts.ingest.reading import NESTED, Refused, Terms, read
from accounts.models import TraitDefinition

Pair = tuple[str, str]  # user, group
EventKey = tuple[str, date, str, str]  # event, day, group or "", user or ""

EDITED_HERE = "edited here: integrations do not write it"
UNSUBSCRIBED = "unsubscribed"
ROLE = "role"


@dataclass(slots=True)
class TieNews:
    seen_at: datetime | None = None
    role: Any = None
    role_at: datetime | None = None

    def say_role(self, role: str | None, at: datetime) -> None:
        if self.role_at is None or (at, role or "") > (self.role_at, self.role or ""):
            self.role, self.role_at = role, at


@dataclass(slots=True)
class EventNews:
    count: int
    last_at: datetime


@dataclass(slots=True)
class Batch:
    definitions: Definitions
    terms: Terms
    problems: Problems = field(default_factory=Problems)
    accounts: dict[str, News] = field(default_factory=dict)
    users: dict[str, News] = field(default_factory=dict)
    ties: dict[Pair, TieNews] = field(default_factory=dict)
    events: dict[EventKey, EventNews] = field(default_factory=dict)

    def add(self, call: Call) -> None:
        at = call.at + self.terms.shift
        account = _news(self.accounts, call.group_id, at) if call.group_id else None
        user = _news(self.users, call.user_id, at) if call.user_id else None
        tie = self._tie(call.user_id, call.group_id) if account and user else None
        if call.type == "group":
            self._say(account, ACCOUNT, call, at)
            return
        for seen in (account, user):
            if seen:
                seen.see(at)
        if tie and (tie.seen_at is None or at > tie.seen_at):
            tie.seen_at = at
        if call.type == "identify":
            self._say(user, USER, call, at)
        else:
            self._count(call, at)

    def _tie(self, user_id: str, group_id: str) -> TieNews:
        tie = self.ties.get((user_id, group_id))
        if tie is None:
            tie = self.ties[user_id, group_id] = TieNews()
        return tie

    def _count(self, call: Call, at: datetime) -> None:
        key = (call.event, at.astimezone(self.terms.zone).date(), call.group_id, call.user_id)
        known = self.events.get(key)
        if known is None:
            self.events[key] = EventNews(1, at)
        else:
            known.count += 1
            known.last_at = max(known.last_at, at)

    # --- traits ---

    def _say(self, news: News | None, scope: str, call: Call, at: datetime) -> None:
        assert news is not None  # the door has refused calls without their subject
        for key, raw in call.traits.items():
            definition = self.definitions.known.get((scope, key))
            if definition is None:
                self._say_unknown(scope, key, raw)
            elif not is_from_integration(definition):
                self.problems.refused(scope, key, EDITED_HERE, raw)
            else:
                self._say_known(news, definition, raw, call, at)

    def _say_unknown(self, scope: str, key: str, raw: Any) -> None:
        """Nothing, said of a key nobody knows, means nothing."""
        if raw in (None, "", []):
            return
        reason = NESTED if isinstance(raw, dict | list) else self.definitions.why_not(key)
        self.problems.refused(scope, key if is_usable(key) else "(unusable)", reason, {key: raw})

    def _say_known(self, news: News, definition: TraitDefinition, raw: Any, call: Call, at: datetime) -> None:
        try:
            value, note = read(raw, definition, terms=self.terms)
        except Refused as refusal:
            self.problems.refused(definition.scope, definition.key, str(refusal), raw)
            return
        if note:
            self.problems.coerced(definition.scope, definition.key, note, raw)
        if definition.column == ROLE and call.group_id:
            self._tie(call.user_id, call.group_id).say_role(value, at)
            return
        news.say(definition.key, value, at)
        if definition.key == UNSUBSCRIBED and definition.scope == USER:
            news.unsubscribed.append((at, value is True))


def unknown_samples(calls: Iterable[Call], known: Mapping[Key, TraitDefinition]) -> dict[Key, list[Any]]:
    """The values that keys nobody knows came with, as many as it takes to tell their types."""
    samples: dict[Key, list[Any]] = {}
    for call in calls:
        scope = ACCOUNT if call.type == "group" else USER
        for key, value in call.traits.items():
            if value is not None and (scope, key) not in known:
                values = samples.setdefault((scope, key), [])
                if len(values) < SAMPLES:
                    values.append(value)
    return samples


def _news(known: dict[str, News], external_id: str, at: datetime) -> News:
    news = known.get(external_id)
    if news is None:
        news = known[external_id] = News(first_at=at)
    elif at < news.first_at:
        news.first_at = at
    return news
