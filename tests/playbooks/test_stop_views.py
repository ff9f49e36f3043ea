"""Stop, apply and review: dialogs that say what will happen, and then do just that."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.models import Account, Conversation, Indicator
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.roles import Ability, Role, allows
from playbooks.models import ActionRun, Enrollment, Playbook
from tests.visitor import Visitor, is_whole, text
from tests.world import Workspace, account, apply_now, live, playbook_json, raise_risk, set_trait_step, trait, user

NOW = datetime.now(UTC)


@pytest.fixture
def priya(inside: Workspace) -> Visitor:
    return Visitor(inside.priya)


@pytest.fixture
def harbourline(inside: Workspace) -> Account:
    trait("stage")
    return account("Harbourline")


@pytest.fixture
def runway(harbourline: Account) -> Enrollment:
    steps = [raise_risk(1), set_trait_step("Proposal", day=5), raise_risk(31, key="far", title="Far away")]
    playbook = live(playbook_json("runway", steps=steps), now=NOW)
    return apply_now(playbook, harbourline, now=NOW - timedelta(days=10), until=NOW)


def run_of(enrollment: Enrollment, key: str) -> ActionRun:
    return ActionRun.objects.get(enrollment=enrollment, step__key=key)


# --- stop -------------------------------------------------------------------------------------------------------------


def test_the_dialog_lists_what_will_happen_item_by_item(priya: Visitor, inside: Workspace, runway: Enrollment) -> None:
    Indicator.objects.get().address(by=inside.tom, now=NOW)
    dialog = priya.fragment(f"playbooks/enrollments/{runway.pk}/stop/", "dialog")
    shown = text(dialog)

    assert not is_whole(dialog)
    assert "Stop Runway on Harbourline?" in shown
    assert shown.index("Will be undone") < shown.index("<b>Stage</b> goes back from Proposal to not set")
    assert shown.index("Will not run") < shown.index("Far away") < shown.index("Cannot be undone")
    assert "was marked as addressed by Tom Lindqvist" in shown
    assert "2 actions ran" in shown
    assert "1 is undone, 1 stays" in shown


def test_looking_changes_nothing(priya: Visitor, runway: Enrollment) -> None:
    priya.fragment(f"playbooks/enrollments/{runway.pk}/stop/", "dialog")

    runway.refresh_from_db()
    assert runway.state == "active"
    assert Indicator.objects.get().state == "active"


def test_without_scripts_the_dialog_is_a_page(priya: Visitor, runway: Enrollment) -> None:
    page = priya.page(f"playbooks/enrollments/{runway.pk}/stop/")

    assert is_whole(page)
    assert "Will be undone" in text(page)
    assert "hx-post" not in text(page).split('class="dialog in-page"')[1].split("</form>")[0]


def test_stopping_undoes_and_says_so_on_the_account(priya: Visitor, harbourline: Account, runway: Enrollment) -> None:
    answer = priya.submit(f"playbooks/enrollments/{runway.pk}/stop/", note="Terms agreed")

    runway.refresh_from_db()
    harbourline.refresh_from_db()
    assert (runway.state, runway.stop_note, runway.stopped_by) == ("stopped", "Terms agreed", priya.member.actor)
    assert harbourline.traits == {}
    assert answer["Location"] == f"/w/orbiton/accounts/{harbourline.pk}/?history={runway.pk}"
    assert "“Terms agreed”" in text(priya.client.get(answer["Location"]))


def test_by_htmx_the_dialog_closes_and_the_page_reloads_its_parts(priya: Visitor, runway: Enrollment) -> None:
    answer = priya.send(f"playbooks/enrollments/{runway.pk}/stop/", target="dialog")

    assert answer.status_code == 204
    assert all(event in answer["HX-Trigger"] for event in ("dialog:close", "account:changed", "Runway stopped"))


def test_an_item_whose_tick_is_gone_is_kept(priya: Visitor, harbourline: Account, runway: Enrollment) -> None:
    risk, stage = run_of(runway, "risk"), run_of(runway, "stage")
    priya.submit(f"playbooks/enrollments/{runway.pk}/stop/", shown=[risk.pk, stage.pk], undo=[risk.pk])

    harbourline.refresh_from_db()
    assert harbourline.traits == {"stage": "Proposal"}
    assert Indicator.objects.get().state == "ended"
    assert run_of(runway, "stage").reason_code == "kept_by_choice"


def test_what_was_applied_after_the_dialog_opened_is_undone_too(priya: Visitor, runway: Enrollment) -> None:
    risk = run_of(runway, "risk")
    priya.submit(f"playbooks/enrollments/{runway.pk}/stop/", shown=[risk.pk], undo=[risk.pk])

    assert run_of(runway, "stage").state == "undone"


def test_stopping_twice_says_that_it_was_stopped(priya: Visitor, runway: Enrollment) -> None:
    priya.submit(f"playbooks/enrollments/{runway.pk}/stop/", note="First")
    again = priya.send(f"playbooks/enrollments/{runway.pk}/stop/", note="Second")

    runway.refresh_from_db()
    assert runway.stop_note == "First"
    assert "was stopped before you" in again["HX-Trigger"]
    assert "is not running here" in text(priya.page(f"playbooks/enrollments/{runway.pk}/stop/"))


@pytest.mark.parametrize("data", [{"undo": "x"}, {"shown": "1;2"}, {"note": "n" * 1_001}])
def test_nonsense_is_refused_and_nothing_stops(priya: Visitor, runway: Enrollment, data: dict[str, str]) -> None:
    answer = priya.submit(f"playbooks/enrollments/{runway.pk}/stop/", **data)

    runway.refresh_from_db()
    assert (answer.status_code, runway.state) == (422, "active")


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("verb", ["get", "post"])
def test_who_may_stop(inside: Workspace, runway: Enrollment, verb: str, role: Role) -> None:
    visitor = Visitor(next(person for person in inside.people.values() if person.role == role))
    path = f"playbooks/enrollments/{runway.pk}/stop/"
    answer = visitor.page(path) if verb == "get" else visitor.submit(path)

    assert (answer.status_code != 403) == allows(role, Ability.RUN_PLAYBOOKS)


# --- apply ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def rescue(inside: Workspace) -> Playbook:
    return live(playbook_json("rescue"), now=NOW)


@pytest.fixture
def survey(inside: Workspace) -> Playbook:
    return live(playbook_json("survey", audience="users", rules={"user": {"field": "name", "op": "set"}}), now=NOW)


def test_only_live_playbooks_are_offered(priya: Visitor, harbourline: Account, rescue: Playbook) -> None:
    live(playbook_json("paused-one"), now=NOW)
    Playbook.objects.filter(key="paused-one").update(status="paused")
    shown = text(priya.fragment(f"playbooks/apply/{harbourline.pk}/", "dialog"))

    assert "Rescue" in shown
    assert "Paused one" not in shown


def test_applying_by_hand_starts_at_once(priya: Visitor, harbourline: Account, rescue: Playbook) -> None:
    answer = priya.send(f"playbooks/apply/{harbourline.pk}/", target="dialog", playbook=rescue.pk)

    enrollment = Enrollment.objects.get()
    assert (enrollment.account, enrollment.applied_by) == (harbourline, priya.member.actor)
    assert "Rescue applied" in answer["HX-Trigger"]


def test_a_playbook_that_is_active_here_is_not_applied_twice(
    priya: Visitor, harbourline: Account, rescue: Playbook
) -> None:
    priya.submit(f"playbooks/apply/{harbourline.pk}/", playbook=rescue.pk)
    again = priya.submit(f"playbooks/apply/{harbourline.pk}/", playbook=rescue.pk)

    assert (again.status_code, Enrollment.objects.count()) == (422, 1)
    assert "already active here" in text(again)


def test_a_user_playbook_asks_for_a_user_of_this_account(
    priya: Visitor, harbourline: Account, survey: Playbook
) -> None:
    ines = user("Ines Falk", harbourline)
    stranger = user("Grace Adeyemi", account("Elsewhere"))
    for email in ("", "nobody@customer.example", stranger.email):
        answer = priya.submit(f"playbooks/apply/{harbourline.pk}/", playbook=survey.pk, end_user=email)
        assert answer.status_code == 422
        assert "Enter the email of a user of this account." in text(answer)

    priya.submit(f"playbooks/apply/{harbourline.pk}/", playbook=survey.pk, end_user="INES.falk@customer.example")
    assert Enrollment.objects.get().end_user == ines


@pytest.mark.parametrize("role", Role)
def test_who_may_apply(inside: Workspace, harbourline: Account, rescue: Playbook, role: Role) -> None:
    visitor = Visitor(next(person for person in inside.people.values() if person.role == role))
    answer = visitor.submit(f"playbooks/apply/{harbourline.pk}/", playbook=rescue.pk)

    assert (answer.status_code != 403) == allows(role, Ability.RUN_PLAYBOOKS)
    assert Enrollment.objects.exists() == allows(role, Ability.RUN_PLAYBOOKS)


# --- review -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def draft(harbourline: Account, inside: Workspace) -> Conversation:
    """Drafted by a playbook yesterday, to leave the day after tomorrow."""
    user("Ines Falk", harbourline, role="owner")
    Account.objects.update(csm=inside.priya)
    config = {"subject": "Your order form", "body": "Hi Ines", "sender": "csm", "review_hours": 72}
    step = {"key": "mail", "day": 1, "action": "start_conversation", "config": config}
    apply_now(live(playbook_json("runway", steps=[step]), now=NOW), harbourline, now=NOW)
    return Conversation.objects.get()


def review(visitor: Visitor, draft: Conversation, verb: str, **data: Any) -> Any:
    text_of = {"subject": draft.subject, "body": draft.body}
    answer = visitor.send(f"playbooks/conversations/{draft.pk}/", target="dialog", verb=verb, **(text_of | data))
    draft.refresh_from_db()
    return answer


def test_the_draft_is_shown_with_sender_and_recipient(priya: Visitor, draft: Conversation) -> None:
    shown = text(priya.fragment(f"playbooks/conversations/{draft.pk}/", "dialog"))

    assert "Runway, day 1, on Harbourline" in shown
    assert all(part in shown for part in ("Priya Raman", "Ines Falk", 'value="Your order form"', "Hi Ines</textarea>"))


def test_an_edited_draft_keeps_its_schedule(priya: Visitor, draft: Conversation) -> None:
    planned = draft.send_at
    answer = review(priya, draft, "save", body="Dear Ines")

    assert (draft.state, draft.body, draft.send_at, draft.edited_by) == ("pending", "Dear Ines", planned, priya.member)
    assert "dialog:close" in answer["HX-Trigger"]


def test_it_can_be_sent_now(priya: Visitor, draft: Conversation) -> None:
    review(priya, draft, "now", subject="Sooner")

    assert (draft.state, draft.subject) == ("pending", "Sooner")
    assert ActionRun.objects.get(pk=draft.origin_run_id).try_at <= datetime.now(UTC)


def test_it_can_be_kept_from_leaving(priya: Visitor, draft: Conversation) -> None:
    review(priya, draft, "cancel", subject="")

    assert draft.state == "cancelled"


def test_an_empty_text_is_not_saved(priya: Visitor, draft: Conversation) -> None:
    answer = review(priya, draft, "save", body=" ")

    assert (answer.status_code, draft.body) == (422, "Hi Ines")


def test_what_was_sent_meanwhile_is_not_changed(priya: Visitor, draft: Conversation) -> None:
    Conversation.objects.update(state="sending")
    Conversation.objects.update(state="sent", sent_at=NOW)
    for verb in ("save", "now", "cancel"):
        assert "no longer pending" in review(priya, draft, verb, body="Late")["HX-Trigger"]

    assert (draft.state, draft.body) == ("sent", "Hi Ines")
    assert "It is no longer pending" in text(priya.page(f"playbooks/conversations/{draft.pk}/"))


@pytest.mark.parametrize("role", Role)
def test_everybody_reads_a_draft_and_workers_decide_about_it(
    inside: Workspace, draft: Conversation, role: Role
) -> None:
    visitor = Visitor(next(person for person in inside.people.values() if person.role == role))

    assert visitor.page(f"playbooks/conversations/{draft.pk}/").status_code == 200
    assert (review(visitor, draft, "save").status_code != 403) == allows(role, Ability.WORK_CTAS)


# --- other workspaces -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["enrollments/{enrollment}/stop/", "apply/{account}/", "conversations/{conversation}/"]
)
def test_another_workspaces_things_are_not_there(priya: Visitor, halyard: Workspace, path: str) -> None:
    with tenant_context(halyard.tenant.pk):
        at = account("Foreign")
        enrollment = apply_now(live(playbook_json(), now=NOW), at, now=NOW)
        conversation = Conversation.objects.create(
            account=at, subject="S", body="B", to_email="x@c.example", send_at=NOW, created_at=NOW
        )
    address = "playbooks/" + path.format(enrollment=enrollment.pk, account=at.pk, conversation=conversation.pk)

    assert priya.page(address).status_code == 404
    assert priya.submit(address, playbook="1", subject="S", body="B").status_code == 404
