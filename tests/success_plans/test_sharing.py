"""The page a customer sees: nothing until it is picked, field by field, and nothing at all once the link is over."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Account
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import AuditEntry, Credential
from cs_platform.workspace.comments import write_comment
from success_plans import planning, sharing
from success_plans.guests import ACT
from success_plans.models import ShareLink, ShareVisit, SuccessPlan
from success_plans.planning import CannotPlan
from success_plans.sharing import FIELD, OBJECTIVE, PARTS, offered_parts
from tests.success_plans.world import named, stand_alone
from tests.visitor import Visitor, text
from tests.world import Workspace

NOW = datetime.now(UTC)
TODAY = NOW.date()
SOON = TODAY + timedelta(days=3)

# part -> what only it shows
SECRETS: dict[str, tuple[str, ...]] = {
    "name": ("Warehouse roll-out",),
    "standing": ("On track",),
    "progress": ("of 3 tasks", "Progress 33"),
    "highlights": ("They dislike the old labels",),
    "owner": ("Priya Raman",),
    "metric": ("Missed scans", "4.2%"),
    "stakeholders": ("Ines Falk", "VP Operations"),
    "soon": ("Next two weeks",),
    f"{FIELD}sponsor_s_wish": ("Half the cost",),
    f"{FIELD}sites": ("Sites",),
}
# What no part shows, whatever is picked.
NEVER = (
    "orbiton.example", "Comment of the team", "Kept in the house", "reason of the house", "Pro plan of the account",
    "$", "Risk", "high", "Closed won",
)  # fmt: skip


@pytest.fixture
def told(orbiton: Workspace, plan: SuccessPlan, harbour: Account) -> SuccessPlan:
    """The plan with something in every field, and things that are nobody else's business."""
    by: dict[str, Any] = {"by": orbiton.priya, "now": NOW}
    Account.objects.filter(pk=harbour.pk).update(mrr_cents=918_273, plan="Pro plan of the account", health=7)
    facts = {"metric": "Missed scans", "metric_unit": "%", "metric_start": 4.2, "metric_now": 3.1, "metric_goal": 2.0}
    values = {"sponsor_s_wish": "Half the cost", "sites": 12}
    dates = {"start_on": TODAY, "due_on": TODAY + timedelta(days=200)}
    planning.edit_plan(plan, highlights="They dislike the old labels", values=values, **facts, **dates, **by)
    planning.add_stakeholder(plan, name="Ines Falk", email="ines@customer.example", role="VP Operations", **by)
    planning.activate(plan, **by)
    write_comment(subject=plan.subject, body="Comment of the team", **by)
    pilot = named(plan, "Move three")
    pilot.cta.edit(reason="reason of the house", comment="Kept in the house", priority="high", due_on=SOON, **by)
    pilot.cta.tasks.get(title="Install scanners").complete(**by)
    for name in ("Go live", "Cut missed"):
        named(plan, name).cta.edit(due_on=TODAY + timedelta(days=100), **by)
    planning.join_plan(plan, stand_alone(harbour, orbiton, "They may leave us", status="won", closed_at=NOW), **by)
    return plan


def share(plan: SuccessPlan, space: Workspace, *parts: str, days: int = 30) -> tuple[ShareLink, str]:
    link, token = sharing.make_link(plan, name="Ines", parts=parts, days=days, by=space.priya, now=NOW)
    return link, reverse("shared:plan", args=[token])


def opened(address: str) -> Any:
    return Client().get(address)


def part_of(plan: SuccessPlan, name: str) -> str:
    return f"{OBJECTIVE}{named(plan, name).pk}"


def test_nothing_is_shown_until_it_is_picked(orbiton: Workspace, told: SuccessPlan) -> None:
    _link, address = share(told, orbiton)
    shown = text(opened(address))

    assert "Nothing has been shared here yet" in shown
    everything = [words for secrets in SECRETS.values() for words in secrets]
    everything += [line.cta.name for line in told.objectives.select_related("cta")]
    assert [words for words in (*everything, *NEVER) if words in shown] == []


@pytest.mark.parametrize("part", SECRETS)
def test_each_part_shows_itself_and_nothing_of_the_others(orbiton: Workspace, told: SuccessPlan, part: str) -> None:
    _link, address = share(told, orbiton, part)
    shown = text(opened(address))

    assert all(words in shown for words in SECRETS[part])
    others = [words for key, secrets in SECRETS.items() if key != part for words in secrets]
    others += [line.cta.name for line in told.objectives.select_related("cta")]
    assert [words for words in (*others, *NEVER) if words in shown] == []


