"""Who writes playbooks without setting them live asks those who do, and hears what came of it."""

from datetime import UTC, datetime

import pytest

from cs_platform.workspace.models import Notification
from playbooks import drafts, versions
from playbooks.models import Playbook, PlaybookVersion
from playbooks.proposing import decline, propose
from playbooks.versions import NotPossible
from tests.rest.client import Api
from tests.visitor import Visitor, text
from tests.world import Workspace, playbook_json

NOW = datetime.now(UTC)


@pytest.fixture
def rescue(inside: Workspace) -> Playbook:
    return versions.import_playbook(playbook_json(), by=inside.maya, now=NOW)


def draft_of(playbook: Playbook) -> PlaybookVersion:
    found = drafts.open_draft(playbook)
    assert found is not None
    return found


def told(member: object) -> list[str]:
    return list(Notification.objects.filter(member=member).order_by("pk").values_list("text", flat=True))


def review(playbook: Playbook) -> str:
    return f"playbooks/{playbook.pk}/draft/review/"


def test_a_manager_asks_and_every_admin_is_told_with_the_way_to_it(inside: Workspace, rescue: Playbook) -> None:
    maya = Visitor(inside.maya)
    assert "Ask an admin" in text(maya.page(review(rescue)))
    maya.submit(f"playbooks/{rescue.pk}/draft/ask/", note="Agreed with sales")

    asked = "Maya Osei asks you to set Rescue live: “Agreed with sales”"
    assert told(inside.jonah) == told(inside.olga) == [asked]
    assert told(inside.maya) == told(inside.priya) == []
    assert Notification.objects.filter(member=inside.jonah).get().url.endswith(review(rescue))
    assert "You are told when it is live" in text(maya.page(review(rescue)))


def test_the_admin_sees_who_asks_and_why_and_setting_it_live_answers(inside: Workspace, rescue: Playbook) -> None:
    propose(draft_of(rescue), note="Agreed with sales", by=inside.maya, now=NOW)
    jonah = Visitor(inside.jonah)
    shown = text(jonah.page(review(rescue)))
    assert "<b>Maya Osei</b> asks for it to be set live" in shown
    assert "Agreed with sales" in shown
    assert "Asks to go live" in text(jonah.page("playbooks/?tab=drafts"))

    jonah.submit(f"playbooks/{rescue.pk}/draft/publish/", live="1", expected_count="0")
    rescue.refresh_from_db()
    assert rescue.status == "live"
    assert told(inside.maya) == ["Rescue is published, as you asked"]


def test_not_yet_keeps_the_draft_and_tells_whoever_asked_why(inside: Workspace, rescue: Playbook) -> None:
    propose(draft_of(rescue), by=inside.maya, now=NOW)
    jonah = Visitor(inside.jonah)
    jonah.submit(f"playbooks/{rescue.pk}/draft/not-yet/", note="Wait for January")

    draft = draft_of(rescue)
    assert (draft.asked_at, draft.asked_by, rescue.status) == (None, None, "draft")
    assert told(inside.maya) == ["Jonah Weiss did not set Rescue live yet: “Wait for January”"]
    with pytest.raises(NotPossible, match="Nobody asks"):
        decline(draft, by=inside.jonah, now=NOW)


def test_what_has_a_problem_is_not_asked_for(inside: Workspace) -> None:
    draft = drafts.begin(name="Unfinished", by=inside.maya, now=NOW)
    with pytest.raises(NotPossible, match="Mend 2 things first"):
        propose(draft, by=inside.maya, now=NOW)

    assert told(inside.jonah) == []


def test_only_who_may_set_it_live_answers(inside: Workspace, rescue: Playbook) -> None:
    propose(draft_of(rescue), by=inside.maya, now=NOW)

    assert Visitor(inside.priya).submit(f"playbooks/{rescue.pk}/draft/ask/").status_code == 403
    assert Visitor(inside.maya).submit(f"playbooks/{rescue.pk}/draft/not-yet/").status_code == 403
    assert draft_of(rescue).asked_by == inside.maya


def test_the_same_over_rest(inside: Workspace, rescue: Playbook) -> None:
    writes = Api.with_key(inside.tenant, "playbooks:write")
    publishes = Api.with_key(inside.tenant, "playbooks:publish")
    at = f"/playbooks/{rescue.pk}/draft"

    asked = writes.post(f"{at}/ask/", {"note": "Agreed with sales"})
    assert (asked.status, asked.json["asked_note"], asked.json["asked_by"]) == (200, "Agreed with sales", None)
    assert told(inside.jonah) == ["An API key asks you to set Rescue live: “Agreed with sales”"]
    assert writes.post(f"{at}/not-yet/", {}).status == 403
    assert publishes.post(f"{at}/not-yet/", {"note": "Later"}).json["asked_at"] is None
    assert publishes.post(f"{at}/not-yet/", {}).status == 409
