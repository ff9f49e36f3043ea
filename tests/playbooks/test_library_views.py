"""The list of playbooks and the page of one: what they do in words, whom they reached, and who may switch them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from accounts.facts import set_known_cause
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.roles import Ability, Role, allows
from ctas.models import Task
from playbooks import enrolled
from playbooks.evaluation import evaluate_if_due
from playbooks.models import ActionRun, Enrollment, Evaluation, Playbook
from playbooks.pump import pump
from playbooks.undo import request_stop
from playbooks.versions import import_playbook, publish
from tests.visitor import Visitor, is_whole, text
from tests.world import Workspace, account, apply_now, evaluate, live, playbook_json, raise_risk, set_trait_step, trait

NOW = datetime.now(UTC)
TABS = ("", "enrollments/", "evaluations/", "versions/")


@pytest.fixture
def priya(inside: Workspace) -> Visitor:
    return Visitor(inside.priya)


@pytest.fixture
def jonah(inside: Workspace) -> Visitor:
    return Visitor(inside.jonah)


@pytest.fixture
def rescue(inside: Workspace) -> Playbook:
    trait("stage")
    steps = [raise_risk(1), set_trait_step("Hot", day=15, keep_on_stop=True)]
    data = playbook_json("rescue", category="Adoption", description="Call {{ account.name }}", steps=steps)
    return live(data, by=inside.jonah, now=NOW)


def test_the_page_says_what_came_of_it(priya: Visitor, inside: Workspace) -> None:
    config = {"name": "Review", "type": "lifecycle", "owner": "csm", "tasks": [{"title": "Usage"}, {"title": "Call"}]}
    review = live(playbook_json("review", steps=[{"key": "cta", "day": 1, "action": "create_cta", "config": config}]))
    apply_now(review, account("Harbourline", csm=inside.priya), now=NOW)
    Task.objects.filter(title="Usage").update(status="done")

    assert "<dt>Tasks done in a year</dt><dd>1 <small>of 2" in text(priya.page(f"playbooks/{review.pk}/"))


# --- list -------------------------------------------------------------------------------------------------------------


def test_a_row_says_who_gets_it_how_long_it_takes_and_how_many_are_in_it(
    priya: Visitor, inside: Workspace, rescue: Playbook
) -> None:
    apply_now(rescue, account("Harbourline"), now=NOW)
    request_stop(apply_now(rescue, account("Calyx"), now=NOW), by=inside.tom, now=NOW)
    shown = text(priya.page("playbooks/"))

    assert "Plan is Pro" in shown
    assert "2 actions in 15 days" in shown
    assert '?show=active"><b>1</b>' in shown
    assert '?show=stopped">1</a>' in shown
    assert "All tracked" in shown


def test_playbooks_stand_by_category_those_without_last(priya: Visitor, rescue: Playbook) -> None:
    live(playbook_json("alone"), now=NOW)
    shown = text(priya.page("playbooks/"))

    assert shown.index("Adoption <span") < shown.index("Rescue</b>") < shown.index("Other <span")


def test_drafts_have_a_tab_of_their_own(priya: Visitor, rescue: Playbook) -> None:
    import_playbook(playbook_json("idea"), by=None, now=NOW)

    assert "Idea</b>" not in text(priya.page("playbooks/"))
    assert "Idea</b>" in text(priya.page("playbooks/?tab=drafts"))
    assert "Idea</b>" not in text(priya.page("playbooks/?tab=unheard-of"))


def test_the_list_is_narrowed_by_category_and_by_who_made_it_and_sorted_within_categories(
    priya: Visitor, inside: Workspace, rescue: Playbook
) -> None:
    steps = [raise_risk(), raise_risk(9, key="later", title="Later")]
    zeal = live(playbook_json("zeal", category="Adoption", steps=steps), by=inside.maya, now=NOW)
    apply_now(zeal, account("Calyx"), now=NOW)
    live(playbook_json("runway", category="Renewal"), by=inside.jonah, now=NOW)

    def named(query: str) -> list[str]:
        shown = text(priya.page(f"playbooks/?{query}"))
        places = {name: shown.find(f"{name}</b>") for name in ("Rescue", "Zeal", "Runway")}
        return sorted((name for name, at in places.items() if at >= 0), key=lambda name: places[name])

    assert named("sort=unheard-of&owner=x&category=Nothing") == ["Rescue", "Zeal", "Runway"]
    assert named("sort=active") == named("sort=latest") == ["Zeal", "Rescue", "Runway"]

    assert named("category=Renewal") == ["Runway"]
    assert named(f"owner={inside.jonah.pk}") == ["Rescue", "Runway"]
    assert named(f"owner={inside.jonah.pk}&category=Adoption") == ["Rescue"]


def test_the_heads_of_the_list_put_it_in_their_order_and_keep_what_is_asked(priya: Visitor, rescue: Playbook) -> None:
    shown = text(priya.page("playbooks/?q=res&category=Adoption&sort=active"))

    active = 'aria-sort="descending"><a class="th-btn" href="?q=res&amp;category=Adoption&amp;sort=active"'
    assert active in shown
    assert 'href="?q=res&amp;category=Adoption&amp;sort=name"' in shown
    assert shown.count("aria-sort=") == 1
    assert 'aria-sort="ascending"' in text(priya.page("playbooks/"))


def test_a_draft_shows_the_schedule_that_stands_in_it(priya: Visitor, inside: Workspace) -> None:
    import_playbook(playbook_json("idea", steps=[raise_risk(), raise_risk(9, key="later")]), by=inside.maya, now=NOW)
    shown = text(priya.page("playbooks/?tab=drafts"))

    assert "2 actions in 9 days" in shown


def test_a_rows_menu_offers_what_one_may_do(priya: Visitor, jonah: Visitor, rescue: Playbook) -> None:
    menu = f'id="more-{rescue.key}"'
    reads, publishes = (text(one.page("playbooks/")).partition(menu)[2] for one in (priya, jonah))

    assert f"{rescue.pk}/export/" in reads
    assert f"{rescue.pk}/duplicate/" not in reads
    assert f"{rescue.pk}/duplicate/" in publishes
    assert f"{rescue.pk}/archive/" in publishes
    jonah.send(f"playbooks/{rescue.pk}/archive/")
    assert f"{rescue.pk}/unarchive/" in text(jonah.page("playbooks/?tab=archived"))


def test_searching_answers_the_rows_alone(priya: Visitor, rescue: Playbook) -> None:
    found = priya.fragment("playbooks/?q=resc", "playbooks")

    assert not is_whole(found)
    assert "Rescue</b>" in text(found)
    assert "No playbook matches" in text(priya.page("playbooks/?q=xyz"))


def test_the_last_check_is_told_with_what_it_came_to(priya: Visitor, inside: Workspace, rescue: Playbook) -> None:
    account("Harbourline", plan="Pro")
    evaluate(inside.tenant, now=NOW)

    assert "1 account · 1 applied · <span>0 errors</span>" in text(priya.page("playbooks/"))
    one = ActionRun.objects.filter(step__position=0)
    one.update(state="running", lease_token=uuid4(), lease_until=NOW)
    one.update(state="dead", lease_token=None, lease_until=None)
    assert '1 applied · <span class="bad-text">1 error</span>' in text(priya.page("playbooks/"))


def test_the_number_of_queries_does_not_grow_with_the_playbooks(
    priya: Visitor, rescue: Playbook, django_assert_max_num_queries: Any
) -> None:
    for n in range(8):
        live(playbook_json(f"p-{n}"), now=NOW)

    with django_assert_max_num_queries(22):
        priya.page("playbooks/")


def test_rules_about_a_trait_that_is_gone_do_not_break_the_page(priya: Visitor, inside: Workspace) -> None:
    gone = trait("stage")
    live(playbook_json("old", rules={"account": {"field": "trait:stage", "op": "set"}}), now=NOW)
    gone.delete()

    assert "Its rules ask about a field that is gone" in text(priya.page("playbooks/"))


# --- switching and evaluating -----------------------------------------------------------------------------------------


def test_a_playbook_is_paused_and_resumed_from_the_toast(jonah: Visitor, rescue: Playbook) -> None:
    enrollment = apply_now(rescue, account(), now=NOW)
    answer = jonah.send(f"playbooks/{rescue.pk}/pause/")
    rescue.refresh_from_db()
    enrollment.refresh_from_db()
    assert (rescue.status, enrollment.state) == ("paused", "paused")

    jonah.client.post(json.loads(answer["HX-Trigger"])["toast"]["undo"])
    rescue.refresh_from_db()
    enrollment.refresh_from_db()
    assert (rescue.status, enrollment.state) == ("live", "active")


def test_evaluate_now_enrolls_whom_the_rules_match(jonah: Visitor, inside: Workspace, rescue: Playbook) -> None:
    evaluate_if_due(inside.tenant, now=datetime.now(UTC))  # the night is over
    account("Harbourline", plan="Pro")
    answer = jonah.submit("playbooks/evaluate/")

    assert answer["Location"] == "/w/orbiton/playbooks/"
    assert not Enrollment.objects.exists()
    assert "Checking the rules" in (waiting := text(jonah.page("playbooks/")))
    assert "by Jonah Weiss" in waiting
    assert "Evaluate now" not in waiting

    pump("evaluate", clock=lambda: datetime.now(UTC))
    assert Enrollment.objects.get().account.name == "Harbourline"
    assert "1 applied" in (done := text(jonah.page("playbooks/")))
    assert "Checking the rules" not in done


def test_the_page_says_why_it_is_not_applied_to_an_account(jonah: Visitor, inside: Workspace) -> None:
    careful = live(playbook_json("careful", respects_known_cause=True), by=inside.jonah, now=NOW)
    harbour, calyx = account("Harbourline", plan="Pro"), account("Harbourview", plan="Basic")
    set_known_cause(harbour, cause="They move", until=NOW.date() + timedelta(days=9), by=inside.maya, now=NOW)
    page = f"playbooks/{careful.pk}/"

    assert "Not applied while it lasts" in text(jonah.page(page))
    assert f"account={calyx.pk}" in text(jonah.page(f"{page}?check=Harbour"))
    held = text(jonah.page(f"{page}?check=harbourline"))
    assert "Not applied to Harbourline" in held
    assert "They move" in held
    assert "Not applied to Harbourview" in text(jonah.fragment(f"{page}?account={calyx.pk}", "playbook"))


@pytest.fixture
def held(inside: Workspace, rescue: Playbook) -> Evaluation:
    """More accounts than the playbook's limit match at once."""
    import_playbook(playbook_json("rescue", brake_limit=1, name="Rescue"), by=None, now=NOW)
    publish(rescue, by=inside.jonah, now=NOW)
    Playbook.objects.update(first_evaluated_at=NOW)
    for name in ("Harbourline", "Calyx"):
        account(name, plan="Pro")
    evaluate(inside.tenant, now=NOW)
    return Evaluation.objects.get(state="held")


