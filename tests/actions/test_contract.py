"""What every action in the registry promises, whatever it does."""

from collections.abc import Callable

import pytest
from django.conf import settings
from django.forms import Form

from accounts.facts import set_person
from accounts.models import (
    Account,
    Conversation,
    EndUser,
    Indicator,
    Note,
    NpsEligibility,
    NpsResponse,
    Segment,
    SegmentClaim,
    TraitDefinition,
)
from accounts.segments.members import remove_by_hand
from accounts.traits import set_trait
from actions.base import Action, Applied, Audience, Held, Keep, Prepared, Skipped, Undo
from actions.calls import CallAction
from actions.checks import clean_config
from actions.registry import ACTIONS, action_for
from actions.retired import RetiredAction
from cs_platform.common.message_templates import FILTERS
from ctas.models import Cta, Task
from success_plans.models import SuccessPlan
from tests import world
from tests.actions.world import LATER, kept, play, statements, undone, visible
from tests.world import Workspace

every_action = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.key)
pytestmark = pytest.mark.usefixtures("harbour", "yarrow", "ben")


@pytest.fixture
def subjects(harbour: Account, yarrow: Account) -> list[Account]:
    world.user("Lena Ruiz", yarrow, role="owner")
    return [harbour, yarrow]


def test_keys_are_unique_and_found() -> None:
    assert len({action.key for action in ACTIONS}) == len(ACTIONS)
    assert all(action_for(action.key) is action for action in ACTIONS)


@every_action
def test_has_a_form_an_icon_and_an_audience(action: Action) -> None:
    assert issubclass(action.form, Form)
    assert action.icon
    assert action.audiences <= set(Audience)
    assert action.audiences


@every_action
def test_the_sample_is_valid_and_cleaning_it_twice_changes_nothing(action: Action) -> None:
    config = clean_config(action, action.sample)

    assert clean_config(action, config) == config


@every_action
def test_it_says_what_it_will_do_and_what_stopping_does(action: Action) -> None:
    config = clean_config(action, action.sample)

    assert action.describe(config)
    assert not action.describe(config).endswith(".")
    assert action.describe_stop(config).endswith(".")
    assert 0 < len(action.stop_in_brief(config)) < 40


@every_action
def test_the_sample_applies_to_accounts_and_tells_so(action: Action, subjects: list[Account]) -> None:
    before = visible()

    played = play(action.key, None, *subjects)

    assert all(isinstance(result, Applied | Prepared) for result in played.results)
    assert all(played.told)
    assert (visible() == before) == isinstance(action, CallAction)  # drafted in its receipt alone


@every_action
def test_the_sample_applies_to_users(action: Action, harbour: Account, ben: EndUser) -> None:
    played = play(action.key, None, (harbour, ben))

    assert isinstance(played.results[0], Applied | Prepared)


@every_action
def test_undo_restores_what_shows_and_comes_as_previewed(action: Action, subjects: list[Account]) -> None:
    before = visible()
    played = play(action.key, None, *subjects)

    decisions = played.undo()

    assert len(undone(decisions)) == 2
    assert visible() == before


HELD_BY_PEOPLE = (Cta, Task, Note, Indicator, Conversation, SuccessPlan, NpsEligibility, NpsResponse, SegmentClaim)


@every_action
def test_undo_deletes_nothing(action: Action, subjects: list[Account]) -> None:
    played = play(action.key, None, *subjects)
    before = {model: set(model.objects.values_list("pk", flat=True)) for model in HELD_BY_PEOPLE}

    played.undo()

    assert {model: set(model.objects.values_list("pk", flat=True)) for model in HELD_BY_PEOPLE} == before


@every_action
@pytest.mark.parametrize("first", ["earlier", "later"])
def test_two_playbooks_on_one_account_leave_no_residue_whichever_stops_first(
    action: Action, first: str, harbour: Account
) -> None:
    before = visible()
    earlier, later = (play(action.key, None, harbour, playbook=playbook) for playbook in (1, 2))
    order = [earlier, later] if first == "earlier" else [later, earlier]

    for at, leaving in enumerate(order):
        (decision,) = leaving.undo()
        if isinstance(decision, Keep) and decision.inherit is not None and at == 0:
            order[1].inherits(decision)

    assert visible() == before


@every_action
def test_asking_for_the_preview_writes_nothing(action: Action, subjects: list[Account]) -> None:
    played = play(action.key, None, *subjects)
    before = visible()

    played.preview()

    assert visible() == before


@every_action
def test_several_runs_on_one_account_leave_no_residue(action: Action, harbour: Account) -> None:
    before = visible()
    played = play(action.key, None, harbour, harbour, harbour)

    played.undo()

    assert visible() == before


@every_action
def test_an_archived_account_is_left_alone(action: Action, harbour: Account) -> None:
    Account.objects.filter(pk=harbour.pk).update(archived_at=LATER)
    before = visible()

    played = play(action.key, None, harbour)

    assert played.results == [Skipped("The account is archived.")]
    assert visible() == before


@every_action
def test_a_batch_takes_as_many_statements_as_one_run(
    action: Action, orbiton: Workspace, subjects: list[Account]
) -> None:
    more = [world.account(f"Account {n}", csm=orbiton.priya) for n in range(20)]
    for at in more:
        world.user(f"User of {at.pk}", at, role="admin")

    one = statements(lambda: play(action.key, None, subjects[0]).undo())
    many = statements(lambda: play(action.key, None, *more).undo())

    assert many <= one


