"""Values edited in their place, notes, discussions and the user page, as a person meets them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from accounts.models import Account, AccountUser, EndUser, EventCount, EventType, Indicator, Note
from accounts.traits import set_trait
from tests.visitor import Visitor, is_whole, text
from tests.world import MONDAY, Workspace, account, trait, user


@pytest.fixture
def harbour(inside: Workspace) -> Account:
    return account("Harbourline", csm=inside.priya)


TYPED = [
    ("text", "Proposal", "Proposal"),
    ("number", "12", 12),
    ("currency", "12.50", 1250),
    ("boolean", "true", True),
    ("date", "2026-11-05", "2026-11-05"),
    ("moment", "2026-11-05T09:30", "2026-11-05T09:30:00Z"),
    ("list", "a, b", ["a", "b"]),
    ("url", "https://a.example", "https://a.example"),
]


@pytest.mark.parametrize(("type", "typed", "stored"), TYPED)
def test_a_value_of_every_type_is_edited_in_its_place(
    priya: Visitor, harbour: Account, type: str, typed: str, stored: Any
) -> None:
    definition = trait("it", type)
    address = f"accounts/{harbour.pk}/traits/{definition.pk}/"
    form = priya.fragment(address, f"edit-trait-{definition.pk}")
    assert not is_whole(form)
    assert priya.send(address, **{f"trait-{definition.pk}": typed}).status_code == 204

    harbour.refresh_from_db()
    assert harbour.traits == {"it": stored}
    assert harbour.trait_writers == {"it": priya.member.actor}


def test_without_scripts_the_form_is_a_page_and_leads_back(priya: Visitor, harbour: Account) -> None:
    definition = trait("stage")
    address = f"accounts/{harbour.pk}/traits/{definition.pk}/"

    assert is_whole(priya.page(address))
    assert priya.submit(address, **{f"trait-{definition.pk}": "x"})["Location"].endswith(f"/accounts/{harbour.pk}/")


def test_a_value_that_does_not_fit_stays_in_its_form(priya: Visitor, harbour: Account) -> None:
    seats = trait("seats", "number")
    place = f"edit-trait-{seats.pk}"
    answer = priya.send(f"accounts/{harbour.pk}/traits/{seats.pk}/", target=place, **{f"trait-{seats.pk}": "many"})

    assert answer.status_code == 422
    assert "“many” is not a number." in text(answer)
    assert not is_whole(answer)


def test_a_holder_who_left_the_team_stays_until_somebody_else_is_chosen(
    priya: Visitor, inside: Workspace, harbour: Account
) -> None:
    Account.objects.update(csm=inside.tom)
    inside.tom.deactivated_at = MONDAY
    inside.tom.save()
    assert "Tom Lindqvist (no longer active)" in text(priya.page(f"accounts/{harbour.pk}/csm/"))
    priya.submit(f"accounts/{harbour.pk}/csm/", member=str(inside.tom.pk))
    assert Account.objects.get().csm_id == inside.tom.pk

    priya.submit(f"accounts/{harbour.pk}/csm/", member=str(inside.priya.pk))
    assert Account.objects.get().csm_id == inside.priya.pk


def test_a_parent_is_found_by_the_beginning_of_a_word(priya: Visitor, harbour: Account) -> None:
    group = account("The Harbour Group")
    found = text(priya.fragment(f"accounts/{harbour.pk}/parent/?q=harb", "parents"))
    assert "The Harbour Group" in found
    priya.send(f"accounts/{harbour.pk}/parent/", parent=str(group.pk))

    assert Account.objects.get(pk=harbour.pk).parent_id == group.pk
    refused = priya.send(f"accounts/{group.pk}/parent/", target="dialog", parent=str(harbour.pk))
    assert refused.status_code == 422
    assert "is itself below" in text(refused)


def test_a_known_cause_is_shown_until_its_day(priya: Visitor, harbour: Account) -> None:
    address = f"accounts/{harbour.pk}/known-cause/"
    assert priya.submit(address, cause="They move", until="").status_code == 422
    priya.submit(address, cause="They move", until="2199-01-01")
    assert "They move" in text(priya.page(f"accounts/{harbour.pk}/"))

    Account.objects.update(known_cause_until=MONDAY.date().replace(year=2000))
    assert "<b>Known cause</b>" not in text(priya.page(f"accounts/{harbour.pk}/"))


# --- notes and discussions --------------------------------------------------------------------------------------------


def test_a_note_is_written_changed_by_its_author_and_archived_with_a_way_back(
    priya: Visitor, inside: Workspace, harbour: Account
) -> None:
    priya.submit(f"accounts/{harbour.pk}/notes/", body="They moved")
    note = Note.objects.get()
    Visitor(inside.tom).submit(f"accounts/notes/{note.pk}/", body="They stayed")
    priya.submit(f"accounts/notes/{note.pk}/", body="They moved twice")
    shown = text(priya.page(f"accounts/{harbour.pk}/"))
    assert shown.count("They moved twice") >= 2  # on the timeline too
    assert "They stayed" not in shown

    assert f"notes/{note.pk}/restore/" in priya.send(f"accounts/notes/{note.pk}/archive/")["HX-Trigger"]
    assert "They moved twice" not in text(priya.page(f"accounts/{harbour.pk}/"))
    priya.submit(f"accounts/notes/{note.pk}/restore/")
    assert "They moved twice" in text(priya.page(f"accounts/{harbour.pk}/"))


def test_an_empty_note_comes_back(priya: Visitor, harbour: Account) -> None:
    assert priya.send(f"accounts/{harbour.pk}/notes/", target="notes", body=" ").status_code == 422
    assert not Note.objects.exists()


def test_an_indicator_is_raised_given_to_somebody_discussed_and_reopened(
    priya: Visitor, inside: Workspace, harbour: Account
) -> None:
    raised = {"kind": "risk", "title": "Quiet", "note": "No sign-in", "assignee": str(inside.tom.pk)}
    priya.submit(f"accounts/{harbour.pk}/indicators/", **raised)
    indicator = Indicator.objects.get()
    priya.submit(f"accounts/indicators/{indicator.pk}/assign/", assignee=str(inside.maya.pk))
    Visitor(inside.omar).submit(f"accounts/indicators/{indicator.pk}/comments/", body="I only watch")
    priya.submit(f"accounts/indicators/{indicator.pk}/end/")
    drawer = text(priya.page(f"accounts/{harbour.pk}/?indicator={indicator.pk}"))
    assert all(words in drawer for words in ("I only watch", "Omar Haddad", "Ended", "Make active again"))

    priya.submit(f"accounts/indicators/{indicator.pk}/reopen/")
    indicator.refresh_from_db()
    assert (indicator.state, indicator.assignee_id) == ("active", inside.maya.pk)


def test_the_timeline_is_narrowed_by_kind_person_and_day(priya: Visitor, inside: Workspace, harbour: Account) -> None:
    set_trait(harbour, trait("stage"), value="Early", by=inside.tom, now=MONDAY)
    Note.write(harbour, body="Nothing new", by=priya.member, now=MONDAY)
    stage, note = "Stage set to Early", "Nothing new"

    def shown(query: str) -> str:
        return text(priya.fragment(f"accounts/{harbour.pk}/?{query}", "timeline"))

    assert stage in shown("")
    assert stage not in shown("kind=notes")
    assert note in shown("kind=notes")
    assert note not in shown(f"by={inside.tom.actor}")
    assert note not in shown("from=2026-11-03")
    assert note in shown("from=2026-11-02&to=2026-11-02")
    assert stage in shown("kind=nonsense&from=never")


def test_the_drawer_tells_the_history_of_one_value(priya: Visitor, inside: Workspace, harbour: Account) -> None:
    stage = trait("stage")
    for value in ("Early", "Late"):
        set_trait(harbour, stage, value=value, by=inside.tom, now=MONDAY)
    drawer = text(priya.fragment(f"accounts/{harbour.pk}/?changes={harbour.pk}&field=trait:stage", "drawer"))

    assert all(words in drawer for words in ("Stage", "Early", "Late", "Tom Lindqvist"))
    assert priya.page(f"accounts/{harbour.pk}/?changes={harbour.pk}&field=trait:none").status_code == 404


# --- users ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def ben(harbour: Account) -> EndUser:
    return user("Ben Falk", harbour, role="admin")


def test_the_user_page_tells_accounts_and_habits(priya: Visitor, harbour: Account, ben: EndUser) -> None:
    report = EventType.objects.create(name="Report made")
    now = datetime.now(UTC)
    EventCount.objects.create(event_type=report, day=now.date(), account=harbour, end_user=ben, count=7, last_at=now)
    shown = text(priya.page(f"users/{ben.pk}/"))

    assert all(words in shown for words in ("Ben Falk</h1>", "Harbourline", "admin", "Report made", ">7<"))


def test_a_user_becomes_a_key_contact_and_no_longer(priya: Visitor, harbour: Account, ben: EndUser) -> None:
    address = f"users/{ben.pk}/accounts/{harbour.pk}/key-contact/"
    priya.submit(address, is_key="on")
    assert AccountUser.objects.get().is_key_contact
    assert "Ben Falk is a key contact now" in text(priya.page(f"accounts/{harbour.pk}/"))
    priya.submit(address, is_key="")
    assert not AccountUser.objects.get().is_key_contact


def test_a_users_trait_is_edited_in_its_place(priya: Visitor, ben: EndUser) -> None:
    mood = trait("mood", scope="user")
    priya.submit(f"users/{ben.pk}/traits/{mood.pk}/", **{f"trait-{mood.pk}": "good"})

    ben.refresh_from_db()
    assert ben.traits == {"mood": "good"}
    assert "good" in text(priya.page(f"users/{ben.pk}/?user_changes={ben.pk}&field=trait:mood"))