def test_a_held_evaluation_says_why_and_can_be_let_through(jonah: Visitor, rescue: Playbook, held: Evaluation) -> None:
    assert "It would enroll 2 at once" in text(jonah.page(f"playbooks/{rescue.pk}/evaluations/"))
    answer = jonah.send(f"playbooks/checks/{held.pk}/release/")

    assert "Let through: it is being applied" in answer["HX-Trigger"]
    pump("evaluate")
    assert Enrollment.objects.count() == 2
    assert "Let through by Jonah Weiss" in text(jonah.page(f"playbooks/{rescue.pk}/evaluations/"))


def test_a_held_evaluation_can_be_dropped_once(jonah: Visitor, held: Evaluation) -> None:
    assert "Dropped" in jonah.send(f"playbooks/checks/{held.pk}/drop/")["HX-Trigger"]
    assert "before you" in jonah.send(f"playbooks/checks/{held.pk}/release/")["HX-Trigger"]
    assert not Enrollment.objects.exists()


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(
    ("path", "ability"),
    [
        ("{playbook}/pause/", Ability.PUBLISH_PLAYBOOKS),
        ("{playbook}/resume/", Ability.PUBLISH_PLAYBOOKS),
        ("evaluate/", Ability.RELEASE_EVALUATIONS),
        ("checks/{held}/release/", Ability.RELEASE_EVALUATIONS),
        ("checks/{held}/drop/", Ability.RELEASE_EVALUATIONS),
    ],
)
def test_who_may_switch_and_release(
    inside: Workspace, held: Evaluation, path: str, ability: Ability, role: Role
) -> None:
    visitor = Visitor(next(person for person in inside.people.values() if person.role == role))
    answer = visitor.submit("playbooks/" + path.format(playbook=held.playbook_id, held=held.pk))

    assert (answer.status_code != 403) == allows(role, ability)


