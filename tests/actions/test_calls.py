"""Webhooks, Slack and Segment against a server that speaks as they do and misbehaves: what is then known, and done."""

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import Account, EndUser, TimelineEntry
from actions.base import DeliveryOutcome, ExternalAction
from cs_platform.chaos import hooks
from cs_platform.chaos.hooks import MoodyHooks
from cs_platform.connectors.managing import connect, put_away, renew_secret, try_again
from cs_platform.connectors.models import Connector, Retraction
from cs_platform.connectors.outgoing import BREAK, FAILURES_IN_A_ROW
from cs_platform.connectors.standard_webhooks import is_signed_by
from cs_platform.workspace.models import Notification
from playbooks.delivery import deliver_directly
from playbooks.enrollment import apply_by_hand
from playbooks.models import ActionRun, Playbook
from playbooks.undo import preview_stop, request_stop
from tests import world
from tests.world import MONDAY, Workspace, apply_now, days, live, playbook_json, tick

ACTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "webhook": ("call_webhook", {"event": "risk.found", "properties": {"name": "{{ account.name }}"}}),
    "slack": ("post_to_slack", {"text": "<!channel> {{ account.name }} & co"}),
    "segment": ("segment_track", {"event": "New customer", "properties": {"seats": "9"}}),
}
KINDS = tuple(ACTIONS)


@pytest.fixture
def server(settings: Settings) -> Iterator[MoodyHooks]:
    server = MoodyHooks(hang_seconds=0.3)
    server.mood = hooks.TAKE
    settings.OUTBOUND_TRUSTED = [server.host]
    server.start()
    yield server
    server.stop()


def connected(kind: str, server: MoodyHooks, by: Workspace) -> Connector:
    parts = {
        "webhook": {"url": f"{server.url}/in"},
        "slack": {"secret": f"{server.url}/services/T0/B0/x"},
        "segment": {"url": server.url, "secret": "write-key-0001"},
    }
    return connect(kind=kind, key="out", name=f"Our {kind}", by=by.olga, now=MONDAY, **parts[kind])[0]


def sending(kind: str, **more: Any) -> Playbook:
    action, config = ACTIONS[kind]
    step = {"key": "send", "day": 1, "action": action, "config": {"connector": "out", **config}}
    return live(playbook_json(steps=[step], **more))


def state(run: ActionRun | None = None) -> tuple[str, str]:
    found = run or ActionRun.objects.get()
    found.refresh_from_db()
    return found.state, found.reason_code


# --- as it should be --------------------------------------------------------------------------------------------------


def test_a_webhook_is_signed_and_says_who_it_is_about(server: MoodyHooks, orbiton: Workspace, harbour: Account) -> None:
    connector = connected("webhook", server, orbiton)
    apply_now(sending("webhook"), harbour, now=MONDAY)

    (call,) = server.arrivals
    assert is_signed_by(connector.secrets(now=MONDAY)["secret"], call.body, dict(call.headers), now=MONDAY)
    assert not is_signed_by(connector.secrets(now=MONDAY)["secret"], call.body + b" ", dict(call.headers), now=MONDAY)
    assert call.id == f"msg_{ActionRun.objects.get().pk}"
    assert (call.message["type"], call.message["data"]["account"]["name"]) == ("risk.found", harbour.name)
    assert call.message["data"]["properties"] == {"name": harbour.name}
    assert call.message["data"]["user"] is None
    assert state() == ("applied", "")


def test_a_webhook_carries_traits_as_they_are_kept(
    server: MoodyHooks, orbiton: Workspace, harbour: Account, ben: EndUser
) -> None:
    connected("webhook", server, orbiton)
    Account.objects.filter(pk=harbour.pk).update(traits={"seats": 9, "regions": ["North"]})
    EndUser.objects.filter(pk=ben.pk).update(traits={"beta": True})
    apply_now(sending("webhook", audience="users"), harbour, user=ben, now=MONDAY)

    (call,) = server.arrivals
    assert call.message["data"]["account"]["traits"] == {"seats": 9, "regions": ["North"]}
    assert call.message["data"]["user"]["traits"] == {"beta": True}


