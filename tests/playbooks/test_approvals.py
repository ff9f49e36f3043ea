"""Actions that ask first: who is asked, what each answer does, and what happens when nobody answers."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from accounts.models import Account, Conversation, Indicator, TimelineEntry
from cs_platform.tenancy.context import tenant_context
from cs_platform.workspace.models import Notification
from playbooks.approvals import approve, expire, reject
from playbooks.definition import DefinitionErrors
from playbooks.failures import retry, skip
from playbooks.models import ActionRun, Approval, Enrollment, LedgerEntry, Playbook
from playbooks.notices import ActionsToApprove
from playbooks.undo import preview_stop, request_stop
from playbooks.versions import exported, pause, resume
from tests.playbooks.test_conversations import Post, team_of_three
from tests.visitor import Visitor, text
from tests.world import (
    MONDAY,
    Workspace,
    account,
    apply_now,
    days,
    live,
    playbook_json,
    raise_risk,
    set_trait_step,
    tick,
    trait,
    user,
    workspace,
)

TUESDAY = MONDAY + days(1)


def asking(by: str = "csm", within_days: int = 5, otherwise: str = "skip") -> dict[str, Any]:
    return {"approval": {"by": by, "within_days": within_days, "otherwise": otherwise}}


def rescue(**asks: Any) -> Playbook:
    """Asks whether it may raise a risk; sets the stage the day after, in any case."""
    trait("stage")
    return live(playbook_json(steps=[raise_risk(1, **asking(**asks)), set_trait_step("Hot", day=2)]))


@pytest.fixture
def harbour(inside: Workspace) -> Account:
    return account("Harbour", csm=inside.priya, ae=inside.tom)


def question() -> Approval:
    return Approval.objects.get()


def asked_about() -> ActionRun:
    return ActionRun.objects.get(step__key="risk")


# Asked ----------------------------------------------------------------------------------------------------------------


def test_it_waits_and_later_actions_go_on(harbour: Account) -> None:
    enrollment = apply_now(rescue(), harbour, now=MONDAY, until=TUESDAY)

    run = asked_about()
    assert (run.state, run.reason_code, run.reason) == (
        "held",
        "approval",
        "It waits for approval by the account’s CSM.",
    )
    assert not Indicator.objects.exists()
    assert (enrollment.state, enrollment.progress) == ("active", 50)
    assert (question().state, question().expires_at) == ("waiting", TUESDAY + days(5))


def test_approved_it_runs_and_the_ledger_and_the_timeline_say_by_whom(inside: Workspace, harbour: Account) -> None:
    enrollment = apply_now(rescue(), harbour, now=MONDAY, until=TUESDAY)

    assert approve([question().pk], by=inside.priya, note="Go on", now=TUESDAY) == {question().pk}
    tick(now=TUESDAY)

    enrollment.refresh_from_db()
    assert (Indicator.objects.get().title, enrollment.state) == ("At risk", "completed")
    told = LedgerEntry.objects.filter(run_id=asked_about().pk, actor=inside.priya.actor).get()
    assert (told.from_state, told.to_state, told.reason) == ("held", "scheduled", "Approved: Go on")
    line = TimelineEntry.objects.get(kind="action.approved")
    assert (line.actor, line.text) == (inside.priya.actor, "Approved: Raise the risk “At risk” (Go on)")


def test_rejected_it_is_skipped_for_good_and_the_rest_goes_on(inside: Workspace, harbour: Account) -> None:
    enrollment = apply_now(rescue(), harbour, now=MONDAY, until=TUESDAY)

    reject([question().pk], by=inside.priya, note="They know", now=TUESDAY)
    tick(now=TUESDAY + days(30))

    enrollment.refresh_from_db()
    assert (asked_about().state, asked_about().reason) == ("skipped", "Rejected: They know")
    assert (enrollment.state, enrollment.progress) == ("completed", 100)
    assert approve([question().pk], by=inside.priya, now=TUESDAY) == set()
    assert not Indicator.objects.exists()


def test_nothing_of_it_happens_before_not_even_a_draft_and_recipients_are_asked_about_as_one(
    inside: Workspace, harbour: Account
) -> None:
    team_of_three(harbour)
    texts = {"subject": "Hello", "body": "Shall we talk?", "sender": "csm", "recipients": "matching"}
    config = texts | {"filters": {"field": "role", "op": "is", "value": "admin"}}
    step = {"key": "mail", "day": 1, "action": "start_conversation", "config": config}
    apply_now(live(playbook_json(steps=[step | asking()])), harbour, now=MONDAY)
    assert not Conversation.objects.exists()

    approve([question().pk], by=inside.priya, now=MONDAY)
    post = Post()
    tick(now=MONDAY, deliver=post)

    assert post.to == ["Ana Admin", "Bo Admin", "Cy Admin"]
    assert Approval.objects.count() == 1


# By whom --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "may"),
    [
        ("csm", {"priya", "olga", "jonah"}),
        ("ae", {"tom", "olga", "jonah"}),
        ("team:admin", {"olga", "jonah"}),
        ("team:manager", {"olga", "jonah", "maya"}),
        ("member:maya@orbiton.example", {"maya", "olga", "jonah"}),
    ],
)
def test_whoever_is_asked_decides_and_who_sets_playbooks_live(
    inside: Workspace, harbour: Account, by: str, may: set[str]
) -> None:
    apply_now(rescue(by=by), harbour, now=MONDAY)
    waiting = Approval.objects.waiting()

    assert {name for name, one in inside.people.items() if waiting.decidable_by(one).exists()} == may
    refused = inside.omar
    assert approve([question().pk], by=refused, now=MONDAY) == set()


def test_a_new_csm_is_asked_in_place_of_the_former_one(inside: Workspace, harbour: Account) -> None:
    apply_now(rescue(), harbour, now=MONDAY)

    Account.objects.filter(pk=harbour.pk).update(csm=inside.tom)

    assert approve([question().pk], by=inside.priya, now=MONDAY) == set()
    assert approve([question().pk], by=inside.tom, now=MONDAY)


def test_no_other_verb_lets_it_through(inside: Workspace, harbour: Account) -> None:
    apply_now(rescue(), harbour, now=MONDAY)

    assert not retry(asked_about(), by=inside.priya.actor, now=MONDAY)
    assert not skip(asked_about(), by=inside.priya.actor, now=MONDAY)
    assert question().state == "waiting"


# Nobody answers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("otherwise", "run", "enrollment", "raised"),
    [
        ("skip", "skipped", "completed", 0),
        ("apply", "applied", "completed", 1),
        ("stop", "cancelled", "stopped", 0),
    ],
)
def test_when_its_time_is_up_what_the_step_says_happens(
    harbour: Account, otherwise: str, run: str, enrollment: str, raised: int
) -> None:
    applied = apply_now(rescue(otherwise=otherwise), harbour, now=MONDAY)
    tick(now=MONDAY + days(4.9))
    assert question().state == "waiting"

    tick(now=MONDAY + days(5))

    applied.refresh_from_db()
    assert (question().state, asked_about().state, applied.state) == ("expired", run, enrollment)
    assert Indicator.objects.filter(state="active").count() == raised
    assert Account.objects.get().traits.get("stage") == (None if otherwise == "stop" else "Hot")


def test_a_paused_playbook_does_not_let_its_questions_expire(inside: Workspace, harbour: Account) -> None:
    playbook = rescue()
    apply_now(playbook, harbour, now=MONDAY)
    pause(playbook, by=inside.olga, now=MONDAY)

    tick(now=MONDAY + days(9))
    assert question().state == "waiting"

    resume(playbook, by=inside.olga, now=MONDAY + days(9))
    tick(now=MONDAY + days(9))
    assert question().state == "expired"


def test_a_stop_withdraws_the_question_and_its_preview_does_not(inside: Workspace, harbour: Account) -> None:
    enrollment = apply_now(rescue(), harbour, now=MONDAY)

    assert [line.says for line in preview_stop(enrollment, now=TUESDAY).cancelled][-1] == "Raise the risk “At risk”"
    assert question().state == "waiting"

    request_stop(enrollment, by=inside.priya, now=TUESDAY)
    assert (question().state, question().decided_at) == ("withdrawn", TUESDAY)
    assert approve([question().pk], by=inside.priya, now=TUESDAY) == set()
    tick(now=TUESDAY + days(9))
    assert (asked_about().state, Indicator.objects.exists()) == ("cancelled", False)


# Once -----------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_of_an_approval_a_rejection_and_a_stop_at_the_same_moment_one_decides() -> None:
    home = workspace("orbiton")
    with tenant_context(home.tenant.pk):
        playbook = rescue()
        for number in range(8):
            apply_now(playbook, account(f"Account {number}", csm=home.priya), now=MONDAY)
        pairs = list(Approval.objects.order_by("pk").values_list("pk", "enrollment_id"))

    def stopped(id: int) -> bool:
        return request_stop(Enrollment.objects.get(pk=id), by=home.priya, now=TUESDAY)

    for pk, enrollment in pairs:
        works: list[Callable[[], Any]] = [
            lambda pk=pk: approve([pk], by=home.priya, now=TUESDAY),  # type: ignore[misc]
            lambda pk=pk: reject([pk], by=home.priya, now=TUESDAY),  # type: ignore[misc]
            lambda id=enrollment: stopped(id),  # type: ignore[misc]
        ]
        approved, rejected, _stopped = _at_once(home, works)
        with tenant_context(home.tenant.pk):
            state = Approval.objects.get(pk=pk).state
        assert [bool(approved), bool(rejected)].count(True) <= 1
        assert state == ("approved" if approved else "rejected" if rejected else "withdrawn")
    tick(now=TUESDAY)
    with tenant_context(home.tenant.pk):
        assert not Indicator.objects.filter(state="active").exists()  # every one of them was stopped


def _at_once(home: Workspace, works: list[Callable[[], Any]]) -> list[Any]:
    barrier = Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        try:
            barrier.wait(10)
            with tenant_context(home.tenant.pk):
                return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def test_time_that_is_up_twice_counts_once(inside: Workspace, harbour: Account) -> None:
    apply_now(rescue(), harbour, now=MONDAY)

    assert [expire(inside.tenant, now=MONDAY + days(6)) for _ in range(2)] == [1, 0]


# Told -----------------------------------------------------------------------------------------------------------------


def test_each_who_is_asked_is_told_once_for_each_playbook_and_admins_where_nobody_is(inside: Workspace) -> None:
    playbook = rescue()
    for name, csm in (("Harbour", inside.priya), ("Yarrow", inside.priya), ("Ostrel", None)):
        apply_now(playbook, account(name, csm=csm), now=MONDAY)

    for _ in range(2):
        ActionsToApprove().tell(inside.tenant, now=MONDAY)

    told = {row.member: row.text for row in Notification.objects.filter(kind="approval").select_related("member")}
    assert told == {
        inside.priya: "Rescue asks whether 2 actions may run",
        inside.olga: "Rescue asks whether 1 action may run on Ostrel",
        inside.jonah: "Rescue asks whether 1 action may run on Ostrel",
    }


# In the definition ----------------------------------------------------------------------------------------------------


def test_it_is_exported_as_it_is_imported(inside: Workspace) -> None:
    playbook = rescue(by="member:Priya@orbiton.example", otherwise="apply")
    assert playbook.version

    steps = exported(playbook, playbook.version)["steps"]

    assert steps[0]["approval"] == {"by": "member:priya@orbiton.example", "within_days": 5, "otherwise": "apply"}
    assert "approval" not in steps[1]


@pytest.mark.parametrize(
    ("approval", "path"),
    [
        ("csm", "steps[0].approval"),
        ({"by": "somebody", "within_days": 5}, "steps[0].approval.by"),
        ({"by": "member:omar@orbiton.example", "within_days": 5}, "steps[0].approval.by"),  # who only reads
        ({"by": "csm"}, "steps[0].approval.within_days"),
        ({"by": "csm", "within_days": 91}, "steps[0].approval.within_days"),
        ({"by": "csm", "within_days": 5, "otherwise": "shout"}, "steps[0].approval.otherwise"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_place(inside: Workspace, approval: Any, path: str) -> None:
    with pytest.raises(DefinitionErrors) as refused:
        live(playbook_json(steps=[raise_risk(1, approval=approval)]))

    assert [problem.path for problem in refused.value.problems] == [path]


# On the pages ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def three(inside: Workspace) -> list[int]:
    """Two that ask Priya, one that asks Tom."""
    playbook = rescue()
    for name, csm in (("Harbour", inside.priya), ("Yarrow", inside.priya), ("Ostrel", inside.tom)):
        apply_now(playbook, account(name, csm=csm), now=MONDAY)
    return list(Approval.objects.order_by("pk").values_list("pk", flat=True))


INBOX = "playbooks/conversations/?tab=asked"


def test_the_inbox_lists_what_waits_and_ones_own(inside: Workspace, three: list[int]) -> None:
    priya = Visitor(inside.priya)
    whole, mine = text(priya.page(INBOX)), text(priya.fragment(f"{INBOX}&mine=1", "inbox"))

    assert "3 waiting" in whole
    assert "Ostrel · Rescue · asks Tom Lindqvist" in whole
    assert [whole.count('name="ids"'), mine.count('name="ids"')] == [2, 2]
    assert "Ostrel" not in mine
    assert "Yarrow" in text(priya.fragment(f"{INBOX}&q=yarr", "inbox"))


def test_several_are_decided_at_once_those_of_others_left_alone(inside: Workspace, three: list[int]) -> None:
    answer = Visitor(inside.priya).send(INBOX, verb="approve", ids=three)

    assert "2 actions approved" in answer.headers["HX-Trigger"]
    assert list(Approval.objects.order_by("pk").values_list("state", flat=True)) == ["approved", "approved", "waiting"]
    shown = text(Visitor(inside.priya).page("playbooks/conversations/?tab=answered"))
    assert "approved by Priya Raman" in shown
    assert Visitor(inside.omar).send(INBOX, verb="approve", ids=three).status_code == 403


def test_one_is_read_with_its_texts_filled_in_and_rejected_with_a_note(inside: Workspace, harbour: Account) -> None:
    user("Ana Admin", harbour, role="admin")
    note = {"key": "note", "day": 1, "action": "add_note", "config": {"body": "Ring {{ account.name }} soon"}}
    apply_now(live(playbook_json(steps=[note | asking()])), harbour, now=MONDAY)
    path = f"playbooks/approvals/{question().pk}/"
    priya = Visitor(inside.priya)

    shown = text(priya.page(path))
    assert "Ring" in shown
    assert "<b>Harbour</b> soon" in shown
    assert "it is skipped" in shown.lower()

    priya.submit(path, verb="reject", note="Not now")
    assert (question().state, question().note) == ("rejected", "Not now")
    assert "Rejected by Priya Raman" in text(priya.page(path))
    assert priya.submit(path, verb="nonsense").status_code == 422


def test_the_history_leads_there_and_offers_no_way_round(inside: Workspace, harbour: Account) -> None:
    enrollment = apply_now(rescue(), harbour, now=MONDAY)

    shown = text(Visitor(inside.priya).fragment(f"playbooks/enrollments/{enrollment.pk}/", "drawer"))

    assert "See what waits for approval" in shown
    assert "Try again" not in shown


def test_the_wizard_stores_who_is_asked_and_says_so(inside: Workspace) -> None:
    playbook, maya = rescue(), Visitor(inside.maya)
    maya.submit(f"playbooks/{playbook.pk}/edit/")
    path, asked = f"playbooks/{playbook.pk}/draft", {"step-approver": "team:admin", "step-otherwise": "stop"}
    config = {"kind": "risk", "title": "At risk", "step-day": "1"}

    odd = maya.submit(f"{path}/actions/?step=risk", **config, **asked, **{"step-within_days": "many"}, check="1")
    assert "Enter a whole number from 1 to 90" in text(odd)
    maya.submit(f"{path}/actions/?step=risk", **config, **asked, **{"step-within_days": "3"})

    review = text(maya.page(f"{path}/review/"))
    assert "Asks first: an owner or admin; after 3 days without an answer the playbook is stopped" in review


def test_another_workspaces_question_is_not_there(inside: Workspace, halyard: Workspace, three: list[int]) -> None:
    stranger = Visitor(halyard.olga)

    assert stranger.page(f"playbooks/approvals/{three[0]}/").status_code == 404
    stranger.send(INBOX, verb="approve", ids=three)
    assert Approval.objects.filter(state="waiting").count() == 3


def test_the_page_costs_the_same_for_any_number(
    inside: Workspace, three: list[int], django_assert_max_num_queries: Any
) -> None:
    priya = Visitor(inside.priya)
    priya.page(INBOX)
    with django_assert_max_num_queries(100) as few:
        priya.page(INBOX)
    playbook = Playbook.objects.get()
    for number in range(10):
        apply_now(playbook, account(f"Account {number}", csm=inside.priya), now=MONDAY)
    with django_assert_max_num_queries(len(few)):
        priya.page(INBOX)