def test_others_see_the_state_but_no_switch(priya: Visitor, held: Evaluation) -> None:
    assert 'aria-label="Rescue live"' not in text(priya.page("playbooks/"))
    assert "Let through</button>" not in text(priya.page(f"playbooks/{held.playbook_id}/evaluations/"))


# --- one playbook -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_is_a_page_and_a_fragment(priya: Visitor, rescue: Playbook, tab: str) -> None:
    apply_now(rescue, account(), now=NOW)
    evaluate(rescue.tenant, now=NOW)
    whole, part = priya.page(f"playbooks/{rescue.pk}/{tab}"), priya.fragment(f"playbooks/{rescue.pk}/{tab}", "playbook")

    assert [is_whole(whole), is_whole(part)] == [True, False]
    assert all("Rescue</h1>" in text(response) for response in (whole, part))


def test_the_overview_says_everything_in_sentences(priya: Visitor, rescue: Playbook) -> None:
    shown = text(priya.page(f"playbooks/{rescue.pk}/"))

    assert "<b>Plan is Pro</b>." in shown
    assert "Once ever for each" in shown
    assert "<b>Day 15</b><small>14 days later</small>" in shown
    assert "When stopped: An active indicator ends" in shown
    assert "When stopped: It stays; this step is marked so." in shown
    assert '<span class="var">account.name</span>' in shown


