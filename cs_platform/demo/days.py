"""Sixty days of the demo workspace, lived by the real engine with the clock passed in.

Before them stands a year of what customers paid (past.py). Then their calls come in day by day, the night's evaluation
enrolls, actions are applied on their day, and the team does its work in between. Nothing is written by hand; mail of
this past leaves to nobody.
"""

import copy
import json
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from accounts.ingest import by_day, ingest_calls, read_calls, shift_to_today
from accounts.sources import EXPORTS
from actions.base import DeliveryOutcome, ExternalAction
from cs_platform.connectors.base import Outcome, Sent
from cs_platform.demo.customers import Customers
from cs_platform.demo.nps import ask_users
from cs_platform.demo.past import as_signed, tell_the_past
from cs_platform.demo.plans import set_up_plans, start_plans_of
from cs_platform.demo.standing import take_stock
from cs_platform.demo.task_lists import set_up_task_lists
from cs_platform.demo.team import Team
from cs_platform.demo.views import save_views
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Membership, Tenant, WorkDue
from playbooks.audience import count_matching
from playbooks.evaluation import evaluate_if_due
from playbooks.pump import pump
from playbooks.schedule import instant
from playbooks.versions import import_playbook, publish, set_live

EXPORT = Path(__file__).resolve().parents[2] / "data" / "segment-export.ndjson.gz"
PLAYBOOKS = Path(__file__).parent / "playbooks"
LIVED_DAYS = 60
STRAYS = "u_lone_"  # users of the export at no account: they test taking data in, and are nobody to open a demo with


class NobodysPost:
    """The transport of the simulated past: it takes every letter and sends none."""

    def send(self, letter: Any) -> Outcome:
        return Sent("simulated")


def deliver_to_nobody(action: ExternalAction, payload: Any) -> DeliveryOutcome:
    past = copy.copy(action)
    past.transport = NobodysPost()  # type: ignore[attr-defined]
    return past.deliver(payload)


def live_through(tenant: Tenant, *, now: datetime) -> Iterator[str]:
    """Yields a line for a person per week lived."""
    zone = ZoneInfo(tenant.timezone)
    shift = shift_to_today(EXPORT, now=now)
    first = now.astimezone(zone).date() - timedelta(days=LIVED_DAYS)
    before: list[Any] = []
    team: Team | None = None
    customers = Customers()
    for day, calls in by_day(calls_of_customers(), zone=zone, shift=shift):
        if day < first:
            before += calls
            continue
        if team is None:
            tell_the_past(before, tenant=tenant, first=day, shift=shift)
            ingest_calls(before, tenant=tenant, source=EXPORTS, now=instant(day, time(0), tenant.timezone), shift=shift)
            take_stock(tenant, now=instant(day, time(4), tenant.timezone))
            set_up_plans(tenant, now=instant(day, time(4, 30), tenant.timezone))
            go_live(tenant, now=instant(day, time(5), tenant.timezone))
            team = Team.of(tenant)
            yield "playbooks are live"
        _live_a_day(tenant, team, day, customers.as_they_are(calls), shift=shift, now=now)
        _let_customers_act(tenant, customers, day, now=now)
        if day.weekday() == 6:
            yield f"lived until {day:%-d %B}"
    set_up_task_lists(tenant, now=now)
    save_views(tenant, now=now)
    answers = ask_users(tenant, ours_since=instant(first, time(0), tenant.timezone), now=now)
    yield f"{answers} users said whether they would recommend us"


def calls_of_customers() -> Iterator[Any]:
    for call in read_calls(EXPORT):
        if not (isinstance(call, dict) and str(call.get("userId")).startswith(STRAYS)):
            yield as_signed(call)


def _live_a_day(tenant: Tenant, team: Team, day: Any, calls: list[Any], *, shift: timedelta, now: datetime) -> None:
    """Night: evaluation. Nine: the day's actions. Afternoon: people. Evening: what they set off, and new calls."""
    hours = {hour: min(instant(day, time(hour, 5), tenant.timezone), now) for hour in (6, 9, 15, 16, 23)}
    if hours[6] < now:
        evaluate_if_due(tenant, now=hours[6])
    _work(hours[9])
    if hours[15] < now:
        start_plans_of(tenant, (now.date() - day).days, now=hours[15])
        with tenant_context(tenant.pk):
            team.work(now=hours[15])
        _work(hours[16])
    ingest_calls(calls, tenant=tenant, source=EXPORTS, now=hours[23], shift=shift)


def _let_customers_act(tenant: Tenant, customers: Customers, day: date, *, now: datetime) -> None:
    """Their dates are of today already, unlike those of the export."""
    at = min(instant(day, time(17), tenant.timezone), now)
    with tenant_context(tenant.pk):
        calls = customers.act(day, at=at)
    ingest_calls(calls, tenant=tenant, source=EXPORTS, now=at)


def _work(moment: datetime) -> None:
    for queue in (WorkDue.Queue.APPLY, WorkDue.Queue.DELIVER, WorkDue.Queue.APPLY):
        pump(queue, clock=lambda: moment, deliver=deliver_to_nobody)


def go_live(tenant: Tenant, *, now: datetime) -> None:
    """Through the same door as everybody: published, counted, set live with the number that was shown."""
    with tenant_context(tenant.pk):
        admin = Membership.objects.in_tenant(tenant.pk).get(role="admin")
        for file in sorted(PLAYBOOKS.glob("*.json")):
            playbook = import_playbook(json.loads(file.read_text()), by=admin, now=now)
            version = publish(playbook, by=admin, now=now)
            count = count_matching(version, tenant=tenant, now=now)
            set_live(playbook, by=admin, now=now, expected_count=count)
