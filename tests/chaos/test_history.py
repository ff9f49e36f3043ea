"""The judge of bin/chaos is judged: it finds nothing wrong where nothing is, and every wound it is shown."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from django.test import override_settings
from pytest_django.plugin import DjangoDbBlocker

from accounts.models import Account, Conversation
from actions.base import Applied, DeliveryOutcome, ExternalAction
from actions.by_people import send_by_people
from actions.letters import NEW_TOKEN, send
from cs_platform.chaos import hooks
from cs_platform.chaos.history import DOUBLED, LOST, STUCK, count_letters, findings, unfinished
from cs_platform.chaos.mail import REFUSE, TAKE, Arrival
from cs_platform.chaos.people import People, let_a_day_pass
from cs_platform.chaos.world import Size, build, expected
from cs_platform.connectors.smtp import SmtpTransport
from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant
from playbooks.enrollment import apply_by_hand
from playbooks.models import ActionRun, Enrollment, Playbook
from playbooks.pump import pump
from playbooks.undo import request_stops

SIZE = Size(workspaces=1, accounts=10)
LUCK = random.Random(5)


@dataclass(slots=True)
class Lived:
    """A workspace in which everything has come to its end, some of it by stops."""

    tenant: Tenant
    wanted: list[tuple[int, str, str]]
    taken: dict[str, list[Arrival]] = field(default_factory=dict)
    calls: list[hooks.Arrival] = field(default_factory=list)
    letters: set[tuple[int, UUID]] = field(default_factory=set)

    def post(self, action: ExternalAction, payload: Any) -> DeliveryOutcome:
        if action.key != "start_conversation":
            return self.call(payload)
        if payload.transport:
            return action.deliver(payload)
        return self.take(payload)

    def hand_over(self, payload: Any) -> DeliveryOutcome:
        return send(payload, by=SmtpTransport()) if payload.transport else self.take(payload)

    def take(self, payload: Any) -> DeliveryOutcome:
        message_id = payload.letter.message_id
        self.taken.setdefault(message_id, []).append(Arrival(message_id, TAKE, datetime.now(UTC)))
        return Applied(payload.receipt)

    def call(self, payload: Any) -> DeliveryOutcome:
        call = payload.call
        id = json.loads(call.body).get("messageId") or call.headers.get("webhook-id", "")
        self.calls.append(hooks.Arrival(id, hooks.TAKE, urlsplit(call.url).path, call.headers, call.body))
        return Applied(payload.receipt)

    def work(self) -> None:
        """Letters by hand leave before anybody else looks at them; by Gmail, once their mailbox has its new token."""
        send_by_people(self.tenant, now=database_now(), deliver=self.hand_over)
        for queue in ("evaluate", "apply", "deliver", "apply"):
            pump(queue, deliver=self.post)
        send_by_people(self.tenant, now=database_now() + NEW_TOKEN, deliver=self.hand_over)

    def stop(self, *ids: int) -> None:
        request_stops(list(ids), tenant_id=self.tenant.pk, by="person:1", note="", now=database_now())

    def found(self) -> Counter[str]:
        found: Counter[str] = Counter()
        seen: dict[str, Any] = {"taken": self.taken, "calls": self.calls, "letters": self.letters}
        for finding in findings([self.tenant], expected=self.wanted, **seen):
            found[finding.kind] += finding.count
        return found


@pytest.fixture(scope="module")
def past(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Lived]:
    """Lived through once, in a transaction that is never committed. Gmail and Intercom are really spoken to."""
    outside = hooks.MoodyHooks()
    outside.calm = True
    outside.start()
    there = {"OUTBOUND_TRUSTED": [outside.host], "GOOGLE_TOKEN_URL": f"{outside.url}/token", "GMAIL_URL": outside.url}
    with django_db_blocker.unblock(), override_settings(**there), transaction.atomic():
        lived = _live(outside.url)
        yield replace(lived, calls=[*lived.calls, *outside.acted_on()])
        transaction.set_rollback(True)
    outside.stop()


def _live(url: str) -> Lived:
    (tenant,) = build(SIZE, hooks=url, seconds=0, now=database_now())
    lived = Lived(tenant, [(tenant.pk, *pair) for pair in expected(SIZE.accounts, external=True)])
    lived.work()
    people = People([tenant], 1, 0)
    for _ in range(20):
        people._write(tenant, LUCK)
    lived.letters = people.letters
    let_a_day_pass([tenant])
    lived.work()
    people._decide(tenant, LUCK)
    with tenant_context(tenant.pk):
        lived.stop(*Enrollment.objects.order_by("pk").values_list("pk", flat=True)[::4])
    for _ in range(6):
        let_a_day_pass([tenant])
        lived.work()
    return lived


@pytest.fixture
def lived(past: Lived) -> Iterator[Lived]:
    """What a test does to it is taken back."""
    taken = {id: list(arrivals) for id, arrivals in past.taken.items()}
    with transaction.atomic():
        yield replace(past, wanted=list(past.wanted), taken=taken, calls=list(past.calls), letters=set(past.letters))
        transaction.set_rollback(True)


def test_nothing_is_wrong_where_everything_went_well(lived: Lived) -> None:
    assert unfinished([lived.tenant], now=database_now()) == 0
    assert lived.found() == Counter()


def test_what_people_wrote_left_by_every_way_or_was_cancelled(lived: Lived) -> None:
    with tenant_context(lived.tenant.pk):
        letters = Conversation.objects.filter(hand_id__isnull=False)
        assert set(letters.values_list("channel", flat=True)) == {"smtp", "gmail", "intercom"}
    assert count_letters([lived.tenant]).keys() == {"sent", "cancelled"}


def sql(statement: str) -> Callable[[Lived], None]:
    def wound(lived: Lived) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    return wound


def _enroll_and_leave(lived: Lived) -> None:
    account = Account.objects.filter(health__gte=7).first()
    assert account is not None
    lived.wanted.append((lived.tenant.pk, "renewal", account.external_id))
    apply_by_hand(playbook=Playbook.objects.get(key="renewal"), account=account, by="person:1", now=database_now())


def _stop_and_leave(lived: Lived) -> None:
    lived.stop(Enrollment.objects.filter(state="completed").first().pk)


def _send_again(lived: Lived) -> None:
    next(iter(lived.taken.values())).append(Arrival("again", TAKE, datetime.now(UTC)))


def _never_send(lived: Lived) -> None:
    lived.taken.pop(next(iter(lived.taken)))


def _by_hand(lived: Lived) -> str:
    return next(id for id in lived.taken if id.startswith("<mail-"))


def _send_letter_again(lived: Lived) -> None:
    lived.taken[_by_hand(lived)].append(Arrival("again", TAKE, datetime.now(UTC)))


def _never_send_letter(lived: Lived) -> None:
    lived.taken.pop(_by_hand(lived))


def _lose_letter(lived: Lived) -> None:
    lived.letters.add((lived.tenant.pk, uuid4()))


def _send_letter_again_by_gmail(lived: Lived) -> None:
    by_hand = (call for call in _calls_of(lived, "/messages/send") if call.message["Subject"].startswith("By hand"))
    lived.calls.append(next(by_hand))


def _calls_of(lived: Lived, path: str) -> list[hooks.Arrival]:
    return [call for call in lived.calls if call.path.endswith(path)]


def _send_again_by(path: str) -> Callable[[Lived], None]:
    return lambda lived: lived.calls.append(_calls_of(lived, path)[0])


def _never_send_by(path: str) -> Callable[[Lived], None]:
    return lambda lived: lived.calls.remove(_calls_of(lived, path)[0])


def _call_under_another_id(lived: Lived) -> None:
    lived.calls.append(replace(_calls_of(lived, "/webhook")[0], id="msg_another"))


def _never_track(lived: Lived) -> None:
    lived.calls.remove(_calls_of(lived, "/v1/track")[0])


def _leave_open(lived: Lived) -> None:
    """A keyed call that was made and never repeated."""
    account = Account.objects.filter(plan="Pro").first()
    assert account is not None
    lived.wanted.append((lived.tenant.pk, "signals", account.external_id))
    playbook = Playbook.objects.get(key="signals")
    enrollment = apply_by_hand(playbook=playbook, account=account, by="person:1", now=database_now())
    run = ActionRun.objects.filter(enrollment=enrollment, step__key="hook")
    now = database_now()
    run.update(state="running", lease_token=uuid4(), lease_until=now, sent_marker_at=now)
    run.update(state="uncertain", lease_token=None, lease_until=None)


def _expect_another(lived: Lived) -> None:
    lived.wanted.append((lived.tenant.pk, "rescue", "nobody"))


def _expect_one_less(lived: Lived) -> None:
    lived.wanted.pop()


_LETTERS_BECOME = "UPDATE accounts_conversation SET state = '{}' WHERE hand_id IS NOT NULL AND state = 'sent'"
_FIRST = "(SELECT min(id) FROM {} WHERE {})"
WOUNDS: dict[str, tuple[str, Callable[[Lived], None]]] = {
    "a due run is not done": (STUCK, _enroll_and_leave),
    "a stop is not carried out": (STUCK, _stop_and_leave),
    "an indicator is gone": (LOST, sql("DELETE FROM accounts_indicatorclaim WHERE ended_at IS NULL")),
    "an undone indicator is back": (LOST, sql("UPDATE accounts_indicatorclaim SET ended_at = NULL")),
    "a task is gone": (LOST, sql("DELETE FROM ctas_task WHERE id = " + _FIRST.format("ctas_task", "true"))),
    "a trait was overwritten": (LOST, sql('UPDATE accounts_account SET traits = \'{"stage": "?"}\'')),
    "a mirror was forgotten": (LOST, sql("UPDATE accounts_account SET t01 = 'old'")),
    "progress is miscounted": (LOST, sql("UPDATE playbooks_enrollment SET steps_done = steps_done + 1")),
    "a mail was never sent": (LOST, _never_send),
    "somebody was not enrolled": (LOST, _expect_another),
    "somebody was enrolled by mistake": (DOUBLED, _expect_one_less),
    "a mail was sent twice": (DOUBLED, _send_again),
    "a mail by Gmail was sent twice": (DOUBLED, _send_again_by("/messages/send")),
    "a mail by Gmail was never sent": (LOST, _never_send_by("/messages/send")),
    "a message by Intercom was sent twice": (DOUBLED, _send_again_by("/messages")),
    "a message by Intercom was never sent": (LOST, _never_send_by("/messages")),
    "a letter was sent twice": (DOUBLED, _send_letter_again),
    "a letter by Gmail was sent twice": (DOUBLED, _send_letter_again_by_gmail),
    "a letter was never sent": (LOST, _never_send_letter),
    "a letter is gone": (LOST, _lose_letter),
    "a letter waits for ever": (STUCK, sql(_LETTERS_BECOME.format("pending"))),
    "a cancelled letter was sent": (DOUBLED, sql(_LETTERS_BECOME.format("cancelled"))),
    "a letter on its way is given up": (
        LOST,
        sql(_LETTERS_BECOME.format("failed', problem = 'It is more than a day late.")),
    ),
    "Slack was told twice": (DOUBLED, _send_again_by("/slack")),
    "a call was repeated under another id": (DOUBLED, _call_under_another_id),
    "an event was never sent": (LOST, _never_track),
    "a keyed call is left uncertain": (LOST, _leave_open),
    "a run was applied twice": (
        DOUBLED,
        sql(
            "INSERT INTO playbooks_ledgerentry (tenant_id, run_id, enrollment_id, at, from_state, to_state, actor)"
            " SELECT tenant_id, run_id, enrollment_id, at, from_state, to_state, actor FROM playbooks_ledgerentry"
            " WHERE to_state = 'applied' LIMIT 1"
        ),
    ),
    "an indicator was raised twice": (
        DOUBLED,
        sql(
            "INSERT INTO accounts_indicatorclaim (tenant_id, indicator_id, source, made_at, ended_at)"
            " SELECT c.tenant_id, i.id, c.source, c.made_at, c.ended_at FROM accounts_indicatorclaim c"
            " JOIN accounts_indicator i ON i.id <> c.indicator_id LIMIT 1"
        ),
    ),
    "a CTA has no run to answer for it": (DOUBLED, sql("UPDATE ctas_cta SET origin_run_id = uuidv7()")),
    "a line is told twice": (
        DOUBLED,
        sql(
            "INSERT INTO accounts_timelineentry (tenant_id, account_id, at, kind, actor, text, subject)"
            " SELECT tenant_id, account_id, at, kind, actor, text, subject FROM accounts_timelineentry"
            " WHERE kind = 'action.applied' LIMIT 1"
        ),
    ),
}


@pytest.mark.parametrize("name", WOUNDS)
def test_every_wound_is_found(lived: Lived, name: str) -> None:
    kind, wound = WOUNDS[name]
    with tenant_context(lived.tenant.pk):
        wound(lived)

    assert lived.found()[kind] > 0


def test_a_refused_mail_is_not_taken() -> None:
    assert not Arrival("<run-1@x>", REFUSE, datetime.now(UTC)).taken
