"""The account page: what it shows, what people do on it, and who may."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.models import Account, Conversation, Indicator, NpsResponse, TimelineEntry
from accounts.timeline import PAGE_SIZE
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.roles import Ability, Role, allows
from ctas.models import Cta
from playbooks.undo import request_stop
from tests.visitor import Visitor, is_whole, text
from tests.world import Workspace, account, apply_now, live, playbook_json, raise_risk, set_trait_step, trait, user

NOW = datetime.now(UTC)
QUERIES = 51


@pytest.fixture
def harbourline(inside: Workspace) -> Account:
    return account("Harbourline", csm=inside.priya, ae=inside.tom, mrr_cents=100_000, plan="Scale")


def risk(at: Account, **fields: Any) -> Indicator:
    known = {"kind": "risk", "title": "Renewal at risk", "raised_at": NOW, "raised_by": "import"}
    return Indicator.objects.create(account=at, **(known | fields))


def page_of(visitor: Visitor, at: Account, query: str = "") -> str:
    return text(visitor.page(f"accounts/{at.pk}/{query}"))


def test_the_head_names_account_plan_and_people(priya: Visitor, harbourline: Account) -> None:
    shown = page_of(priya, harbourline)

    assert all(part in shown for part in ("Harbourline</h1>", "Scale", "Priya Raman, CSM", "Tom Lindqvist, AE"))
    assert "$12,000" in shown


def test_the_body_alone_is_answered_to_htmx(priya: Visitor, harbourline: Account) -> None:
    body = priya.fragment(f"accounts/{harbourline.pk}/", "account-body")

    assert not is_whole(body)
    assert 'id="timeline"' in text(body)


def test_each_tab_says_how_much_there_is_behind_it(priya: Visitor, harbourline: Account) -> None:
    for n in range(3):
        Cta.objects.create(account=harbourline, name=f"C{n}", type="risk", created_at=NOW, created_by="import")
    user("Ines", harbourline)
    user("Gone", harbourline, archived_at=NOW)
    head = page_of(priya, harbourline).partition('aria-label="Sections of this page"')[2].partition("</nav>")[0]

    assert 'href="#ctas">CTAs <span class="n">3</span></a>' in head
    assert 'href="#users">Users <span class="n">1</span></a>' in head
    assert 'href="#conversations">Conversations</a>' in head


def test_what_is_changed_in_a_card_is_changed_in_the_head_with_it(
    priya: Visitor, inside: Workspace, harbourline: Account
) -> None:
    Account.objects.update(csm=inside.tom)
    body = text(priya.fragment(f"accounts/{harbourline.pk}/", "account-body"))

    assert '<hx-partial hx-target="#account-head"' in body
    assert "Tom Lindqvist, CSM" in body.partition("</hx-partial>")[0]
    assert "hx-partial" not in page_of(priya, harbourline)


def test_the_numbers_on_top_tell_health_and_nps_with_how_many_answered(priya: Visitor, harbourline: Account) -> None:
    assert "No answer yet" in page_of(priya, harbourline)
    for name, score in (("Ines", 10), ("Dario", 9), ("Grace", 3)):
        person = user(name, harbourline)
        NpsResponse.objects.create(end_user=person, account=harbourline, score=score, answered_at=NOW)

    assert "+33 <small>3 answers</small>" in page_of(priya, harbourline)


@pytest.mark.parametrize("target", ["account-body", "traits", "older", "drawer"])
def test_another_workspaces_account_is_not_there(priya: Visitor, halyard: Workspace, target: str) -> None:
    with tenant_context(halyard.tenant.pk):
        foreign = account("Foreign")

    assert priya.page(f"accounts/{foreign.pk}/").status_code == 404
    assert priya.fragment(f"accounts/{foreign.pk}/", target).status_code == 404


def test_of_an_archived_account_only_that_and_its_timeline_are_there(priya: Visitor, harbourline: Account) -> None:
    Account.objects.update(archived_at=NOW)

    assert "when an import was undone" in text(priya.page(f"accounts/{harbourline.pk}/"))
    assert "account-body" not in text(priya.fragment(f"accounts/{harbourline.pk}/", "account-body"))
    assert priya.page(f"accounts/{harbourline.pk}/csm/").status_code == 404


# --- playbooks --------------------------------------------------------------------------------------------------------


def test_active_playbooks_come_first_then_past_ones_with_the_note_of_the_stop(
    priya: Visitor, inside: Workspace, harbourline: Account
) -> None:
    steps = [raise_risk(1), raise_risk(30, key="far", title="Far")]
    stopped = live(playbook_json("stopped-one", steps=steps), now=NOW)
    live_one = live(playbook_json("live-one", steps=steps), now=NOW)
    past = apply_now(stopped, harbourline, now=NOW)
    request_stop(past, by=inside.tom, note="Budget frozen", now=NOW)
    apply_now(live_one, harbourline, now=NOW - timedelta(days=5))
    shown = page_of(priya, harbourline)

    assert shown.index("Live one") < shown.index("Stopped one")
    assert "by Tom Lindqvist: “Budget frozen”" in shown


def test_open_ctas_are_listed_with_their_tasks_done(priya: Visitor, harbourline: Account) -> None:
    cta = Cta.objects.create(account=harbourline, name="Call Ines", type="risk", created_at=NOW, created_by="import")
    cta.add_task(title="Dial", by=priya.member, now=NOW).complete(by=priya.member, now=NOW)
    cta.add_task(title="Write", by=priya.member, now=NOW)
    Cta.objects.create(account=harbourline, name="Done", type="risk", status="won", created_at=NOW, created_by="import")
    shown = page_of(priya, harbourline)

    assert "Call Ines" in shown
    assert "1/2" in shown
    assert "<b>Done</b>" not in shown


# --- indicators -------------------------------------------------------------------------------------------------------


def test_an_active_indicator_says_who_raised_it(priya: Visitor, inside: Workspace, harbourline: Account) -> None:
    risk(harbourline, note="Health under 60.", assignee=inside.tom, raised_by=inside.maya.actor)
    risk(harbourline, title="Settled", state="addressed")
    shown = page_of(priya, harbourline)

    assert "assigned to Tom Lindqvist" in shown
    assert "Health under 60. Raised by Maya Osei." in shown
    assert "Settled" not in shown.partition("Past indicators")[0]
    assert "Settled" in shown.partition("Past indicators")[2]


def test_an_indicator_can_be_marked_as_addressed(priya: Visitor, harbourline: Account) -> None:
    indicator = risk(harbourline)
    answer = priya.send(f"accounts/indicators/{indicator.pk}/address/")

    indicator.refresh_from_db()
    assert (answer.status_code, indicator.state, indicator.settled_by) == (204, "addressed", priya.member.actor)
    assert "account:changed" in answer["HX-Trigger"]


def test_without_scripts_addressing_leads_back_to_the_account(priya: Visitor, harbourline: Account) -> None:
    answer = priya.submit(f"accounts/indicators/{risk(harbourline).pk}/address/")

    assert answer["Location"] == f"/w/orbiton/accounts/{harbourline.pk}/"


# --- traits -----------------------------------------------------------------------------------------------------------


def test_traits_tell_what_set_them(priya: Visitor, harbourline: Account) -> None:
    trait("stage", label="Renewal stage")
    apply_now(live(playbook_json("runway", steps=[set_trait_step("Proposal")]), now=NOW), harbourline, now=NOW)
    shown = page_of(priya, harbourline)

    assert "Renewal stage</dt>" in shown
    assert "Proposal" in shown
    assert 'title="Set by Runway"' in shown


def test_the_form_holds_custom_traits_as_people_type_them(priya: Visitor, harbourline: Account) -> None:
    trait("discount", "currency")
    trait("modules", "list")
    trait("seats", "number", source="integration")
    Account.objects.update(traits={"discount": 125_050, "modules": ["Scan", "Bill"], "seats": 4})
    shown = page_of(priya, harbourline, "?edit=traits")

    assert 'value="1250.50"' in shown
    assert 'value="Scan, Bill"' in shown
    assert 'value="4"' not in shown


def test_saving_writes_only_what_was_changed(priya: Visitor, harbourline: Account) -> None:
    stage, note = trait("stage"), trait("note")
    Account.objects.update(traits={"stage": "Early", "note": "old"}, t01="Early", t02="old")
    priya.submit(f"accounts/{harbourline.pk}/traits/", **{f"trait-{stage.pk}": "Proposal", f"trait-{note.pk}": "old"})

    harbourline.refresh_from_db()
    assert harbourline.traits == {"stage": "Proposal", "note": "old"}
    assert harbourline.trait_writers == {"stage": priya.member.actor}
    assert TimelineEntry.objects.get().text == "Stage changed from Early to Proposal"


def test_a_value_that_does_not_fit_comes_back_with_a_sentence(priya: Visitor, harbourline: Account) -> None:
    seats = trait("seats", "number")
    for answer in (
        priya.send(f"accounts/{harbourline.pk}/traits/", target="traits", **{f"trait-{seats.pk}": "many"}),
        priya.submit(f"accounts/{harbourline.pk}/traits/", **{f"trait-{seats.pk}": "many"}),
    ):
        assert answer.status_code == 422
        assert "“many” is not a number." in text(answer)
        assert 'value="many"' in text(answer)
    assert Account.objects.get().traits == {}


def test_a_person_who_is_no_member_is_refused(priya: Visitor, harbourline: Account, halyard: Workspace) -> None:
    sponsor = trait("sponsor", "person")
    answer = priya.submit(f"accounts/{harbourline.pk}/traits/", **{f"trait-{sponsor.pk}": str(halyard.tom.pk)})

    assert answer.status_code == 422


# --- users, conversations, timeline -----------------------------------------------------------------------------------


def test_ten_users_are_shown_and_all_are_counted(priya: Visitor, harbourline: Account) -> None:
    for n in range(12):
        user(f"Person {n}", harbourline)
    shown = page_of(priya, harbourline)

    assert shown.count("never seen") == 10
    assert "of 12" in shown


def test_pending_conversations_can_be_reviewed(priya: Visitor, harbourline: Account) -> None:
    draft = Conversation.objects.create(
        account=harbourline, subject="Your order form", body="Hi", to_email="i@c.example", send_at=NOW, created_at=NOW
    )

    assert f"/w/orbiton/playbooks/conversations/{draft.pk}/" in page_of(priya, harbourline)


def test_the_timeline_tells_who_newest_first_and_goes_on(priya: Visitor, harbourline: Account) -> None:
    for n in range(PAGE_SIZE + 1):
        at = NOW - timedelta(hours=n)
        TimelineEntry.objects.create(
            account=harbourline, at=at, kind="cta.closed", actor=priya.member.actor, text=f"Entry {n:02}."
        )
    first = page_of(priya, harbourline)
    assert first.index("Entry 00.") < first.index("Entry 01.")
    assert f"Entry {PAGE_SIZE}." not in first

    address = first.split("?older=")[1].split("#")[0]
    rest = text(priya.fragment(f"accounts/{harbourline.pk}/?older={address}", "older"))
    assert f"Entry {PAGE_SIZE}." in rest
    assert "Entry 01." not in rest
    assert "Priya Raman" in rest


@pytest.mark.parametrize("nonsense", ["x", "~", "2026-11-02~1", "2026-11-02T09:00:00Z~x", "9~9"])
def test_a_place_in_the_timeline_that_is_none_starts_at_the_newest(
    priya: Visitor, harbourline: Account, nonsense: str
) -> None:
    assert priya.page(f"accounts/{harbourline.pk}/?older={nonsense}").status_code == 200


def test_the_number_of_queries_does_not_grow_with_what_happened(
    priya: Visitor, harbourline: Account, django_assert_max_num_queries: Any
) -> None:
    for n in range(4):
        steps = [raise_risk(1, title=f"Risk {n}"), raise_risk(9, key="far", title="Far")]
        apply_now(live(playbook_json(f"p-{n}", steps=steps), now=NOW), harbourline, now=NOW)
        Cta.objects.create(account=harbourline, name=f"C{n}", type="risk", created_at=NOW, created_by=f"playbook:{n}")
        user(f"Person {n}", harbourline)
        trait(f"t{n}")

    with django_assert_max_num_queries(QUERIES):
        priya.page(f"accounts/{harbourline.pk}/")


# --- roles ------------------------------------------------------------------------------------------------------------

POSTS = ("indicators/{indicator}/address/", "{account}/traits/")


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("path", POSTS)
def test_who_may_edit_accounts(inside: Workspace, harbourline: Account, path: str, role: Role) -> None:
    somebody = next(person for person in inside.people.values() if person.role == role)
    address = path.format(indicator=risk(harbourline).pk, account=harbourline.pk)

    answer = Visitor(somebody).submit(f"accounts/{address}")
    assert (answer.status_code != 403) == allows(role, Ability.EDIT_ACCOUNTS)


@pytest.mark.parametrize("path", POSTS)
def test_posts_about_another_workspaces_things_are_not_found(priya: Visitor, halyard: Workspace, path: str) -> None:
    with tenant_context(halyard.tenant.pk):
        foreign = account("Foreign")
        address = path.format(indicator=risk(foreign).pk, account=foreign.pk)

    assert priya.submit(f"accounts/{address}").status_code == 404


def test_an_observer_sees_no_button(inside: Workspace, harbourline: Account) -> None:
    risk(harbourline)
    shown = page_of(Visitor(inside.omar), harbourline)

    assert not any(words in shown for words in ("Mark as addressed", "Apply playbook", "?edit=traits"))
    assert "trait-" not in page_of(Visitor(inside.omar), harbourline, "?edit=traits")
