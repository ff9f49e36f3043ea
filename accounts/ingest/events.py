"""Tracked events as daily counts: added to what is there, each message once."""

from collections.abc import Iterable, Mapping
from datetime import date

from django.db import connection

from accounts.ingest.definitions import KEY_LIMIT
from accounts.ingest.gather import EventKey, EventNews
from accounts.ingest.problems import OTHERS, Problems
from accounts.ingest.rows import as_json, whole_second
from accounts.models import EventType

CountKey = tuple[int, date, int | None, int | None]  # event type, day, account, user

NAMES_LIMIT = 5_000

SEVERAL_ACCOUNTS = "names no account, and its user belongs to several: counted for the user only"
TOO_MANY_NAMES = f"the workspace already has {NAMES_LIMIT:,} events"


def ensure_types(names: Iterable[str]) -> dict[str, int]:
    """Event name -> id; names beyond the limit are left out."""
    wanted = sorted(set(names))
    found = dict(EventType.objects.filter(name__in=wanted).values_list("name", "id"))
    missing = [name for name in wanted if name not in found]
    if not missing:
        return found
    room = max(NAMES_LIMIT - EventType.objects.count(), 0)
    made = EventType.objects.bulk_create([EventType(name=name) for name in missing[:room]])
    return found | {type.name: type.pk for type in made}


def write(
    events: Mapping[EventKey, EventNews],
    *,
    accounts: Mapping[str, int],
    users: Mapping[str, int],
    homes: Mapping[int, list[int]],
    tenant_id: int,
    problems: Problems,
) -> None:
    """`homes`: the accounts of those users who did something without naming one."""
    types = ensure_types(event for event, *_ in events)
    counts: dict[CountKey, EventNews] = {}
    for (event, day, group, user), news in events.items():
        if event not in types:
            problems.refused("event", OTHERS, TOO_MANY_NAMES, event, news.count)
            continue
        user_id = users[user] if user else None
        account_id = accounts[group] if group else _home(event, user, homes.get(user_id or 0, []), news, problems)
        _add(counts, (types[event], day, account_id, user_id), news)
    _upsert(counts, tenant_id)


def _home(event: str, user: str, accounts: list[int], news: EventNews, problems: Problems) -> int | None:
    if len(accounts) > 1:
        problems.refused("event", event[:KEY_LIMIT], SEVERAL_ACCOUNTS, {"userId": user}, news.count)
    return accounts[0] if len(accounts) == 1 else None


def _add(counts: dict[CountKey, EventNews], key: CountKey, news: EventNews) -> None:
    known = counts.setdefault(key, EventNews(0, news.last_at))
    known.count += news.count
    known.last_at = max(known.last_at, news.last_at)


def _upsert(counts: Mapping[CountKey, EventNews], tenant_id: int) -> None:
    rows = [
        {
            "event": event,
            "day": day,
            "account": account,
            "user": user,
            "count": news.count,
            "last_at": whole_second(news.last_at),
        }
        for (event, day, account, user), news in counts.items()
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO accounts_eventcount AS t
                (tenant_id, event_type_id, day, account_id, end_user_id, count, last_at)
            SELECT %s, s.event, s.day, s.account, s."user", s.count, s.last_at
            FROM json_to_recordset(%s)
                AS s(event bigint, day date, account bigint, "user" bigint, count int, last_at timestamptz)
            ORDER BY s.event, s.day, s.account, s."user"
            ON CONFLICT (tenant_id, event_type_id, day, account_id, end_user_id) DO UPDATE SET
                count = t.count + EXCLUDED.count, last_at = GREATEST(t.last_at, EXCLUDED.last_at)
            """,
            [tenant_id, as_json(rows)],
        )
