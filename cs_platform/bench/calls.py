"""Segment calls of made-up customers: the nth is always the same."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import orjson

from cs_platform.bench.profiles import NOW, USERS_PER_ACCOUNT

ROUND = 20  # calls: a group, three identifies, sixteen tracks
ACCOUNTS_EACH = 5  # rounds an account comes up in
BATCH = 100  # calls, as Segment's libraries send them
PLANS = ("Starter", "Team", "Business", "Enterprise")
EVENTS = ("Report Created", "Dashboard Viewed", "Project Shared", "Invoice Exported")


def accounts_in(calls: int) -> int:
    return max(1, calls // (ROUND * ACCOUNTS_EACH))


def call(number: int, accounts: int) -> dict[str, Any]:
    turn, place = divmod(number, ROUND)
    account = turn % accounts
    user = f"u-{account}-{place % USERS_PER_ACCOUNT}"
    said = {"messageId": f"m-{number}", "timestamp": _moment(number), "context": {"groupId": f"acc-{account}"}}
    if place == 0:
        return said | {"type": "group", "groupId": f"acc-{account}", "traits": _account_traits(account, turn)}
    if place <= USERS_PER_ACCOUNT:
        return said | {"type": "identify", "userId": user, "traits": _user_traits(account, place)}
    return said | {"type": "track", "userId": user, "event": EVENTS[number % len(EVENTS)], "properties": {"n": number}}


def _moment(number: int) -> str:
    moment: datetime = NOW - timedelta(days=30) + timedelta(seconds=number)
    return moment.isoformat()


def _account_traits(account: int, turn: int) -> dict[str, Any]:
    return {
        "name": f"Account {account}",
        "plan": PLANS[turn % len(PLANS)],
        "mrr": 100 * (account % 90),
        "seats": turn,
        "industry": ("Software", "Retail", "Logistics")[account % 3],
        "renewal_date": f"2026-{1 + account % 12:02}-15",
        "products": ["api", "reports"][: 1 + account % 2],
        "is_pilot": account % 7 == 0,
    }


def _user_traits(account: int, place: int) -> dict[str, Any]:
    return {"name": f"User {place}", "email": f"u{place}@acc-{account}.example", "title": "Analyst", "role": "member"}


def batches(calls: int) -> Iterator[bytes]:
    accounts = accounts_in(calls)
    for first in range(0, calls, BATCH):
        items = [call(number, accounts) for number in range(first, min(first + BATCH, calls))]
        yield orjson.dumps({"batch": items})


def lines(size: int) -> Iterator[bytes]:
    """Newline-delimited JSON of about so many bytes."""
    written, number = 0, 0
    while written < size:
        line = orjson.dumps(call(number, accounts=20_000)) + b"\n"
        yield line
        written, number = written + len(line), number + 1
