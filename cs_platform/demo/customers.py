"""What customers do of themselves while the demo is lived: they sign renewals early, and pay what was refused.

Those who have the playbook for it do so somewhat more often than those who were left out to compare, so that there is
something to find. Chance is seeded by the customer and the number of the day, so that every load tells the same story.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from accounts.models import Account, AccountUser
from cs_platform.demo.past import YEAR
from playbooks.models import Enrollment, Withheld

Call = dict[str, Any]
EARLIEST = timedelta(days=60)  # before a renewal
TOO_LATE = timedelta(days=10)  # after it


@dataclass(frozen=True, slots=True)
class Habit:
    """Chances are of ten thousand, a day. `does` says which traits change, or that it is not yet time."""

    playbook: str
    with_it: int
    without: int
    does: Callable[[Account, date], Call | None]


def _sign(account: Account, day: date) -> Call | None:
    due = account.renewal_on
    is_time = due is not None and day - TOO_LATE <= due <= day + EARLIEST
    return {"renewal_date": (due + YEAR).isoformat()} if due and is_time else None


HABITS = (
    Habit("renewal-runway", 420, 250, _sign),
    Habit("failed-payment", 900, 900, lambda _account, _day: {"payment_failed": False}),
)


@dataclass(slots=True)
class Customers:
    """What somebody has done the export does not tell otherwise: it knows nothing of it."""

    done: dict[str, set[str]] = field(default_factory=dict)  # traits, by account
    lived: int = 0  # days

    def act(self, day: date, *, at: datetime) -> list[Call]:
        """Their calls of a day. Inside the workspace's context."""
        self.lived += 1
        return [call for habit in HABITS for call in self._calls(habit, day, at)]

    def _calls(self, habit: Habit, day: date, at: datetime) -> Iterator[Call]:
        mine = {"playbook__key": habit.playbook}
        has_it = set(Enrollment.objects.filter(**mine).values_list("account_id", flat=True))
        goes_without = set(Withheld.objects.filter(**mine).values_list("account_id", flat=True))
        users = dict(
            AccountUser.objects.filter(account__in=has_it | goes_without)
            .order_by("-end_user__external_id")
            .values_list("account_id", "end_user__external_id")
        )
        for account in Account.objects.present().filter(pk__in=users, lifecycle="subscribed").order_by("pk"):
            traits = habit.does(account, day)
            chance = habit.with_it if account.pk in has_it else habit.without
            done = self.done.setdefault(account.external_id, set())
            if traits and not traits.keys() <= done and self._number(habit, account) < chance:
                done.update(traits)
                yield _call(account, users[account.pk], traits, at=at)

    def _number(self, habit: Habit, account: Account) -> int:
        return zlib.crc32(f"{habit.playbook} {account.external_id} {self.lived}".encode()) % 10_000

    def as_they_are(self, calls: Iterable[Any]) -> list[Any]:
        return [self._corrected(call) for call in calls]

    def _corrected(self, call: Any) -> Any:
        if not isinstance(call, dict) or call.get("type") != "group" or call.get("groupId") not in self.done:
            return call
        done = self.done[call["groupId"]]
        return {**call, "traits": {name: value for name, value in call["traits"].items() if name not in done}}


def _call(account: Account, user: str, traits: Call, *, at: datetime) -> Call:
    moment = at.isoformat()
    return {
        "type": "group",
        "messageId": f"of-themselves-{account.external_id}-{'-'.join(traits)}",
        "userId": user,
        "groupId": account.external_id,
        "traits": traits,
        "timestamp": moment,
        "sentAt": moment,
    }