def test_while_a_secret_is_renewed_both_sign(server: MoodyHooks, orbiton: Workspace, harbour: Account) -> None:
    connector = connected("webhook", server, orbiton)
    former = connector.secrets(now=MONDAY)["secret"]
    new = renew_secret(connector, by=orbiton.olga, now=MONDAY)
    apply_now(sending("webhook"), harbour, now=MONDAY)

    (call,) = server.arrivals
    assert all(is_signed_by(secret, call.body, dict(call.headers), now=MONDAY) for secret in (former, new))
    assert "former" not in connector.secrets(now=MONDAY + days(2))


def test_a_track_has_the_form_segment_knows(server: MoodyHooks, orbiton: Workspace, harbour: Account) -> None:
    connected("segment", server, orbiton)
    playbook = sending("segment", name="New customer playbook")
    apply_now(playbook, harbour, now=MONDAY)
    (call,) = server.arrivals
    said = call.message

    assert (call.path, call.headers["authorization"]) == ("/v1/track", "Basic d3JpdGUta2V5LTAwMDE6")
    assert (said["type"], said["event"], said["groupId"]) == ("track", "New customer", harbour.external_id)
    assert said["context"]["groupId"] == harbour.external_id
    assert said["properties"] == {"playbook": "New customer playbook", "seats": "9"}
    assert said["messageId"] == str(ActionRun.objects.get().pk)
    assert "userId" not in said


def test_of_a_user_the_track_names_the_user(
    server: MoodyHooks, orbiton: Workspace, harbour: Account, ben: EndUser
) -> None:
    connected("segment", server, orbiton)
    rules = {"user": {"field": "role", "op": "set"}}
    apply_now(sending("segment", audience="users", rules=rules), harbour, user=ben, now=MONDAY)

    assert server.arrivals[0].message["userId"] == ben.external_id


def test_a_value_cannot_shout_in_slack(server: MoodyHooks, orbiton: Workspace, harbour: Account) -> None:
    Account.objects.update(name="<!everyone> Ltd")
    connected("slack", server, orbiton)
    apply_now(sending("slack"), harbour, now=MONDAY)

    assert server.arrivals[0].message["text"] == "&lt;!channel&gt; &lt;!everyone&gt; Ltd &amp; co"


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_sent_stays_and_what_was_not_is_not_sent(
    server: MoodyHooks, orbiton: Workspace, harbour: Account, yarrow: Account, kind: str
) -> None:
    connected(kind, server, orbiton)
    playbook = sending(kind)
    sent = apply_now(playbook, harbour, now=MONDAY)
    server.mood = hooks.LATER
    waiting = apply_now(playbook, yarrow, now=MONDAY + timedelta(seconds=9))
    assert "was sent on 2 Nov" in preview_stop(sent, now=MONDAY).kept[0].says

    request_stop(waiting, by=orbiton.olga, now=MONDAY + timedelta(minutes=1))
    server.mood = hooks.TAKE
    tick(now=MONDAY + days(1))
    assert len(server.arrivals) == 2
    assert sorted(ActionRun.objects.values_list("state", flat=True)) == ["applied", "cancelled"]


# --- misbehaving ------------------------------------------------------------------------------------------------------

