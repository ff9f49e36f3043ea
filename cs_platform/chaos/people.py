"""What people do meanwhile: days pass, playbooks are stopped (some twice), applied by hand and evaluated; work is done,
and letters are written.

A person who gets an error tries again later, so every act here may meet a database that is down.
"""

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.db import Error, close_old_connections, connection

from accounts.models import Account, AccountUser, Conversation
from accounts.writing import CannotWrite, Written, move, start, ways_for
from cs_platform.chaos.world import say_yes_at_google
from cs_platform.connectors.managing import try_again
from cs_platform.connectors.models import Connector, Mailbox
from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Membership, Tenant, WorkDue
from ctas.models import Task
from playbooks import reviews
from playbooks.enrollment import apply_by_hand
from playbooks.evaluation import evaluate_now
from playbooks.models import Enrollment, Playbook
from playbooks.undo import STOPPABLE, request_stop, request_stops

log = logging.getLogger(__name__)

DAYS = 7
PAUSE = 0.4  # between two acts
AT_ONCE = 5  # enrollments one bulk stop takes

# A day passes for everything that waits, a run due within it is due now: so nothing is ever late by our doing.
_A_DAY_PASSES = """
WITH waiting AS (
    SELECT id FROM playbooks_actionrun WHERE tenant_id = %(tenant)s AND state = 'scheduled'
        AND (due_at > now() OR try_at > now()) ORDER BY id FOR UPDATE SKIP LOCKED
)
UPDATE playbooks_actionrun r
SET due_at = GREATEST(r.due_at - interval '1 day', LEAST(r.due_at, now())),
    try_at = GREATEST(r.try_at - interval '1 day', LEAST(r.try_at, now()))
FROM waiting WHERE r.tenant_id = %(tenant)s AND r.id = waiting.id
"""
# What people wrote waits for its moment, or for another try.
_LETTERS_WAIT_A_DAY_LESS = """
WITH waiting AS (
    SELECT id FROM accounts_conversation WHERE tenant_id = %(tenant)s AND hand_id IS NOT NULL AND state = 'pending'
        AND send_at > now() ORDER BY id FOR UPDATE SKIP LOCKED
)
UPDATE accounts_conversation v SET send_at = GREATEST(v.send_at - interval '1 day', now())
FROM waiting WHERE v.tenant_id = %(tenant)s AND v.id = waiting.id
"""
# For connectors, too: their buckets fill, whoever rests after failures has rested, and is read again.
_CONNECTORS_REST = """
UPDATE connectors_connector
SET filled_at = filled_at - interval '1 day', open_until = open_until - interval '1 day',
    look_at = look_at - interval '1 day'
WHERE tenant_id = %(tenant)s AND archived_at IS NULL
"""
# The tokens of yesterday are good for nothing today.
_TOKENS_END = """
UPDATE connectors_mailbox SET good_until = good_until - interval '1 day', look_at = look_at - interval '1 day'
WHERE tenant_id = %(tenant)s
"""


def let_a_day_pass(tenants: Sequence[Tenant]) -> None:
    for tenant in tenants:
        with tenant_context(tenant.pk):
            with connection.cursor() as cursor:
                for sql in (_CONNECTORS_REST, _TOKENS_END, _A_DAY_PASSES, _LETTERS_WAIT_A_DAY_LESS):
                    cursor.execute(sql, {"tenant": tenant.pk})
            for queue in (WorkDue.Queue.APPLY, WorkDue.Queue.DELIVER):
                WorkDue.announce(tenant_id=tenant.pk, queue=queue, due_at=database_now())


def mend_connectors(tenants: Sequence[Tenant]) -> int:
    """Whoever is told that a connector or the own mailbox refuses us looks after it. Returns how many needed it."""
    mended = 0
    for tenant in tenants:
        with tenant_context(tenant.pk):
            csm = Membership.objects.in_tenant(tenant.pk).get()
            present = Connector.objects.present().select_for_update(no_key=True).order_by("pk")
            mended += sum(try_again(connector, by=csm, now=database_now()) for connector in present)
            if Mailbox.objects.filter(state=Mailbox.State.NEEDS_REAUTH).exists():
                say_yes_at_google(tenant, database_now())
                mended += 1
    return mended