def test_everything_picked_shows_everything_but_what_is_nobody_elses_business(
    orbiton: Workspace, told: SuccessPlan
) -> None:
    _link, address = share(told, orbiton, *[key for key, _label in offered_parts(told)])
    shown = text(opened(address))

    assert [words for secrets in SECRETS.values() for words in secrets if words not in shown] == []
    assert all(name in shown for name in ("Move three", "Cut missed", "Install scanners", "Tom Lindqvist"))
    assert [words for words in NEVER if words in shown] == []


def test_an_objective_is_shown_alone_and_a_new_one_not_until_it_is_picked(
    orbiton: Workspace, told: SuccessPlan
) -> None:
    _link, address = share(told, orbiton, part_of(told, "Move three"))
    planning.add_objective(told, name="Brand new", by=orbiton.priya, now=NOW)
    shown = text(opened(address))

    assert "Move three pilot sites" in shown
    hidden = ("Brand new", "Go live", "Cut missed", "They may leave", "Install scanners", "Tom", "Due", "2/2", "1/2")
    assert [words for words in hidden if words in shown] == []


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("tasks", "Install scanners"),
        ("people", "Priya Raman"),
        ("due_dates", f"Due {SOON.day} "),
        ("progress", "1/2"),
        ("soon", f"<b>{SOON.day}</b>"),
    ],
)
def test_what_an_objective_says_is_picked_one_by_one(
    orbiton: Workspace, told: SuccessPlan, part: str, words: str
) -> None:
    alone = text(opened(share(told, orbiton, part_of(told, "Move three"))[1]))
    more = text(opened(share(told, orbiton, part_of(told, "Move three"), part)[1]))

    assert words not in alone
    assert words in more


def test_how_an_objective_ended_in_the_house_is_told_to_nobody(orbiton: Workspace, told: SuccessPlan) -> None:
    named(told, "Go live").cta.close(status="lost", by=orbiton.priya, now=NOW)
    shown = text(opened(share(told, orbiton, part_of(told, "Go live"))[1]))

    assert "Closed" in shown
    assert "lost" not in shown


# --- links that are over ----------------------------------------------------------------------------------------------