# What is known afterwards: keyed connectors recognise a repeat, so it is made; of Slack a person decides.
AFTERWARDS = {
    (hooks.TAKE_AND_FAIL, "webhook"): ("scheduled", "retry"),
    (hooks.TAKE_AND_FAIL, "segment"): ("scheduled", "retry"),
    (hooks.TAKE_AND_FAIL, "slack"): ("uncertain", "uncertain"),
    (hooks.TAKE_AND_HANG, "webhook"): ("scheduled", "retry"),
    (hooks.TAKE_AND_HANG, "slack"): ("uncertain", "uncertain"),
    (hooks.LATER, "webhook"): ("scheduled", "retry"),
    (hooks.LATER, "slack"): ("scheduled", "retry"),
    (hooks.GARBLE, "slack"): ("uncertain", "uncertain"),
    (hooks.GARBLE, "segment"): ("applied", ""),
    (hooks.REDIRECT, "webhook"): ("scheduled", "retry"),
    (hooks.REVOKE, "webhook"): ("held", "needs_reauth"),
    (hooks.REVOKE, "slack"): ("held", "needs_reauth"),
    (hooks.REVOKE, "segment"): ("held", "needs_reauth"),
}


@pytest.mark.parametrize(("mood", "kind"), AFTERWARDS)
def test_what_is_known_after_an_odd_answer(
    server: MoodyHooks, orbiton: Workspace, harbour: Account, mood: str, kind: str
) -> None:
    connected(kind, server, orbiton)
    server.mood = mood
    apply_now(sending(kind), harbour, now=MONDAY)
    assert state() == AFTERWARDS[mood, kind]
    assert len(server.arrivals) == 1

    server.mood = hooks.TAKE
    tick(now=MONDAY + timedelta(minutes=1))
    if mood == hooks.LATER:
        assert len(server.arrivals) == 1  # it asked for two minutes
    tick(now=MONDAY + timedelta(hours=7))
    ids = {arrival.id for arrival in server.arrivals}
    assert len(ids) == 1
    assert state()[0] == ("applied" if AFTERWARDS[mood, kind][0] == "scheduled" else AFTERWARDS[mood, kind][0])


class Killed(BaseException):
    """What a worker hears last."""


def call_and_die(action: ExternalAction, payload: Any) -> DeliveryOutcome:
    action.deliver(payload)
    raise Killed


@pytest.mark.parametrize(("kind", "after"), [("webhook", "applied"), ("segment", "applied"), ("slack", "uncertain")])
def test_a_call_whose_worker_died_is_repeated_under_its_id_where_that_is_recognised(
    server: MoodyHooks, orbiton: Workspace, harbour: Account, kind: str, after: str
) -> None:
    connected(kind, server, orbiton)
    apply_by_hand(playbook=sending(kind), account=harbour, by="person:1", now=MONDAY)
    with pytest.raises(Killed):
        tick(now=MONDAY, deliver=call_and_die)
    assert state()[0] == "running"

    tick(now=MONDAY + timedelta(minutes=2))
    assert state()[0] == after
    assert len(server.arrivals) == (2 if after == "applied" else 1)
    assert list(server.taken().values()) == [1]


@pytest.mark.parametrize("how", ["killed", "unanswered", "killed, then refused"])
def test_a_repeat_is_left_to_a_person_before_the_other_side_forgets_the_first_try(
    server: MoodyHooks, orbiton: Workspace, harbour: Account, how: str
) -> None:
    connected("segment", server, orbiton)
    server.mood = hooks.TAKE if "killed" in how else hooks.TAKE_AND_FAIL
    apply_by_hand(playbook=sending("segment"), account=harbour, by="person:1", now=MONDAY)
    with contextlib.suppress(Killed):
        tick(now=MONDAY, deliver=call_and_die if "killed" in how else deliver_directly)
    if "refused" in how:  # the marker is that of the first try, whatever is known of the second
        server.mood = hooks.LATER
        tick(now=MONDAY + timedelta(hours=1))
    seen = len(server.arrivals)

    tick(now=MONDAY + timedelta(hours=20))
    assert (state()[0], len(server.arrivals)) == ("uncertain", seen)


def test_a_call_that_never_says_what_it_did_is_uncertain_in_the_end_and_not_failed(
    server: MoodyHooks, orbiton: Workspace, harbour: Account
) -> None:
    connected("webhook", server, orbiton)
    server.mood = hooks.FAIL
    apply_now(sending("webhook"), harbour, now=MONDAY)
    ActionRun.objects.update(attempt=9)

    tick(now=MONDAY + timedelta(hours=7))
    assert state() == ("uncertain", "uncertain")


