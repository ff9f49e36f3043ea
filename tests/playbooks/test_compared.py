"""With a playbook and without it: who is compared, by which outcome, and what may be said of it."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from accounts.models import Account
from accounts.rules.sql import Clock
from playbooks.compared import Compared, Group, compare
from playbooks.enrollment import apply_by_hand
from playbooks.models import Enrollment, Playbook, Withheld
from playbooks.undo import request_stops
from playbooks.versions import import_playbook, publish
from tests.world import MONDAY, Workspace, account, days, evaluate, live, playbook_json, tick

GROWN: dict[str, Any] = {"name": "Grown", "rule": {"field": "mrr", "op": "more", "value": 100_000}, "days": 5}


def meant(key: str = "rescue", *, share: int = 0, **parts: Any) -> dict[str, Any]:
    return playbook_json(key, **({"outcome": GROWN, "holdout": share} | parts))


def grow(*ids: int) -> None:
    Account.objects.filter(pk__in=ids).update(mrr_cents=200_000)


def compared(
    playbook: Playbook, *, at: float, since: datetime = MONDAY, csms: list[int] | None = None
) -> Compared | None:
    clock = Clock.at(MONDAY + days(at), ZoneInfo("UTC"))
    fresh = Playbook.objects.select_related("version").get(pk=playbook.pk)
    return compare([fresh], since=since, clock=clock, csms=csms).get(playbook.pk)


def groups(playbook: Playbook, **asked: Any) -> tuple[Group, Group]:
    found = compared(playbook, **asked)
    assert found is not None
    return found.with_it, found.without


def subjects(rows: Any, playbook: Playbook) -> list[int]:
    return list(rows.filter(playbook=playbook).order_by("account_id").values_list("account_id", flat=True))


def test_a_month_in_which_the_playbook_makes_a_difference(inside: Workspace) -> None:
    """Sixty accounts over ten days; of those with it nine in ten grow, of those left out three in ten."""
    playbook = live(meant(share=40))
    reaching: set[int] = set()
    for day in range(31):
        if day < 10:
            for n in range(6):
                account(f"Account {day}-{n}", plan="Pro", csm=inside.priya)
        evaluate(inside.tenant, now=MONDAY + days(day))
        tick(now=MONDAY + days(day))
        for rows, tenths in ((Enrollment.objects, 9), (Withheld.objects, 3)):
            mine = subjects(rows, playbook)
            reaching |= {pk for at, pk in enumerate(mine) if at % 10 < tenths}
        grow(*reaching)

    without, began = subjects(Withheld.objects, playbook), Withheld.objects.order_by("matched_at")[0].matched_at
    with_it = subjects(Enrollment.objects.filter(activated_at__gte=began), playbook)
    assert len(subjects(Enrollment.objects, playbook)) + len(without) == 60
    assert not set(with_it) & set(without)
    found = compared(playbook, at=30)
    assert found is not None
    assert (found.name, found.days, found.holdout) == ("Grown", 5, 40)
    assert (found.with_it.compared, found.without.compared) == (len(with_it), len(without))
    assert (found.with_it.reached, found.without.reached) == (len(reaching & {*with_it}), len(reaching & {*without}))
    assert found.is_enough
    assert found.difference is not None
    assert found.difference.low < found.difference.value < found.difference.high
    assert found.verdict == "More than chance"
    assert f"With the playbook {found.with_it.reached} of {len(with_it)} (" in found.says
    assert "95% interval +" in found.says

    assert groups(playbook, at=30, csms=[inside.tom.pk]) == (Group(), Group())
    assert groups(playbook, at=30, csms=[inside.priya.pk]) == (found.with_it, found.without)
    late = groups(playbook, at=30, since=MONDAY + days(5))
    assert 0 < late[0].compared < len(with_it)
    assert 0 < late[1].compared < len(without)


def test_only_those_whose_days_are_over_are_compared(inside: Workspace) -> None:
    early = account("Early", plan="Pro")
    playbook = live(meant())
    evaluate(inside.tenant, now=MONDAY)
    grow(early.pk)
    evaluate(inside.tenant, now=MONDAY + days(1))
    account("Late", plan="Pro")
    evaluate(inside.tenant, now=MONDAY + days(3))

    assert groups(playbook, at=5)[0] == Group()
    assert groups(playbook, at=6)[0] == Group(1, 1)
    assert groups(playbook, at=9)[0] == Group(2, 1)
    found = compared(playbook, at=5)
    assert found
    assert found.says == "Known for the first when 5 days are over"


def test_what_a_person_stopped_does_not_count_and_what_the_rules_stopped_does(inside: Workspace) -> None:
    names = ("Kept", "By a person", "By the rules")
    kept, person, rules = (account(name, plan="Pro") for name in names)
    playbook = live(meant(on_unmatch="stop"))
    evaluate(inside.tenant, now=MONDAY)
    theirs = Enrollment.objects.get(account=person)
    request_stops([theirs.pk], tenant_id=inside.tenant.pk, by="person:1", note="", now=MONDAY)
    Account.objects.filter(pk=rules.pk).update(plan="Free")
    evaluate(inside.tenant, now=MONDAY + days(1))
    tick(now=MONDAY + days(1))
    grow(kept.pk, person.pk, rules.pk)
    evaluate(inside.tenant, now=MONDAY + days(2))

    assert groups(playbook, at=9)[0] == Group(2, 2)


def test_without_anybody_left_out_whatever_was_applied_counts(inside: Workspace) -> None:
    playbook = live(meant())
    for name in ("One", "Two"):
        apply_by_hand(playbook=playbook, account=account(name), by="person:1", now=MONDAY)
    evaluate(inside.tenant, now=MONDAY + days(1))

    found = compared(playbook, at=9)
    assert found
    assert (found.with_it, found.is_enough, found.difference, found.verdict) == (Group(2, 0), False, None, "")
    assert found.says == "With the playbook 0 of 2 (0%). Nobody is left out to compare."


@pytest.fixture
def drawn(inside: Workspace) -> Playbook:
    """A night with a holdout over thirty accounts."""
    for n in range(30):
        account(f"Account {n:02}", plan="Pro")
    playbook = live(meant(share=50))
    evaluate(inside.tenant, now=MONDAY)
    return playbook


def test_whoever_a_person_chose_is_in_neither_group(inside: Workspace, drawn: Playbook) -> None:
    with_it, without = groups(drawn, at=9)
    chosen = Account.objects.get(pk=subjects(Withheld.objects, drawn)[0])
    apply_by_hand(playbook=drawn, account=chosen, by="person:1", now=MONDAY + days(1))
    apply_by_hand(playbook=drawn, account=account("Chosen"), by="person:1", now=MONDAY + days(1))

    assert groups(drawn, at=9) == (with_it, Group(without.compared - 1, 0))


def test_runs_from_before_anybody_was_left_out_are_not_compared(inside: Workspace) -> None:
    account("Before", plan="Pro")
    playbook = live(meant())
    evaluate(inside.tenant, now=MONDAY - days(2))
    publish(import_playbook(meant(share=50), by=inside.jonah, now=MONDAY), by=inside.jonah, now=MONDAY)
    for n in range(12):
        account(f"Account {n:02}", plan="Pro")
    evaluate(inside.tenant, now=MONDAY)

    with_it, without = groups(playbook, at=9, since=MONDAY - days(9))
    assert with_it.compared + without.compared == 12


def test_an_account_counts_once_however_often_it_has_it(inside: Workspace) -> None:
    for n in range(20):
        account(f"Account {n:02}", plan="Pro")
    playbook = live(meant(share=50, reenrollment={"policy": "at_most", "days": 2}))
    for day in (0, 3, 6):
        evaluate(inside.tenant, now=MONDAY + days(day))
        tick(now=MONDAY + days(day))

    assert playbook.enrollments.count() == 3 * len(set(subjects(Enrollment.objects, playbook)))
    with_it, without = groups(playbook, at=20)
    assert with_it.compared == len(set(subjects(Enrollment.objects, playbook)))
    assert without.compared == Withheld.objects.count()


def test_another_outcome_begins_the_comparison_anew_and_the_same_one_goes_on(
    inside: Workspace, drawn: Playbook
) -> None:
    before = groups(drawn, at=9)
    reworded = meant(share=50, description="Now with words.", outcome=GROWN | {"name": "Much grown"})
    publish(import_playbook(reworded, by=inside.jonah, now=MONDAY), by=inside.jonah, now=MONDAY)
    assert groups(drawn, at=9) == before

    stricter = GROWN | {"rule": {"field": "mrr", "op": "more", "value": 900_000}}
    publish(
        import_playbook(meant(share=50, outcome=stricter), by=inside.jonah, now=MONDAY), by=inside.jonah, now=MONDAY
    )
    assert groups(drawn, at=9) == (Group(), Group())
    account("New", plan="Pro")
    evaluate(inside.tenant, now=MONDAY + days(1))
    assert sum(one.compared for one in groups(drawn, at=9)) == 1


def test_fewer_than_ten_are_too_few() -> None:
    nine = Compared("Grown", 5, 20, Group(90, 80), Group(9, 1))
    assert (nine.is_enough, nine.difference) == (False, None)
    assert nine.says == "With the playbook 80 of 90 (89%), without it 1 of 9 (11%). Too few to compare."
    ten = Compared("Grown", 5, 20, Group(10, 5), Group(10, 4))
    assert ten.is_enough
    assert ten.verdict == "May be chance: the interval includes no difference"
    assert ten.says == (
        "With the playbook 5 of 10 (50%), without it 4 of 10 (40%). Difference +10 points, 95% interval −29 to +45."
    )
    worse = Compared("Grown", 5, 20, Group(50, 5), Group(50, 40))
    assert worse.verdict == "Fewer, and more than chance"
    assert Compared("Grown", 5, 20, Group(3, 1)).says == (
        "With the playbook 1 of 3 (33%), without it nobody yet. Too few to compare."
    )


def test_a_playbook_without_an_outcome_has_none(inside: Workspace) -> None:
    playbook = live(playbook_json())
    assert compared(playbook, at=9) is None
