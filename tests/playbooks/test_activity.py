"""The tab that tells what playbooks did of themselves, look by look."""

import pytest

from playbooks import activity
from playbooks.activity import load_activity
from playbooks.models import Evaluation
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace, account, days, evaluate, live, playbook_json, raise_risk


@pytest.fixture
def jonah(inside: Workspace) -> Visitor:
    return Visitor(inside.jonah)


def test_a_look_names_the_playbooks_that_acted_and_how_many_they_reached(jonah: Visitor, inside: Workspace) -> None:
    account("One", plan="Pro"), account("Two", plan="Pro")
    live(playbook_json("runway", name="Renewal runway"))
    live(playbook_json("idle", name="Idle", rules={"account": {"field": "plan", "op": "is", "value": "None"}}))
    evaluate(inside.tenant, now=MONDAY)

    page = jonah.page("playbooks/?tab=activity")
    assert "Renewal runway" in text(page)
    assert "2 applied" in text(page)
    assert "Idle" not in text(page)


def test_a_night_without_news_says_so(jonah: Visitor, inside: Workspace) -> None:
    evaluate(inside.tenant, now=MONDAY)

    assert "Nothing new" in text(jonah.page("playbooks/?tab=activity"))


def test_before_the_first_look_it_says_when_that_will_be(jonah: Visitor) -> None:
    assert "checked each night at 6:00" in text(jonah.page("playbooks/?tab=activity"))


def test_what_waits_for_a_person_comes_first_and_the_rest_is_counted(
    inside: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "NAMED", 2)
    account("One", plan="Pro")
    for key in ("a", "b", "c"):
        live(playbook_json(key, name=key, steps=[raise_risk(1), raise_risk(9, key="later", title="Later")]))
    evaluate(inside.tenant, now=MONDAY)
    Evaluation.objects.filter(playbook__key="c").update(state="held", enrolled=0)

    (look,) = load_activity().looks
    assert [one.playbook.key for one in look.told] == ["c", "a"]
    assert (look.applied, look.held, look.acted, look.untold) == (2, 1, 3, 1)


def test_older_looks_are_a_page_away(inside: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity, "PAGE_SIZE", 2)
    for day in range(3):
        evaluate(inside.tenant, now=MONDAY + days(day))

    newest = load_activity()
    assert [look.run.started_at for look in newest.looks] == [MONDAY + days(2), MONDAY + days(1)]
    oldest = load_activity(before=newest.older)
    assert [look.run.started_at for look in oldest.looks] == [MONDAY]
    assert oldest.older is None


@pytest.mark.parametrize("before", ["", "x", "-1", "9" * 30, "１"])
def test_a_place_that_is_none_is_the_newest_page(jonah: Visitor, inside: Workspace, before: str) -> None:
    evaluate(inside.tenant, now=MONDAY)

    assert "Nothing new" in text(jonah.page(f"playbooks/?tab=activity&before={before}"))