@every_action
def test_a_run_somebody_marked_as_done_can_be_told_and_stays(action: Action, harbour: Account) -> None:
    played = play(action.key, None, harbour)
    for run_id in played.outcomes:
        played.outcomes[run_id] = Applied({"marked_done": "person:1"})  # type: ignore[index]

    assert played.told[0]
    if not action.external:
        assert [code for code, _says in kept(played.undo())] == ["done_by_hand"]


# A person's work, per action: what they do, and what then stays.


def _edit_stage(orbiton: Workspace, account: Account) -> None:
    account.refresh_from_db()
    stage = TraitDefinition.objects.get(scope="account", key="stage")
    set_trait(account, stage, value="Mine", by=orbiton.priya, now=LATER)


def _address(orbiton: Workspace, account: Account) -> None:
    Indicator.objects.get(account=account).address(by=orbiton.priya, now=LATER)


def _finish_a_task(orbiton: Workspace, account: Account) -> None:
    Task.objects.filter(cta__account=account)[0].complete(by=orbiton.priya, now=LATER)


def _send(orbiton: Workspace, account: Account) -> None:
    Conversation.objects.filter(account=account).update(state="sent", sent_at=LATER)


def _reassign(orbiton: Workspace, account: Account) -> None:
    account.refresh_from_db()
    set_person(account, "ae", member=orbiton.maya, by=orbiton.priya, now=LATER)


def _take_out_of_the_segment(orbiton: Workspace, account: Account) -> None:
    segment = Segment.objects.get(name="Renewal")
    remove_by_hand(segment=segment, subjects=[account.pk], by=orbiton.priya, now=LATER)


def _edit_the_note(orbiton: Workspace, account: Account) -> None:
    assert Note.objects.get(account=account).edit(body="Mine", by=orbiton.priya, now=LATER)


def _answer(orbiton: Workspace, account: Account) -> None:
    for tie in account.account_users.all():
        NpsResponse.objects.create(end_user=tie.end_user, account=account, score=9, answered_at=LATER, source="survey")


CALLS = ("call_webhook", "post_to_slack", "segment_track")
WORK: dict[str, tuple[Callable[[Workspace, Account], None], str]] = {
    "assign": (_reassign, "reassigned"),
    "create_task": (_finish_a_task, "completed"),
    "change_segment": (_take_out_of_the_segment, "removed_since"),
    "add_note": (_edit_the_note, "edited"),
    "show_nps": (_answer, "answered"),
    "update_trait": (_edit_stage, "changed_by"),
    "create_indicator": (_address, "addressed"),
    "create_cta": (_finish_a_task, "completed"),
    "start_success_plan": (_finish_a_task, "progress"),
    "set_up_tasks": (_finish_a_task, "completed"),
    "start_conversation": (_send, "already_sent"),
    **dict.fromkeys(CALLS, (lambda orbiton, account: None, "already_sent")),
}


@every_action
def test_undo_after_somebody_worked_on_it_keeps_their_work_and_says_why(
    action: Action, orbiton: Workspace, harbour: Account
) -> None:
    played = play(action.key, None, harbour)
    work, code = WORK[action.key]
    work(orbiton, harbour)
    if action.key in CALLS:
        played.outcomes = {
            id: Applied({**one.receipt, "sent_at": LATER.isoformat()}) for id, one in played.outcomes.items()
        }
    theirs = _work_of_people()

    decisions = played.undo()

    assert [found for found, _says in kept(decisions)] == [code]
    assert all(says and not says.endswith(".") for _code, says in kept(decisions))
    assert _work_of_people() == theirs


def _work_of_people() -> dict[str, object]:
    return {
        "aes": list(Account.objects.order_by("pk").values_list("ae_id", flat=True)),
        "notes": list(Note.objects.filter(archived_at=None).values_list("pk", "body")),
        "answers": list(NpsResponse.objects.values_list("pk", "score")),
        "stages": list(Account.objects.order_by("pk").values_list("traits__stage", "t01")),
        "addressed": list(Indicator.objects.filter(state="addressed").values_list("pk", "settled_by")),
        "done": list(Task.objects.filter(status="done", archived_at=None).values_list("pk", "completed_by")),
        "ctas": list(Cta.objects.filter(archived_at=None, tasks__status="done").values_list("pk", flat=True)),
        "plans": list(SuccessPlan.objects.present().values_list("pk", flat=True)),
        "sent": list(Conversation.objects.filter(state="sent").values_list("pk", flat=True)),
    }


# A kind of action that no longer exists.


def test_an_unknown_kind_can_be_described_and_refuses_to_apply(harbour: Account) -> None:
    retired = action_for("fax_the_customer")

    assert isinstance(retired, RetiredAction)
    assert "fax_the_customer" in retired.describe({})
    batch = play("create_indicator", None, harbour).batch
    assert {type(outcome) for outcome in retired.apply(batch).values()} == {Held}
    assert {type(outcome) for outcome in retired.prepare(batch).values()} == {Held}
    assert {type(decision) for decision in retired.undo(batch).values()} == {Keep}
    assert not any(isinstance(decision, Undo) for decision in retired.preview_undo(batch).values())


# Documentation


@every_action
def test_it_is_documented_with_every_setting_and_every_reason_to_stay(action: Action) -> None:
    section = _section(action.key)

    missing = [name for name in action.form.base_fields if f"| `{name}` |" not in section]
    assert not missing
    assert "Stop" in section
    assert f"`{WORK[action.key][1]}`" in section


def _section(key: str) -> str:
    text = (settings.BASE_DIR / "docs" / "actions.md").read_text()
    return text.partition(f"## {key}\n")[2].partition("\n## ")[0]


def test_every_filter_is_documented() -> None:
    text = (settings.BASE_DIR / "docs" / "actions.md").read_text()

    assert [name for name in FILTERS if f"`{name}`" not in text] == []
