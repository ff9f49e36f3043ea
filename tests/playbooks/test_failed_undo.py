"""An undo that failed waits for a person: it is tried again, or what was done stays."""

import json

import pytest

from accounts.models import Indicator, TimelineEntry
from actions.types.create_indicator import CreateIndicator
from playbooks.models import ActionRun, Enrollment, LedgerEntry
from playbooks.undo import accept_as_kept, request_stop, retry_undo
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, account, apply_now, days, live, playbook_json, raise_risk

LATER = MONDAY + days(3)


@pytest.fixture
def failed(inside: Workspace, monkeypatch: pytest.MonkeyPatch) -> ActionRun:
    """The stop is over; one indicator could not be ended."""
    enrollment = apply_now(live(playbook_json(steps=[raise_risk(1)])), account(), now=MONDAY)

    def refuse(self: CreateIndicator, *args: object) -> None:
        raise RuntimeError("the indicator is stuck")

    with monkeypatch.context() as broken:
        broken.setattr(CreateIndicator, "reverse", refuse)
        request_stop(enrollment, by=inside.priya, now=LATER)
    run = ActionRun.objects.select_related("enrollment").get()
    assert (run.state, run.reason, run.enrollment.state) == ("undo_dead", "the indicator is stuck", "stopped")
    return run


def moves(run: ActionRun) -> list[tuple[str, str, str]]:
    return list(LedgerEntry.objects.filter(run_id=run.pk).order_by("pk").values_list("from_state", "to_state", "actor"))


def test_it_is_tried_again_and_succeeds(inside: Workspace, failed: ActionRun) -> None:
    assert retry_undo(failed, by=inside.jonah.actor, now=LATER)

    failed.refresh_from_db()
    assert (failed.state, failed.lease_token) == ("undone", None)
    assert Indicator.objects.get().state == "ended"
    assert moves(failed)[-2:] == [
        ("undo_dead", "undoing", inside.jonah.actor),
        ("undoing", "undone", "engine"),
    ]
    assert not retry_undo(failed, by=inside.jonah.actor, now=LATER)


def test_it_may_fail_again_and_says_why(inside: Workspace, failed: ActionRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: CreateIndicator, *args: object) -> None:
        raise RuntimeError("still stuck")

    monkeypatch.setattr(CreateIndicator, "reverse", refuse)

    assert retry_undo(failed, by=inside.jonah.actor, now=LATER)

    failed.refresh_from_db()
    assert (failed.state, failed.reason) == ("undo_dead", "still stuck")


def test_what_was_done_may_stay(inside: Workspace, failed: ActionRun) -> None:
    assert accept_as_kept(failed, by=inside.jonah.actor, now=LATER)

    failed.refresh_from_db()
    assert (failed.state, failed.reason_code) == ("kept", "accepted")
    assert Indicator.objects.get().state == "active"
    assert moves(failed)[-1] == ("undo_dead", "kept", inside.jonah.actor)
    assert TimelineEntry.objects.filter(kind="action.kept", actor=inside.jonah.actor).exists()
    assert not accept_as_kept(failed, by=inside.jonah.actor, now=LATER)


def test_the_history_offers_both(inside: Workspace, failed: ActionRun) -> None:
    priya = Visitor(inside.priya)
    shown = text(priya.page(f"accounts/{failed.enrollment.account_id}/?history={failed.enrollment_id}"))
    assert "Try to undo it again" in shown
    assert "Let it stay" in shown

    answer = priya.send(f"playbooks/actions/{failed.pk}/undo/")

    assert "undo it again" in json.loads(answer["HX-Trigger"])["toast"]["text"]
    assert Enrollment.objects.get().runs.get().state == "undone"