@dataclass(slots=True)
class People(threading.Thread):
    tenants: Sequence[Tenant]
    seed: int
    seconds: float
    done: Counter[str] = field(default_factory=Counter)
    by_hand: set[tuple[int, str]] = field(default_factory=set)  # (workspace, account)
    letters: set[tuple[int, UUID]] = field(default_factory=set)  # (workspace, its id)

    def __post_init__(self) -> None:
        threading.Thread.__init__(self, daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        chance = random.Random(f"people {self.seed}")
        begun, days = time.monotonic(), 0
        acts = [self._stop_some, self._stop_some, self._stop_twice, self._apply, self._evaluate, self._complete_tasks]
        acts += [self._mend, self._write, self._write, self._decide]
        while (passed := time.monotonic() - begun) < self.seconds:
            if passed > self.seconds * (days + 1) / (DAYS + 1):
                days += self._try(lambda: let_a_day_pass(self.tenants))
            else:
                act, tenant = chance.choice(acts), chance.choice(self.tenants)
                self._try(partial(act, tenant, chance))
            time.sleep(PAUSE)
        connection.close()

    def _try(self, act: Callable[[], None]) -> bool:
        close_old_connections()
        try:
            act()
        except Error as error:
            log.info("a person met an error: %s", error)
            connection.close()
            return False
        return True

    def _some(self, chance: random.Random, most: int) -> list[int]:
        ids = list(Enrollment.objects.filter(state__in=STOPPABLE).order_by("pk").values_list("pk", flat=True))
        return chance.sample(ids, min(most, len(ids)))

    def _stop_some(self, tenant: Tenant, chance: random.Random) -> None:
        """Asked for here, carried out by the workers."""
        with tenant_context(tenant.pk):
            now = database_now()
            ids = self._some(chance, AT_ONCE)
            self.done["stops"] += request_stops(ids, tenant_id=tenant.pk, by="person:1", note="", now=now)

    def _stop_twice(self, tenant: Tenant, chance: random.Random) -> None:
        """Carried out at once, as a page does, and asked for again."""
        with tenant_context(tenant.pk):
            ids = self._some(chance, 1)
            csm = Membership.objects.in_tenant(tenant.pk).get()
            for enrollment in Enrollment.objects.filter(pk__in=ids):
                self.done["stops"] += request_stop(enrollment, by=csm, now=database_now())
                self.done["stops accepted twice"] += request_stop(enrollment, by=csm, now=database_now())

    def _apply(self, tenant: Tenant, chance: random.Random) -> None:
        with tenant_context(tenant.pk):
            account = chance.choice(list(Account.objects.filter(health__gte=7).order_by("pk")))
            playbook = Playbook.objects.get(key="renewal")
            if not playbook.enrollments.filter(account=account).exists():
                apply_by_hand(playbook=playbook, account=account, by="person:1", now=database_now())
        self.by_hand.add((tenant.pk, account.external_id))

    def _evaluate(self, tenant: Tenant, chance: random.Random) -> None:
        """While a worker may be evaluating the same workspace."""
        evaluate_now(tenant, by=None, now=database_now())
        self.done["evaluations"] += 1

    def _mend(self, tenant: Tenant, chance: random.Random) -> None:
        self.done["connectors mended"] += mend_connectors([tenant])

    def _write(self, tenant: Tenant, chance: random.Random) -> None:
        """To leave now, or to wait for a look. Now and then the form is handed in twice."""
        id = UUID(int=chance.getrandbits(128), version=4)
        with tenant_context(tenant.pk):
            csm, now = Membership.objects.in_tenant(tenant.pk).get(), database_now()
            tie = chance.choice(list(AccountUser.objects.select_related("account", "end_user").order_by("pk")))
            letter = Written(
                hand_id=id,
                to=tie.end_user,
                sender=csm,
                way=chance.choice(ways_for(csm)).key,
                subject=f"By hand {id}",  # by which the judge knows it again
                body="Hello {{ user.first_name }},\n\nshall we talk?",
                send_at=now + timedelta(days=chance.choice((0, 0, 1, 3))),
            )
            try:
                for _ in range(chance.choice((1, 2))):
                    start(tie.account, letter, by=csm, now=now)
            except CannotWrite:
                return  # to whom mail has bounced by now
        self.letters.add((tenant.pk, id))
        self.done["letters written by hand"] += 1

    def _decide(self, tenant: Tenant, chance: random.Random) -> None:
        """While a worker may be sending it."""
        with tenant_context(tenant.pk):
            csm, now = Membership.objects.in_tenant(tenant.pk).get(), database_now()
            waiting = Conversation.objects.filter(hand_id__isnull=False, state=Conversation.State.PENDING)
            for letter in waiting.order_by("pk")[:AT_ONCE]:
                match chance.choice(("cancelled", "moved", "sent now")):
                    case "cancelled":
                        self.done["letters cancelled"] += reviews.cancel(letter, by=csm, now=now)
                    case "moved":
                        tomorrow = now + timedelta(days=1)
                        self.done["letters moved"] += move(letter, tomorrow, by=csm, now=now)
                    case _:
                        self.done["letters sent now"] += reviews.send_now(letter, by=csm, now=now)

    def _complete_tasks(self, tenant: Tenant, chance: random.Random) -> None:
        with tenant_context(tenant.pk):
            csm = Membership.objects.in_tenant(tenant.pk).get()
            tasks = list(Task.objects.open().order_by("pk"))
            for task in chance.sample(tasks, min(3, len(tasks))):
                self.done["tasks completed"] += task.complete(by=csm, now=database_now())
