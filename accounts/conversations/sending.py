"""When a playbook's message may leave: inside the sending hours, not too many from one mailbox, not too close together.

Asked last thing before the call, one worker of the workspace at a time, so that two cannot both see room for one more.
"""

from bisect import insort
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from accounts.conversations.models import Conversation, SendingPolicy
from cs_platform.tenancy.audit import record
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer
from cs_platform.workspace.holidays import load_holidays, working_day

HOUR = timedelta(hours=1)
_GONE = (Conversation.State.SENDING, Conversation.State.SENT)


def the_policy() -> SendingPolicy:
    return SendingPolicy.objects.first() or SendingPolicy()


@dataclass(frozen=True, slots=True)
class Hours:
    """The sending hours, on working days where the policy says so."""

    policy: SendingPolicy
    holidays: Collection[date]

    @classmethod
    def of(cls, policy: SendingPolicy, *, now: datetime) -> "Hours":
        return cls(policy, load_holidays(since=now.date() - timedelta(days=1)) if policy.weekdays_only else ())

    def next_open(self, at: datetime, timezone: str) -> datetime:
        """The moment itself while they last, else when they begin next."""
        zone = ZoneInfo(timezone)
        day = self._open_day(at.astimezone(zone).date())
        if at >= _clock(day, self.policy.closes_at, zone):
            day = self._open_day(day + timedelta(days=1))
        return max(at, _clock(day, self.policy.opens_at, zone))

    def _open_day(self, day: date) -> date:
        return working_day(day, self.holidays) if self.policy.weekdays_only else day


def _clock(day: date, hour: int, zone: ZoneInfo) -> datetime:
    """24 is the next day's midnight; an hour that is skipped becomes the one after the gap."""
    return datetime.combine(day + timedelta(days=hour // 24), time(hour % 24), zone).astimezone(ZoneInfo("UTC"))


@dataclass(slots=True)
class Traffic:
    """What left lately, by mailbox and by recipient; what is let through counts at once."""

    policy: SendingPolicy
    now: datetime
    by_mailbox: dict[int, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    last_to: dict[int, datetime] = field(default_factory=dict)

    @classmethod
    def lately(
        cls, policy: SendingPolicy, *, senders: Collection[int | None], users: Collection[int | None], now: datetime
    ) -> "Traffic":
        _one_at_a_time()
        found = cls(policy, now)
        left = Conversation.objects.filter(state__in=_GONE, origin_run_id__isnull=False)
        mailboxes = left.filter(sender__in=senders, sending_at__gt=now - HOUR)
        for sender_id, at in mailboxes.order_by("sending_at").values_list("sender_id", "sending_at"):
            found.by_mailbox[sender_id].append(at)
        since = now - timedelta(hours=policy.hours_between)
        people = left.filter(end_user__in=users, sending_at__gt=since)
        found.last_to = dict(people.order_by("sending_at").values_list("end_user_id", "sending_at"))
        return found

    def free_at(self, sender_id: int | None, user_id: int | None) -> datetime:
        """When this one may leave; now, if nothing stands against it."""
        mailbox = self.by_mailbox[sender_id or 0]
        full = len(mailbox) >= self.policy.mails_an_hour
        free = mailbox[-self.policy.mails_an_hour] + HOUR if full else self.now
        last = self.last_to.get(user_id or 0)
        return max(free, last + timedelta(hours=self.policy.hours_between)) if last else free

    def leaves(self, sender_id: int | None, user_id: int | None) -> None:
        insort(self.by_mailbox[sender_id or 0], self.now)
        self.last_to[user_id or 0] = self.now


def _one_at_a_time() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{current_tenant_id()}:mail"])


# --- settings ---------------------------------------------------------------------------------------------------------


def change_policy(*, by: Doer, now: datetime, **changes: Any) -> SendingPolicy:
    """Sets what is named; the rest stays."""
    held = the_policy()
    before = {name: getattr(held, name) for name in changes}
    policy, _made = SendingPolicy.objects.update_or_create(tenant_id=current_tenant_id(), defaults=changes)
    if before != changes:
        about = {"subject_type": "sending_policy", "subject_id": policy.pk, "name": "Sending hours and limits"}
        record(verb="sending_policy.changed", **about, before=before, after=changes, by=by, now=now)
    return policy
