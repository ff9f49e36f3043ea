"""Who goes without a playbook to compare: drawn evenly, the same every night, and never by anything but the rules."""

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.facts import set_known_cause
from accounts.models import Account, EndUser
from accounts.rules.sql import Sql
from cs_platform.common.statements import fetch
from cs_platform.jobs.pump import run_jobs
from playbooks.audience import why_of
from playbooks.dry_runs import promote, start_dry_run
from playbooks.enrollment import apply_by_hand
from playbooks.holdout import draw, is_drawn
from playbooks.models import Enrollment, Evaluation, Playbook, Withheld
from playbooks.versions import import_playbook, publish
from tests.world import MONDAY, Workspace, account, days, evaluate, live, on, playbook_json, tick, user

GROWN: dict[str, Any] = {"name": "Grown", "rule": {"field": "mrr", "op": "more", "value": 100_000}, "days": 30}


def comparing(key: str = "rescue", *, share: int = 50, **parts: Any) -> dict[str, Any]:
    return playbook_json(key, **({"outcome": GROWN, "holdout": share} | parts))


@pytest.fixture
def twenty(inside: Workspace) -> list[Account]:
    return [account(f"Account {n:02}", plan="Pro") for n in range(20)]


def drawn(playbook: Playbook, share: int, accounts: list[Account]) -> set[int]:
    return {account_id for account_id, _user in draw(playbook, share, [(one.pk, None) for one in accounts])}


def withheld(playbook: Playbook) -> set[int]:
    return set(Withheld.objects.filter(playbook=playbook).values_list("account_id", flat=True))


def enrolled(playbook: Playbook) -> set[int]:
    return set(playbook.enrollments.values_list("account_id", flat=True))


def last(playbook: Playbook) -> Evaluation:
    return Evaluation.objects.filter(playbook=playbook).latest("pk")


def test_a_share_of_those_who_match_is_left_out_and_the_others_are_enrolled(
    inside: Workspace, twenty: list[Account]
) -> None:
    playbook = live(comparing())
    out = drawn(playbook, 50, twenty)
    assert 3 < len(out) < 17

    evaluate(inside.tenant, now=MONDAY)

    assert withheld(playbook) == out
    assert enrolled(playbook) == {one.pk for one in twenty} - out
    night = last(playbook)
    assert (night.matched, night.enrolled, night.would_enroll, night.left_out) == (
        20,
        20 - len(out),
        20 - len(out),
        len(out),
    )


def test_the_draw_is_even_and_each_playbook_has_its_own(inside: Workspace) -> None:
    """A hundred thousand subjects in a hundred drawers: none is far from a thousand (4.5 standard deviations)."""
    asked = [is_drawn(key, Sql("n"), share) for key in ("rescue", "runway") for share in range(51)]
    shares = fetch(
        f"SELECT {', '.join(f'count(*) FILTER (WHERE {one.text})' for one in asked)} FROM generate_series(1, 100000) n",
        [param for one in asked for param in one.params],
    )[0]
    for counts in (shares[:51], shares[51:]):
        assert counts[0] == 0
        drawers = [after - before for before, after in pairwise(counts)]
        assert all(abs(one - 1_000) < 145 for one in drawers)
        assert all(one > 0 for one in drawers)
    both = Sql.join(" AND ", [is_drawn("rescue", Sql("n"), 50), is_drawn("runway", Sql("n"), 50)])
    [(met,)] = fetch(f"SELECT count(*) FROM generate_series(1, 100000) n WHERE {both.text}", both.params)
    assert abs(met - 25_000) < 700  # whom one leaves out says nothing about the other


def test_it_stays_the_same_through_nights_and_versions_and_a_higher_share_only_adds(
    inside: Workspace, twenty: list[Account]
) -> None:
    playbook = live(comparing(share=20))
    few = drawn(playbook, 20, twenty)
    assert few
    evaluate(inside.tenant, now=MONDAY)
    evaluate(inside.tenant, now=MONDAY + days(1))
    assert withheld(playbook) == few == drawn(playbook, 20, twenty)
    assert {one.matched_at for one in Withheld.objects.all()} == {MONDAY}

    more = [account(f"Later {n:02}", plan="Pro") for n in range(20)]
    publish(import_playbook(comparing(share=50), by=inside.jonah, now=MONDAY), by=inside.jonah, now=MONDAY)
    evaluate(inside.tenant, now=MONDAY + days(2))
    assert few < drawn(playbook, 50, twenty)
    assert withheld(playbook) == few | drawn(playbook, 50, more)


def test_they_count_for_no_brake(inside: Workspace, twenty: list[Account]) -> None:
    playbook = live(comparing())
    rest = 20 - len(drawn(playbook, 50, twenty))
    Playbook.objects.filter(pk=playbook.pk).update(expected_count=None)
    revised = import_playbook(comparing(brake_limit=rest), by=inside.jonah, now=MONDAY)
    publish(revised, by=inside.jonah, now=MONDAY)

    evaluate(inside.tenant, now=MONDAY)
    assert (last(playbook).state, last(playbook).enrolled) == ("done", rest)


def test_what_is_held_leaves_nobody_out_either(inside: Workspace, twenty: list[Account]) -> None:
    playbook = live(comparing(brake_limit=1))
    Playbook.objects.filter(pk=playbook.pk).update(expected_count=None)

    evaluate(inside.tenant, now=MONDAY)
    assert (last(playbook).state, withheld(playbook)) == ("held", set())


