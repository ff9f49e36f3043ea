"""Notes a playbook writes and surveys it shows: gone when it stops, unless people made something of them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from accounts.models import Account, EndUser, Note, NpsEligibility, NpsResponse
from accounts.nps.answers import record_answer
from accounts.nps.showings import record_showing
from accounts.nps.survey import change_survey
from actions.base import Audience, Held, Skipped
from actions.checks import ActionErrors, clean_config
from actions.registry import action_for
from cs_platform.workspace.models import Comment
from tests import world
from tests.actions.world import LATER, Played, kept, play, undone
from tests.world import MONDAY, Workspace

ADMINS = {"field": "role", "op": "is", "value": "admin"}


# Notes


def test_a_note_is_filled_in_and_signed_by_the_run(harbour: Account) -> None:
    played = play("add_note", {"body": "{{ account.name }} on {{ account.plan }}"}, harbour)

    note = Note.objects.get()
    assert (note.body, note.author) == ("Harbourline Logistics on Pro", played.runs[0].writer)
    assert played.told == ["Note written: Harbourline Logistics on Pro"]


def test_a_note_without_a_value_is_held_and_the_others_are_written(harbour: Account, yarrow: Account) -> None:
    Account.objects.filter(pk=yarrow.pk).update(plan=None)

    _first, second = play("add_note", {"body": "On {{ account.plan }}"}, harbour, yarrow).results

    assert isinstance(second, Held)
    assert Note.objects.get().account == harbour


def test_an_untouched_note_is_archived(harbour: Account) -> None:
    assert undone(play("add_note", {"body": "Call them"}, harbour).undo()) == ["The note “Call them” is archived"]
    assert Note.objects.get().archived_at == LATER


@pytest.mark.parametrize(
    ("work", "code"),
    [
        (lambda note, by: note.edit(body="Mine", by=by, now=LATER), "edited"),
        (
            lambda note, by: Comment.objects.create(
                subject=note.subject, author=by.actor, body="Done", written_at=LATER
            ),
            "replied",
        ),
        (lambda note, by: note.archive(now=LATER), "target_gone"),
    ],
)
def test_a_note_somebody_edited_or_replied_to_stays(
    orbiton: Workspace, harbour: Account, work: Callable[..., Any], code: str
) -> None:
    played = play("add_note", {"body": "Call them"}, harbour)
    assert work(Note.objects.get(), orbiton.priya)

    assert [found for found, _says in kept(played.undo())] == [code]


# The survey


def ask(*subjects: Any, **config: Any) -> Played:
    return play("show_nps", {"show_to": "everybody"} | config, *subjects)


def asked() -> set[str]:
    claims = NpsEligibility.objects.filter(ended_at=None).select_related("end_user")
    return {claim.end_user.name for claim in claims}


@pytest.fixture
def zoe(harbour: Account) -> EndUser:
    return world.user("Zoe Lane", harbour)


def test_all_users_are_asked_or_the_one_it_is_about(harbour: Account, ben: EndUser, zoe: EndUser) -> None:
    assert ask((harbour, zoe)).told == ["NPS survey shown to 1 user"]
    assert asked() == {"Zoe Lane"}
    ask(harbour)
    assert asked() == {"Zoe Lane", "Ben Novak"}


def test_only_users_who_match_are_asked(harbour: Account, yarrow: Account, ben: EndUser, zoe: EndUser) -> None:
    played = ask(harbour, yarrow, show_to="matching", filters=ADMINS)

    assert asked() == {"Ben Novak"}
    assert played.results[1] == Skipped("No user of the account is to be asked.")


def test_shown_but_not_answered_the_survey_is_withdrawn(harbour: Account, ben: EndUser) -> None:
    assert undone(ask(harbour).undo()) == ["The NPS survey is no longer shown"]
    assert asked() == set()


def test_the_survey_is_offered_for_as_many_days_as_it_says(harbour: Account, ben: EndUser) -> None:
    """It is stopped at LATER, three days on."""
    still, over = ask((harbour, ben), for_days=30), ask((harbour, ben), for_days=3)

    assert {claim.ends_at for claim in NpsEligibility.objects.all()} == {MONDAY + timedelta(days=n) for n in (3, 30)}
    assert undone(still.undo()) == ["The NPS survey is no longer shown"]
    assert [code for code, _says in kept(over.undo())] == ["target_gone"]


def test_an_answer_to_a_survey_shown_before_the_stop_is_still_heard(
    orbiton: Workspace, harbour: Account, ben: EndUser
) -> None:
    played = play("show_nps", {"show_to": "everybody"}, harbour)
    change_survey(is_on=True, origins=["https://app.example.com"], by=orbiton.olga, now=MONDAY)
    assert record_showing(ben.pk, now=MONDAY, today=MONDAY.date())

    undone(played.undo())

    answer = {"score": 9, "comment": None, "since": MONDAY.date(), "now": LATER}
    assert record_answer(ben.pk, account_id=harbour.pk, **answer)


def test_an_answered_survey_is_kept_with_its_answer(harbour: Account, ben: EndUser, zoe: EndUser) -> None:
    one, all_of_them = ask((harbour, ben)), ask(harbour)
    NpsResponse.objects.create(end_user=ben, account=harbour, score=9, answered_at=LATER, source="survey")

    assert kept(one.undo()) == [("answered", "The NPS survey was answered: 1 answer stays")]
    assert undone(all_of_them.undo()) == ["The NPS survey is no longer shown; 1 answer stays"]
    assert NpsResponse.objects.count() == 1
    assert asked() == set()


@pytest.mark.parametrize("first_out", [0, 1])
def test_two_playbooks_that_ask_one_user_leave_nobody_asked(harbour: Account, ben: EndUser, first_out: int) -> None:
    both = [ask(harbour), ask(harbour)]

    both[first_out].undo()
    assert asked() == {"Ben Novak"}
    both[1 - first_out].undo()

    assert asked() == set()


def test_matching_needs_conditions_and_a_playbook_for_accounts(orbiton: Workspace) -> None:
    kind = action_for("show_nps")

    with pytest.raises(ActionErrors, match="Say which users"):
        clean_config(kind, {"show_to": "matching"})
    with pytest.raises(ActionErrors, match="is for users"):
        clean_config(kind, {"show_to": "matching", "filters": ADMINS}, audience=Audience.USERS)
    with pytest.raises(ActionErrors):
        clean_config(kind, {"show_to": "matching", "filters": {"field": "shoe size", "op": "is", "value": 3}})