def test_a_stop_does_not_say_that_nothing_was_sent_when_a_try_may_have_arrived(
    server: MoodyHooks, orbiton: Workspace, harbour: Account
) -> None:
    connected("webhook", server, orbiton)
    server.mood = hooks.TAKE_AND_FAIL
    enrollment = apply_now(sending("webhook"), harbour, now=MONDAY)
    (line,) = preview_stop(enrollment, now=MONDAY).kept
    assert line.detail == "The playbook was stopped. An earlier try may have arrived."

    request_stop(enrollment, by=orbiton.olga, now=MONDAY)
    tick(now=MONDAY + timedelta(hours=7))
    assert (state()[0], len(server.arrivals)) == ("uncertain", 1)


def test_a_connector_that_refuses_us_holds_its_runs_tells_once_and_goes_on_when_it_is_renewed(
    server: MoodyHooks, orbiton: Workspace, harbour: Account, yarrow: Account
) -> None:
    connector = connected("segment", server, orbiton)
    server.mood = hooks.REVOKE
    playbook = sending("segment")
    apply_now(playbook, harbour, now=MONDAY)
    apply_now(playbook, yarrow, now=MONDAY + timedelta(hours=1))

    assert set(ActionRun.objects.values_list("state", "reason_code")) == {("held", "needs_reauth")}
    assert len(server.arrivals) == 1
    assert sorted(Notification.objects.values_list("member__name", flat=True)) == ["Jonah Weiss", "Olga Lind"]

    server.mood = hooks.TAKE
    connector.refresh_from_db()
    renew_secret(connector, secret="write-key-0002", by=orbiton.olga, now=MONDAY + timedelta(hours=2))
    tick(now=MONDAY + timedelta(hours=2))
    assert set(ActionRun.objects.values_list("state", flat=True)) == {"applied"}


def test_ten_failures_in_a_row_make_a_pause_and_then_one_goes_first(
    server: MoodyHooks, orbiton: Workspace, harbour: Account
) -> None:
    connector = connected("webhook", server, orbiton)
    server.mood = hooks.FAIL
    playbook = sending("webhook")
    for n in range(FAILURES_IN_A_ROW + 2):
        apply_now(playbook, world.account(f"Account {n}"), now=MONDAY)
    connector.refresh_from_db()
    assert connector.open_until == MONDAY + BREAK
    seen = len(server.arrivals)

    later = MONDAY + BREAK + timedelta(seconds=1)
    tick(now=later - timedelta(minutes=1))
    assert len(server.arrivals) == seen
    server.mood = hooks.TAKE
    tick(now=later + timedelta(minutes=10))
    tick(now=later + timedelta(minutes=20))
    assert set(ActionRun.objects.values_list("state", flat=True)) == {"applied"}
    connector.refresh_from_db()
    assert (connector.failures, connector.open_until) == (0, None)


def test_no_more_leave_at_once_than_the_bucket_holds(server: MoodyHooks, orbiton: Workspace) -> None:
    connected("slack", server, orbiton)
    playbook = sending("slack")
    for n in range(8):
        apply_now(playbook, world.account(f"Account {n}"), now=MONDAY)
    assert len(server.arrivals) == 1
    for second in range(1, 12):
        tick(now=MONDAY + timedelta(seconds=second))

    assert len(server.arrivals) == 8
    assert set(ActionRun.objects.values_list("state", "attempt")) == {("applied", 0)}


def test_a_connector_that_was_put_away_makes_its_runs_wait_for_another_of_its_key(
    server: MoodyHooks, orbiton: Workspace, harbour: Account
) -> None:
    connector = connected("segment", server, orbiton)
    playbook = sending("segment")
    put_away(connector, by=orbiton.olga, now=MONDAY)
    apply_now(playbook, harbour, now=MONDAY)
    assert state() == ("held", "no_connector")

    connected("segment", server, orbiton)
    tick(now=MONDAY + timedelta(minutes=1))
    assert state() == ("applied", "")


