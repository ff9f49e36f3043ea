"""What the export leaves out: the year before the demo's sixty days, and that customers sign.

The year is told by the same integration: what customers paid, when they renewed, and who left. It ends where the export
begins, so all of it is what the export says by then. Chance is seeded by the customer, so that every load of the demo
tells the same story.
"""

import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Any

from accounts.ingest import ingest_calls
from accounts.sources import EXPORTS
from cs_platform.tenancy.models import Tenant
from playbooks.schedule import instant

TOLD_DAYS = 400
YEAR = timedelta(days=365)
GREW, SHRANK = 0.3, 0.12
SIGNING = range(-10, 45)  # days before a renewal in which it is signed, if it ever is
SIGNED = 0.45
Call = dict[str, Any]


def tell_the_past(calls: Iterable[Any], *, tenant: Tenant, first: date, shift: timedelta) -> None:
    """`calls` say how customers are on the day `first`. A week's calls are taken in on its last evening."""
    told = sorted(
        _calls_before(_customers(calls), first - shift), key=lambda call: (call["timestamp"], call["groupId"])
    )
    for sunday, week in groupby(told, key=lambda call: _sunday(date.fromisoformat(call["timestamp"][:10]) + shift)):
        evening = instant(min(sunday, first - timedelta(days=1)), time(23), tenant.timezone)
        ingest_calls(week, tenant=tenant, source=EXPORTS, now=evening, shift=shift)


def as_signed(call: Any) -> Any:
    """Of those whom the export tells of within weeks of their renewal, some have renewed by then."""
    if not isinstance(call, dict) or call.get("type") != "group":
        return call
    renewal, told = _day(call["traits"].get("renewal_date")), _day(str(call.get("timestamp"))[:10])
    if renewal is None or told is None or (renewal - told).days not in SIGNING:
        return call
    if _number("signs", str(call["groupId"]), 1_000) >= SIGNED * 1_000:
        return call
    return {**call, "traits": {**call["traits"], "renewal_date": (renewal + YEAR).isoformat()}}


def _sunday(day: date) -> date:
    return day + timedelta(days=6 - day.weekday())


def _customers(calls: Iterable[Any]) -> list[Call]:
    """Those with a contract, as they were told of last."""
    newest = {call["groupId"]: call for call in calls if isinstance(call, dict) and call.get("type") == "group"}
    return [call for call in newest.values() if call["traits"].get("status") in ("subscribed", "churned")]


def _calls_before(customers: Iterable[Call], last: date) -> Iterator[Call]:
    begin = last - timedelta(days=TOLD_DAYS)
    for customer in customers:
        traits, id = customer["traits"], str(customer["groupId"])
        paid = _amount(traits.get("mrr"))
        if paid is None or not str(traits.get("createdAt")) < begin.isoformat():
            continue
        if traits["status"] == "churned":
            left = begin + timedelta(days=30 + _number("left", id, TOLD_DAYS - 60))
            due = left if traits.get("contract") == "annual" else None
            yield _told(customer, begin, status="subscribed", mrr=paid, renewal_date=due and due.isoformat())
            yield _told(customer, left, status="churned", mrr=paid, renewal_date=None)
        elif (renewal := _day(traits.get("renewal_date"))) and traits.get("contract") == "annual":
            due = renewal - YEAR
            signed = min(due + timedelta(days=_number("signed", id, 36) - 25), last - timedelta(days=1))
            yield _told(customer, begin, mrr=_before(paid, id), renewal_date=due.isoformat())
            if signed > begin:
                yield _told(customer, signed, mrr=paid, renewal_date=renewal.isoformat())
        else:
            yield _told(customer, begin, mrr=paid)


def _told(customer: Call, day: date, **traits: Any) -> Call:
    moment = datetime.combine(day, time(12)).isoformat() + "Z"
    return {
        **customer,
        "messageId": f"past-{customer['groupId']}-{day}",
        "traits": {**customer["traits"], **traits},
        "timestamp": moment,
        "sentAt": moment,
    }


def _before(paid: float, id: str) -> float:
    """What they paid until they renewed."""
    chance = _number("grew", id, 1_000) / 1_000
    factor = 1 + _number("by", id, 35) / 100
    return round(paid / factor if chance < GREW else paid * factor if chance > 1 - SHRANK else paid, 2)


def _amount(value: Any) -> float | None:
    """The export writes some amounts as people do."""
    with suppress(ValueError):
        return float(str(value).replace(",", ""))
    return None


def _day(value: Any) -> date | None:
    with suppress(ValueError):
        return date.fromisoformat(str(value))
    return None


def _number(what: str, id: str, below: int) -> int:
    return zlib.crc32(f"{what} {id}".encode()) % below
