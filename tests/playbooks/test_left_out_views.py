"""Where people see what a playbook is for: who reached it, and who was left out to compare."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from playbooks.enrollment import apply_by_hand
from playbooks.goals import goal_of
from playbooks.left_out import left_out_on, load_left_out
from playbooks.models import Enrollment, Playbook, Withheld
from playbooks.versions import archive, import_playbook, publish
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, account, days, live, playbook_json, user

NOW = datetime.now(UTC)
GROWN: dict[str, Any] = {"name": "Grown", "rule": {"field": "mrr", "op": "more", "value": 100_000}, "days": 30}


@pytest.fixture
def jonah(inside: Workspace) -> Visitor:
    return Visitor(inside.jonah)


@pytest.fixture
def comparing(inside: Workspace) -> Playbook:
    return live(playbook_json(outcome=GROWN, holdout=20), by=inside.jonah, now=NOW)


def leave_out(playbook: Playbook, at: Account, *, before: int = 0, **parts: Any) -> Withheld:
    made = {"playbook": playbook, "version": playbook.version, "account": at, "matched_at": NOW - days(before)}
    return Withheld.objects.create(**(made | parts))


def listed(playbook: Playbook) -> str:
    return f"playbooks/{playbook.pk}/enrollments/?show=left_out"


def test_those_left_out_are_listed_with_when_they_matched_and_how_far_the_outcome_is(
    jonah: Visitor, comparing: Playbook
) -> None:
    leave_out(comparing, account("Reached it"), before=9, outcome_at=NOW)
    leave_out(comparing, account("Not yet there"), before=2)
    leave_out(comparing, account("Missed it"), before=90)

    shown = text(jonah.page(listed(comparing)))

    order = [shown.index(f">{name}<") for name in ("Not yet there", "Reached it", "Missed it")]
    assert order == sorted(order)
    assert shown.count('title="Its outcome is reached"') == 1
    assert shown.count("Grown: not yet, counts until") == 1
    assert shown.count("Grown: not reached by") == 1
    assert 'aria-current="true">Left out to compare' in shown


def test_the_filter_is_there_for_who_compares_or_once_did(
    jonah: Visitor, inside: Workspace, comparing: Playbook
) -> None:
    plain = live(playbook_json("plain"), by=inside.jonah, now=NOW)
    for playbook, offered in ((plain, False), (comparing, True)):
        shown = text(jonah.page(f"playbooks/{playbook.pk}/enrollments/"))
        assert ("Left out to compare</a>" in shown, "Reached</a>" in shown) == (offered, offered)
    assert "Nobody yet" in text(jonah.page(listed(comparing)))

    leave_out(comparing, account("Harbourline"))
    publish(import_playbook(playbook_json(), by=inside.jonah, now=NOW), by=inside.jonah, now=NOW)
    assert "Harbourline" in text(jonah.page(listed(comparing)))


def test_the_list_goes_on_by_its_place_in_a_fixed_number_of_queries(
    jonah: Visitor, inside: Workspace, comparing: Playbook
) -> None:
    for n in range(53):
        leave_out(comparing, account(f"Account {n:02}"), before=n // 2)

    with CaptureQueriesContext(connection) as few:
        first = load_left_out(comparing, after=None, tenant=inside.tenant, now=NOW)
    second = load_left_out(comparing, after=first.next, tenant=inside.tenant, now=NOW)
    assert (len(first.rows), len(second.rows), second.next, len(few)) == (50, 3, None, 2)
    assert len({one.withheld.pk for one in (*first.rows, *second.rows)}) == 53
    older = text(jonah.page(listed(comparing))).partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    assert "Account 52" in text(jonah.page(f"playbooks/{comparing.pk}/enrollments/{older.replace('&amp;', '&')}"))
    assert "50 shown" in text(jonah.page(f"{listed(comparing)}&after=nowhere"))


def test_who_is_left_out_is_applied_by_hand_from_the_list_and_then_shows_that(
    jonah: Visitor, comparing: Playbook
) -> None:
    harbour = account("Harbourline")
    leave_out(comparing, harbour)
    link = f"playbooks/apply/{harbour.pk}/?playbook={comparing.pk}"
    assert f"/{link}" in text(jonah.page(listed(comparing)))
    assert f'value="{comparing.pk}" required checked' in text(jonah.page(link))

    jonah.submit(link, playbook=comparing.pk)

    shown = text(jonah.page(listed(comparing)))
    assert f"history={Enrollment.objects.get().pk}" in shown
    assert f"/{link}" not in shown


def test_a_user_is_meant_by_the_link_and_only_one_of_the_account(jonah: Visitor, inside: Workspace) -> None:
    about = {"audience": "users", "rules": {"user": {"field": "email", "op": "set"}}}
    steps = [{"key": "nps", "day": 1, "action": "show_nps", "config": {}}]
    back = {"name": "Back", "rule": {"field": "email", "op": "set"}, "days": 7}
    asking = live(playbook_json(**about, steps=steps, outcome=back, holdout=10), by=inside.jonah, now=NOW)
    harbour, other = account("Harbourline"), account("Calyx")
    lena, elsewhere = user("Lena Ruiz", harbour), user("Max Else", other)
    leave_out(asking, harbour, end_user=lena)

    shown = text(jonah.page(listed(asking)))
    assert f"?playbook={asking.pk}&amp;user={lena.pk}" in shown
    assert f'value="{lena.email}"' in text(jonah.page(f"playbooks/apply/{harbour.pk}/?user={lena.pk}"))
    assert f'value="{elsewhere.email}"' not in text(jonah.page(f"playbooks/apply/{harbour.pk}/?user={elsewhere.pk}"))


def test_who_only_reads_is_offered_no_button(inside: Workspace, comparing: Playbook) -> None:
    leave_out(comparing, account("Harbourline"))

    shown = text(Visitor(inside.omar).page(listed(comparing)))
    assert "Harbourline" in shown
    assert "playbooks/apply/" not in shown


def test_the_page_of_an_account_says_what_it_goes_without_as_things_stand(
    jonah: Visitor, inside: Workspace, comparing: Playbook
) -> None:
    harbour = account("Harbourline")
    leave_out(comparing, harbour, before=3)

    def goes_without() -> list[str]:
        return [one.withheld.playbook.name for one in left_out_on(harbour.pk, tenant=inside.tenant, now=NOW)]

    assert goes_without() == ["Rescue"]
    shown = text(jonah.page(f"accounts/{harbour.pk}/"))
    assert "Left out to compare" in shown
    assert "goes without it" in shown
    assert "No playbook has been applied here" not in shown

    by_hand = apply_by_hand(playbook=comparing, account=harbour, by=inside.jonah.actor, now=NOW)
    assert goes_without() == []
    Enrollment.objects.filter(pk=by_hand.pk).update(is_dry=True)
    assert goes_without() == ["Rescue"]
    archive(comparing, by=inside.jonah, now=NOW, stop=True)
    assert goes_without() == []


def test_nobody_goes_without_a_playbook_that_no_longer_compares(inside: Workspace, comparing: Playbook) -> None:
    harbour = account("Harbourline")
    leave_out(comparing, harbour)
    publish(import_playbook(playbook_json(), by=inside.jonah, now=NOW), by=inside.jonah, now=NOW)

    assert left_out_on(harbour.pk, tenant=inside.tenant, now=NOW) == []


def test_an_enrollment_says_that_it_reached_its_outcome_wherever_it_is_shown(
    jonah: Visitor, inside: Workspace, comparing: Playbook
) -> None:
    harbour, calyx = account("Harbourline"), account("Calyx")
    applied = {"playbook": comparing, "by": inside.jonah.actor, "now": NOW}
    reached, other = (apply_by_hand(account=at, **applied) for at in (harbour, calyx))
    chip = 'title="Its outcome is reached"'
    for place in (f"playbooks/{comparing.pk}/enrollments/", f"accounts/{harbour.pk}/"):
        assert chip not in text(jonah.page(place))
    assert "Grown: not yet, counts until" in text(jonah.fragment(f"playbooks/enrollments/{reached.pk}/", "drawer"))

    Enrollment.objects.filter(pk=reached.pk).update(outcome_at=NOW)

    for shown in (
        text(jonah.page(f"playbooks/{comparing.pk}/enrollments/")),
        text(jonah.page(f"accounts/{harbour.pk}/")),
        text(jonah.fragment(f"playbooks/enrollments/{reached.pk}/", "drawer")),
    ):
        assert shown.count(chip) == 1
        assert "Grown " in shown.partition(chip)[2][:300]
    assert chip not in text(jonah.fragment(f"playbooks/enrollments/{other.pk}/", "drawer"))
    found = text(jonah.page(f"playbooks/{comparing.pk}/enrollments/?show=reached"))
    assert ("Harbourline" in found, "Calyx" in found) == (True, False)


def test_a_goal_is_open_to_the_end_of_its_last_day_where_the_workspace_is(
    inside: Workspace, comparing: Playbook
) -> None:
    assert comparing.version
    inside.tenant.timezone = "Pacific/Auckland"

    def goal(now: datetime, reached_at: datetime | None = None) -> tuple[str, bool]:
        found = goal_of(comparing.version, since=MONDAY, reached_at=reached_at, tenant=inside.tenant, now=now)  # type: ignore[arg-type]
        assert found is not None
        return f"{found.until}", found.is_open

    last_day = goal(MONDAY)[0]
    assert goal(datetime.fromisoformat(f"{last_day}T23:59:00+13:00"))[1]
    assert not goal(datetime.fromisoformat(f"{last_day}T23:59:00+13:00") + days(1))[1]
    assert not goal(MONDAY, MONDAY)[1]


def test_another_workspaces_list_is_a_404(comparing: Playbook, halyard: Workspace) -> None:
    leave_out(comparing, account("Harbourline"))

    assert Visitor(halyard.jonah).page(listed(comparing)).status_code == 404
