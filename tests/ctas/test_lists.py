"""The lists an admin edits: everybody begins with the same, keys stay, and nothing that is in use is lost."""

from typing import Any

import pytest

from accounts.fields import workspace_fields
from accounts.rules.fields import Subject
from actions.types.create_cta import CreateCtaForm
from cs_platform.tenancy.models import AuditEntry
from ctas.forms import NewCtaForm
from ctas.lists import (
    CannotEdit,
    Kind,
    add_entry,
    archive_entry,
    current_lists,
    edit_entry,
    move_entry,
    order_entries,
    replace_list,
    restore_entry,
)
from ctas.models import Cta, ListEntry
from ctas.opening import open_cta
from tests import world
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace


def keys(kind: str) -> list[str]:
    return [entry.key for entry in current_lists().offered(kind)]


def test_a_list_becomes_the_workspaces_own_when_somebody_first_edits_it(space: Workspace) -> None:
    assert keys(Kind.PRIORITY) == ["high", "medium", "low"]
    assert not ListEntry.objects.exists()

    edit_entry(Kind.PRIORITY, "high", name="Urgent", by=space.jonah, now=MONDAY)

    assert keys(Kind.PRIORITY) == ["high", "medium", "low"]
    assert current_lists().find(Kind.PRIORITY, "high").name == "Urgent"
    assert keys(Kind.TYPE) == ["risk", "opportunity", "lifecycle", "activity", "objective"]
    assert AuditEntry.objects.get().detail["after"]["high"]["name"] == "Urgent"


def test_entries_are_added_moved_archived_and_brought_back(space: Workspace) -> None:
    who: dict[str, Any] = {"by": space.jonah, "now": MONDAY}
    assert add_entry(Kind.PRIORITY, name="  Right  now ", tone="bad", **who).key == "right_now"
    order_entries(Kind.PRIORITY, ["right_now", "high"], **who)
    move_entry(Kind.PRIORITY, "low", up=True, **who)
    archive_entry(Kind.PRIORITY, "medium", **who)

    assert keys(Kind.PRIORITY) == ["right_now", "high", "low"]
    assert [current_lists().bars(key) for key in ("right_now", "high", "low", "medium")] == [3, 2, 1, 1]
    restore_entry(Kind.PRIORITY, "medium", **who)
    assert set(keys(Kind.PRIORITY)) == {"right_now", "high", "low", "medium"}


def test_what_has_an_archived_entry_keeps_it_under_its_name(space: Workspace, csm: Visitor) -> None:
    cta = open_cta(account=world.account(), name="Call", type="risk", reason="Renewal", by=space.priya, now=MONDAY)
    edit_entry(Kind.REASON, "Renewal", name="Contract ends", by=space.jonah, now=MONDAY)
    archive_entry(Kind.REASON, "Renewal", by=space.jonah, now=MONDAY)

    assert "Contract ends" in text(csm.fragment(f"ctas/{cta.pk}/", "drawer"))
    assert "Renewal" not in [
        key for key, _name in NewCtaForm(member=space.priya, today=MONDAY.date())["reason"].field.choices
    ]
    csm.send(f"ctas/{cta.pk}/edit/", reason="Renewal", priority="low")
    assert (Cta.objects.get().reason, Cta.objects.get().priority) == ("Renewal", "low")


@pytest.mark.parametrize(
    ("kind", "key", "words"),
    [
        (Kind.TYPE, "objective", "Keep Objective"),
        (Kind.STATUS, "won", "at least one status that means closed won"),
        (Kind.STATUS, "lost", "at least one status that means closed lost"),
    ],
)
def test_what_nothing_works_without_stays(space: Workspace, kind: str, key: str, words: str) -> None:
    with pytest.raises(CannotEdit, match=words):
        archive_entry(kind, key, by=space.jonah, now=MONDAY)
    assert key in keys(kind)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"name": " "}, "Give it a name"),
        ({"name": "low"}, "one called Low already"),
        ({"name": "New", "tone": "pink"}, "colours"),
        ({"name": "New", "category": "open"}, "A status belongs"),
    ],
)
def test_an_entry_that_makes_no_sense_is_refused(space: Workspace, facts: dict[str, str], words: str) -> None:
    with pytest.raises(CannotEdit, match=words):
        add_entry(Kind.PRIORITY, **facts, by=space.jonah, now=MONDAY)