def test_a_revoked_and_an_ended_link_and_one_that_never_was_show_the_same_plain_page(
    orbiton: Workspace, told: SuccessPlan
) -> None:
    (revoked, first), (ended, second) = share(told, orbiton, "name"), share(told, orbiton, "name")
    assert sharing.revoke_link(revoked, by=orbiton.priya, now=NOW)
    assert not sharing.revoke_link(revoked, by=orbiton.priya, now=NOW)
    ShareLink.objects.filter(pk=ended.pk).update(expires_at=NOW - timedelta(seconds=1))

    answers = [
        opened(address) for address in (first, second, "/shared/plan_never/", "/shared/x/", f"/shared/{'a' * 300}/")
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert "This link shows nothing any more" in text(answers[0])
    assert not ShareVisit.objects.exists()


def test_archiving_a_plan_or_its_account_takes_the_page_away(orbiton: Workspace, told: SuccessPlan) -> None:
    _link, address = share(told, orbiton, "name")
    planning.archive_plan(told, by=orbiton.priya, now=NOW)
    assert opened(address).status_code == 404
    planning.restore_plan(told, by=orbiton.priya, now=NOW)
    assert opened(address).status_code == 200
    Account.objects.update(archived_at=NOW)
    assert opened(address).status_code == 404


def test_a_token_of_another_kind_opens_nothing(orbiton: Workspace, told: SuccessPlan) -> None:
    _link, address = share(told, orbiton, "name")
    Credential.objects.update(kind="api_key")

    assert opened(address).status_code == 404


def test_the_token_is_kept_as_a_hash_only(orbiton: Workspace, told: SuccessPlan) -> None:
    link, address = share(told, orbiton, "name")
    token = address.split("/")[2]

    assert token not in str(ShareLink.objects.values().get())
    assert len(token) > 40
    assert Credential.objects.get(kind="share_link").token_hash == link.token_hash
    assert token not in str(list(AuditEntry.objects.values()))


def test_the_address_is_kept_out_of_caches_search_engines_and_other_sites(
    orbiton: Workspace, told: SuccessPlan
) -> None:
    answer = opened(share(told, orbiton, "name")[1])

    assert (answer["Cache-Control"], answer["Referrer-Policy"]) == ("no-store", "same-origin")
    assert "noindex" in answer["X-Robots-Tag"]
    assert not answer.cookies


# --- the team's side --------------------------------------------------------------------------------------------------


def test_openings_are_logged_and_those_within_an_hour_are_one_visit(orbiton: Workspace, told: SuccessPlan) -> None:
    link, address = share(told, orbiton, "name")
    for _ in range(3):
        Client().get(address, headers={"User-Agent": "Firefox"}, REMOTE_ADDR="203.0.113.9")
    Client().get(address, REMOTE_ADDR="203.0.113.10")
    Client().head(address)

    found = ShareVisit.objects.order_by("id").values_list("ip_address", "browser", "times")
    assert list(found) == [("203.0.113.9", "Firefox", 3), ("203.0.113.10", "", 1)]
    later = NOW + timedelta(hours=3)
    sharing.note_visit(link, ip="203.0.113.9", browser="Firefox", now=later)
    assert sharing.visits_of(link)[0].last_at == later


def test_a_link_is_made_shown_once_changed_and_revoked_on_its_page(
    orbiton: Workspace, priya: Visitor, told: SuccessPlan
) -> None:
    made = priya.submit(f"plans/{told.pk}/links/new/", name="Ines", days=30, parts=["name", "progress"])
    link = ShareLink.objects.get()
    address = text(made).partition('id="made-link">http://testserver')[2].partition("<")[0]

    assert "Warehouse roll-out" in text(opened(address))
    assert "/shared/" not in text(priya.page(f"plans/{told.pk}/links/"))
    priya.send(f"plans/links/{link.pk}/", name="Ines Falk", parts="progress")
    assert "Warehouse roll-out" not in text(opened(address))
    assert "Shared with 1" in text(priya.page(f"plans/{told.pk}/"))
    priya.send(f"plans/links/{link.pk}/revoke/")
    assert opened(address).status_code == 404
    assert "It was revoked" in priya.send(f"plans/links/{link.pk}/", name="x")["HX-Trigger"]
    verbs = AuditEntry.objects.filter(verb__startswith="share_link").order_by("id").values_list("verb", flat=True)
    assert list(verbs) == ["share_link.made", "share_link.changed", "share_link.revoked"]


def test_looking_as_the_customer_is_the_same_page_and_no_visit(
    orbiton: Workspace, priya: Visitor, told: SuccessPlan
) -> None:
    link, address = share(told, orbiton, "name", "highlights", part_of(told, "Move three"))
    theirs = text(opened(address))
    ours = text(priya.page(f"plans/links/{link.pk}/preview/"))

    assert "What Ines sees" in ours
    assert ours.partition('<main class="public-main"')[2] == theirs.partition('<main class="public-main"')[2]
    assert ShareVisit.objects.count() == 1


def test_looking_as_the_customer_shows_how_they_come_in_and_lets_nobody_in(
    orbiton: Workspace, priya: Visitor, told: SuccessPlan
) -> None:
    link, _address = share(told, orbiton, "name", ACT)
    ours = text(priya.page(f"plans/links/{link.pk}/preview/"))

    assert "Take part" in ours
    assert "<fieldset" in ours
    assert "disabled" in ours
    assert "<form" not in ours


def test_only_parts_of_this_plan_can_be_picked(orbiton: Workspace, told: SuccessPlan, harbour: Account) -> None:
    other = planning.create_plan(account=harbour, name="Other", by=orbiton.priya, now=NOW)
    for part in ("health", f"{OBJECTIVE}1", part_of(told, "Move three")):
        with pytest.raises(CannotPlan, match="no part"):
            share(other, orbiton, part)
    assert {key for key, _label in PARTS} <= {key for key, _label in offered_parts(told)}


def test_another_workspace_neither_sees_nor_changes_a_link(orbiton: Workspace, told: SuccessPlan) -> None:
    from tests import world

    link, _address = share(told, orbiton, "name")
    halyard = world.workspace("halyard")
    with tenant_context(halyard.tenant.pk):
        olga = Visitor(halyard.olga)
        assert olga.page(f"plans/links/{link.pk}/preview/").status_code == 404
        assert olga.send(f"plans/links/{link.pk}/revoke/").status_code == 404
        assert olga.page(f"plans/{told.pk}/").status_code == 404