def test_a_draft_has_an_overview_too(priya: Visitor, inside: Workspace) -> None:
    idea = import_playbook(playbook_json("idea"), by=None, now=NOW)

    assert "1, draft" in text(priya.page(f"playbooks/{idea.pk}/"))


def test_a_step_hung_on_a_date_says_when(priya: Visitor, inside: Workspace) -> None:
    step = {**raise_risk(), "anchor": {"field": "renewal_on", "days": -30}}
    step.pop("day")
    playbook = live(playbook_json("runway", steps=[step]), now=NOW)

    assert "<b>30 days</b><small>before renewal date</small>" in text(priya.page(f"playbooks/{playbook.pk}/"))


@pytest.mark.parametrize(
    ("show", "found"),
    [
        ("all", {"Active One", "Stopped One", "Failed One"}),
        ("active", {"Active One", "Failed One"}),
        ("finished", set()),
        ("stopped", {"Stopped One"}),
        ("failed", {"Failed One"}),
    ],
)
def test_enrollments_can_be_filtered(
    priya: Visitor, inside: Workspace, rescue: Playbook, show: str, found: set[str]
) -> None:
    runs = {name: apply_now(rescue, account(name), now=NOW) for name in ("Active One", "Stopped One", "Failed One")}
    request_stop(runs["Stopped One"], by=inside.tom, now=NOW)
    far = runs["Failed One"].runs.filter(state="scheduled")
    pk = far.get().pk
    far.update(state="running", lease_token=pk, lease_until=NOW)
    runs["Failed One"].runs.filter(pk=pk).update(state="dead", lease_token=None, lease_until=None)
    shown = text(priya.page(f"playbooks/{rescue.pk}/enrollments/?show={show}"))

    assert {name for name in runs if f">{name}</a>" in shown} == found


def test_enrollments_come_newest_first_in_pages(
    priya: Visitor, rescue: Playbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrolled, "PAGE_SIZE", 2)
    for n in range(3):
        apply_now(rescue, account(f"Account {n}"), now=NOW - timedelta(days=n))
    first = text(priya.page(f"playbooks/{rescue.pk}/enrollments/"))
    address = first.split('href="?show=all&amp;after=')[1].split('"')[0]
    second = text(priya.page(f"playbooks/{rescue.pk}/enrollments/?show=all&after={address}"))

    assert first.index("Account 0") < first.index("Account 1")
    assert ">Account 2</a>" not in first
    assert ">Account 2</a>" in second
    assert ">Account 1</a>" not in second


def test_a_history_opens_beside_the_enrollments(priya: Visitor, rescue: Playbook) -> None:
    enrollment = apply_now(rescue, account(), now=NOW)
    path = f"playbooks/{rescue.pk}/enrollments/?history={enrollment.pk}"

    assert "Playbook history" in text(priya.page(path))
    assert "Rescue</h1>" in text(priya.fragment(path, "drawer"))


@pytest.mark.parametrize("tab", TABS)
def test_another_workspaces_playbook_is_not_there(priya: Visitor, halyard: Workspace, tab: str) -> None:
    with tenant_context(halyard.tenant.pk):
        foreign = live(playbook_json("foreign"), now=NOW)

    assert priya.page(f"playbooks/{foreign.pk}/{tab}").status_code == 404
    assert "Foreign" not in text(priya.page("playbooks/"))


@pytest.mark.parametrize("path", ["{playbook}/pause/", "checks/{held}/release/"])
def test_posts_about_another_workspaces_playbooks_are_not_found(jonah: Visitor, halyard: Workspace, path: str) -> None:
    with tenant_context(halyard.tenant.pk):
        foreign = live(playbook_json("foreign"), now=NOW)
        run = evaluate(halyard.tenant, now=NOW)
        held = run.evaluations.get()

    assert jonah.submit("playbooks/" + path.format(playbook=foreign.pk, held=held.pk)).status_code == 404