def test_a_document_replaces_a_list_and_archives_what_it_leaves_out(space: Workspace) -> None:
    wanted = [{"name": "Critical", "tone": "bad"}, {"key": "low", "name": "Some day"}]
    replace_list(Kind.PRIORITY, wanted, by=space.jonah, now=MONDAY)

    assert keys(Kind.PRIORITY) == ["critical", "low"]
    assert [entry.key for entry in current_lists().archived(Kind.PRIORITY)] == ["high", "medium"]


def test_a_status_that_automation_does_not_name_is_the_first_of_its_category(space: Workspace) -> None:
    cta = open_cta(account=world.account(), name="Call", type="risk", by=space.priya, now=MONDAY)
    Cta.objects.update(stage="in_progress", status="cancelled")  # as a stopped playbook leaves it

    assert current_lists().stage_of(cta).key == "new"
    assert current_lists().stage_of(Cta.objects.get()).key == "cancelled"


def test_a_reason_can_be_for_some_types_only(space: Workspace) -> None:
    edit_entry(Kind.REASON, "Trial", types=["lifecycle"], by=space.jonah, now=MONDAY)
    member, today = space.priya, MONDAY.date()

    for type, offered in (("risk", False), ("lifecycle", True)):
        form = NewCtaForm(member=member, today=today, initial={"type": type})
        assert ("Trial" in dict(form.fields["reason"].choices)) is offered  # type: ignore[attr-defined]


def test_rules_and_playbooks_know_the_workspaces_own_types(space: Workspace) -> None:
    add_entry(Kind.TYPE, name="Training", icon="rocket", to_create=["due_on"], by=space.jonah, now=MONDAY)
    known = workspace_fields().find(Subject.ACCOUNT, "open_ctas:training")
    config = {"name": "Train them", "type": "training", "priority": "high", "owner": "csm"}

    assert known is not None
    assert known.label == "Open CTAs of type Training"
    assert workspace_fields().find(Subject.ACCOUNT, "open_ctas:nonsense") is None
    assert "due_in_days" in CreateCtaForm(config).errors
    assert "type" not in CreateCtaForm(config | {"due_in_days": 3}).errors
    assert "due_in_days" not in CreateCtaForm(config | {"due_in_days": 3}).errors
    assert CreateCtaForm(config | {"type": "nonsense"}).errors["type"]


# --- pages ------------------------------------------------------------------------------------------------------------


def test_an_admin_edits_a_list_on_its_page(space: Workspace, admin: Visitor) -> None:
    made = {"name": "Training", "tone": "plan", "icon": "rocket", "to_close": ["comment"]}
    admin.submit("settings/ctas/type/", **made)
    admin.submit("settings/ctas/edit/", kind="type", key="risk", name="Danger", tone="bad", icon="triangle-alert")
    admin.submit("settings/ctas/switch/", kind="type", key="training", verb="up")
    admin.submit("settings/ctas/switch/", kind="type", key="activity", verb="archive")
    admin.submit("settings/ctas/order/", kind="type", key=["training", "risk"])

    page = text(admin.page("settings/ctas/type/"))
    assert keys(Kind.TYPE) == ["training", "risk", "opportunity", "lifecycle", "objective"]
    assert current_lists().find(Kind.TYPE, "training").to_close == ("comment",)
    assert "Danger" in page
    assert "Bring back" in page


def test_a_refusal_is_said_where_it_belongs(space: Workspace, admin: Visitor) -> None:
    twice = admin.submit("settings/ctas/reason/", name="Renewal")
    last = admin.submit("settings/ctas/switch/", kind="status", key="won", verb="archive")

    assert (twice.status_code, "one called Renewal already" in text(twice)) == (422, True)
    assert (last.status_code, "Keep at least one status" in text(last)) == (422, True)


def test_only_those_who_manage_data_edit_lists(space: Workspace, csm: Visitor) -> None:
    assert csm.submit("settings/ctas/type/", name="Mine").status_code == 403