@pytest.mark.parametrize("steps", [1, 10])
def test_deliveries_overlap_within_a_step_and_across_steps(server: MoodyHooks, orbiton: Workspace, steps: int) -> None:
    connected("segment", server, orbiton)
    for n in range(steps):
        sending("segment", key=f"playbook-{n}")
    server.slow_seconds = 0.5  # long enough that a busy machine has sent the others meanwhile
    for n in range(40 // steps):
        world.account(f"Account {n}", plan="Pro")
    world.evaluate(orbiton.tenant, now=MONDAY)
    tick(now=MONDAY)

    assert len(server.arrivals) == 40
    assert server.most_at_once >= 10


# --- taken back -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["webhook", "segment"])
def test_what_was_sent_is_followed_by_another_event_only_where_the_step_names_one(
    server: MoodyHooks, orbiton: Workspace, harbour: Account, yarrow: Account, kind: str
) -> None:
    connected(kind, server, orbiton)
    plain = apply_now(sending(kind), harbour, now=MONDAY)
    named = apply_now(sending_back(kind), yarrow, now=MONDAY)
    assert preview_stop(named, now=MONDAY).kept[0].says.endswith(" was sent on 2 Nov; “Never mind” follows it")
    tick(now=MONDAY)
    assert len(server.arrivals) == 2  # looking sends nothing

    for enrollment in (plain, named):
        request_stop(enrollment, by=orbiton.olga, now=MONDAY + timedelta(hours=1))
    for hour in (1, 2):
        tick(now=MONDAY + timedelta(hours=hour))

    run = ActionRun.objects.get(enrollment=named)
    (call,) = server.arrivals[2:]
    said = call.message
    if kind == "webhook":
        assert (call.id, said["type"]) == (f"msg_undo-{run.pk}", "Never mind")
        assert said["data"]["original_message_id"] == f"msg_{run.pk}"
    else:
        assert (said["messageId"], said["event"]) == (f"undo-{run.pk}", "Never mind")
        assert said["properties"]["original_message_id"] == str(run.pk)
    assert (run.state, run.reason_code) == ("kept", "already_sent")
    told = TimelineEntry.objects.get(kind="action.retracted")
    assert (told.account, told.text) == (yarrow, "“Never mind” was sent, since its playbook was stopped")


def sending_back(kind: str) -> Playbook:
    action, config = ACTIONS[kind]
    config = {"connector": "out", "undo_event": "Never mind", **config}
    return live(playbook_json("back", steps=[{"key": "send", "day": 1, "action": action, "config": config}]))


@pytest.mark.parametrize(
    ("mood", "arrivals", "state"),
    [
        (hooks.TAKE_AND_FAIL, 2, "sent"),
        (hooks.LATER, 2, "sent"),
        (hooks.REVOKE, 2, "sent"),
    ],
)
def test_what_takes_back_is_tried_again_under_the_same_id(
    server: MoodyHooks, orbiton: Workspace, harbour: Account, mood: str, arrivals: int, state: str
) -> None:
    connector = connected("webhook", server, orbiton)
    enrollment = apply_now(sending_back("webhook"), harbour, now=MONDAY)
    server.mood = mood
    request_stop(enrollment, by=orbiton.olga, now=MONDAY + timedelta(hours=1))
    tick(now=MONDAY + timedelta(hours=1))
    assert Retraction.objects.get().state == "waiting"

    server.mood = hooks.TAKE
    connector.refresh_from_db()
    try_again(connector, by=orbiton.olga, now=MONDAY + timedelta(hours=2))
    tick(now=MONDAY + timedelta(hours=3))
    tick(now=MONDAY + timedelta(hours=9))

    assert len({call.id for call in server.arrivals[1:]}) == 1
    assert (len(server.arrivals) - 1, Retraction.objects.get().state) == (arrivals, state)