def test_a_person_who_applies_it_is_not_bound_by_the_draw(inside: Workspace, twenty: list[Account]) -> None:
    playbook = live(comparing())
    out = drawn(playbook, 50, twenty)
    one = next(one for one in twenty if one.pk in out)

    apply_by_hand(playbook=playbook, account=one, by="person:1", now=MONDAY)
    evaluate(inside.tenant, now=MONDAY + days(1))
    assert one.pk in enrolled(playbook)
    assert withheld(playbook) == out - {one.pk}  # who has it does not come up again


def test_a_user_is_drawn_once_for_all_their_accounts(inside: Workspace) -> None:
    accounts = [account("One"), account("Two")]
    people = [user(f"User {n:02}", *accounts, role="admin") for n in range(20)]
    rules = {"user": {"field": "role", "op": "is", "value": "admin"}}
    back = {"name": "Back", "rule": {"field": "email", "op": "set"}, "days": 7}
    steps = [{"key": "nps", "day": 1, "action": "show_nps", "config": {}}]
    playbook = live(comparing(audience="users", rules=rules, outcome=back, steps=steps))

    evaluate(inside.tenant, now=MONDAY)
    without = Counter(Withheld.objects.values_list("end_user_id", flat=True))
    enrolled = Counter(playbook.enrollments.values_list("end_user_id", flat=True))
    assert set(without.values()) == set(enrolled.values()) == {2}
    assert set(without) | set(enrolled) == {one.pk for one in people}
    assert not set(without) & set(enrolled)


def test_whom_a_known_cause_holds_back_is_not_left_out_yet(inside: Workspace, twenty: list[Account]) -> None:
    playbook = live(comparing(respects_known_cause=True))
    moving = next(one for one in twenty if one.pk in drawn(playbook, 50, twenty))
    set_known_cause(moving, cause="They move", until=on(3), by=inside.maya, now=MONDAY)

    evaluate(inside.tenant, now=MONDAY)
    assert moving.pk not in withheld(playbook)
    evaluate(inside.tenant, now=MONDAY + days(2))
    assert Withheld.objects.get(playbook=playbook, account=moving).matched_at == MONDAY + days(2)


def test_a_dry_run_leaves_nobody_out_and_a_restart_does(inside: Workspace, twenty: list[Account]) -> None:
    playbook = import_playbook(comparing(), by=inside.jonah, now=MONDAY)
    start_dry_run(playbook, by=inside.jonah, now=MONDAY)
    playbook.refresh_from_db()
    assert playbook.version
    evaluate(inside.tenant, now=MONDAY)
    assert last(playbook).enrolled == 20
    assert not Withheld.objects.exists()
    why = why_of(playbook.version, twenty[0], tenant=inside.tenant, now=MONDAY)
    assert why
    assert not any("left out" in line.sentence for line in why.children)

    promote(playbook, restart=True, by=inside.jonah, now=MONDAY + days(1))
    run_jobs(clock=lambda: MONDAY + days(1))
    out = drawn(playbook, 50, twenty)
    real = Enrollment.objects.real().filter(playbook=playbook)
    assert withheld(playbook) == out
    assert set(real.values_list("account_id", flat=True)) == {one.pk for one in twenty} - out
    assert set(real.values_list("by_rules", flat=True)) == {True}
    evaluate(inside.tenant, now=MONDAY + days(2))
    assert real.count() == 20 - len(out)


def test_the_page_says_why_somebody_does_not_get_it(inside: Workspace, twenty: list[Account]) -> None:
    playbook = live(comparing())
    assert playbook.version
    out = drawn(playbook, 50, twenty)
    for one in twenty[:4]:
        why = why_of(playbook.version, one, tenant=inside.tenant, now=MONDAY)
        assert why
        line = why.children[-1]
        assert line.sentence == "Not among the 50% left out to compare"
        assert (why.holds, line.holds) == (one.pk not in out, one.pk not in out)
        assert line.value == ("left out to compare (50%)" if one.pk in out else "it is not")


def test_playbooks_without_a_holdout_ask_nothing_more(inside: Workspace, twenty: list[Account]) -> None:
    live(playbook_json())
    with CaptureQueriesContext(connection) as asked:
        evaluate(inside.tenant, now=MONDAY)
    told = " ".join(query["sql"] for query in asked)
    assert "hashtext" not in told
    assert "withheld" not in told
    assert "reached" not in told


def test_a_subject_stands_once_in_the_list_of_a_playbook(inside: Workspace) -> None:
    playbook, here = live(comparing()), account("One")
    row: dict[str, Any] = {"playbook": playbook, "version": playbook.version, "account": here, "matched_at": MONDAY}
    Withheld.objects.create(**row)
    with pytest.raises(IntegrityError), transaction.atomic():
        Withheld.objects.create(**row)
    assert Withheld.objects.create(**row, end_user=user("Ada", here)).pk


def test_another_workspace_is_drawn_for_itself(inside: Workspace, twenty: list[Account]) -> None:
    live(comparing())
    evaluate(inside.tenant, now=MONDAY)
    assert Withheld.objects.exclude(tenant=inside.tenant).count() == 0
    assert EndUser.objects.count() == 0
    tick(now=MONDAY)
