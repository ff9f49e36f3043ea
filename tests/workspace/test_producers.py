"""What the engine leaves to people is told to them, once."""

from typing import Any

from accounts.models import Account
from cs_platform.connectors.base import Sent
from cs_platform.workspace.errands import run_errands
from cs_platform.workspace.models import Notification
from playbooks.models import ActionRun, Evaluation, EvaluationRun
from tests.world import MONDAY, Workspace, apply_now, days, live, playbook_json, raise_risk


def told(kind: str) -> list[tuple[str, str]]:
    rows = Notification.objects.filter(kind=kind).select_related("member").order_by("pk")
    return [(one.member.name, one.text) for one in rows]


def look(now: Any) -> None:
    run_errands(clock=lambda: now, send=lambda _: Sent("ok"))


def test_a_held_check_is_told_once_to_who_may_release_it(inside: Workspace) -> None:
    playbook = live(playbook_json(name="Rescue"))
    run = EvaluationRun.objects.create(
        trigger="manual", local_date=MONDAY.date(), started_at=MONDAY, finished_at=MONDAY
    )
    counts = {"matched": 900, "would_enroll": 900, "limit": 25}
    Evaluation.objects.create(run=run, playbook=playbook, version=playbook.version, state="held", **counts)
    for hours in (0, 1):
        look(MONDAY + days(hours / 24))

    text = "Rescue is held: it would enroll 900"
    assert told("held") == [("Olga Lind", text), ("Jonah Weiss", text)]


def test_failed_actions_are_told_once_a_day_to_admins_and_the_csm(inside: Workspace, harbourline: Account) -> None:
    Account.objects.update(csm=inside.tom)
    steps = [raise_risk(1), raise_risk(5, key="later")]
    enrollment = apply_now(live(playbook_json(name="Rescue", steps=steps)), harbourline, now=MONDAY)
    run = ActionRun.objects.get(enrollment=enrollment, step__key="later")
    rows: Any = ActionRun.objects.filter(pk=run.pk)
    rows.update(state="running", lease_token=run.pk, lease_until=MONDAY)
    rows.update(state="dead", lease_token=None, lease_until=None, settled_at=MONDAY, reason="It failed.")
    look(MONDAY)
    look(MONDAY + days(0.1))

    assert {name for name, _ in told("failure")} == {"Olga Lind", "Jonah Weiss", "Tom Lindqvist"}
    assert {text for _, text in told("failure")} == {"1 action of Rescue failed"}
