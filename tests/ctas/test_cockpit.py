"""The cockpit: whose work it is, in which group, page by page, and what can be done from it."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.http import QueryDict

from accounts.models import Conversation
from cs_platform.tenancy.context import tenant_context
from cs_platform.workspace.models import Comment
from ctas import cockpit
from ctas.cockpit import DUE_LABELS, Asked, due_of, load_counts, load_page, load_pending
from ctas.group_sizes import load_sizes
from ctas.lists import current_lists
from ctas.models import Cta, Task
from ctas.opening import open_cta
from ctas.own_days import OwnDays
from tests import world
from tests.visitor import Visitor, is_whole, text
from tests.world import Workspace

NOW = datetime.now(UTC)
TODAY = NOW.date()
WEDNESDAY = date(2026, 11, 4)


@pytest.fixture
def orbiton(db: None) -> Iterator[Workspace]:
    space = world.workspace("orbiton")
    with tenant_context(space.tenant.pk):
        yield space


@pytest.fixture
def priya(orbiton: Workspace) -> Visitor:
    return Visitor(orbiton.priya)


def cta(space: Workspace, name: str, *, due: int | None = 0, owner: str = "priya", **more: Any) -> Cta:
    facts = {"account": world.account(f"Account of {name}"), "type": "risk"} | more
    due_on = None if due is None else TODAY + timedelta(days=due)
    return open_cta(name=name, due_on=due_on, owner=space.people[owner], by=space.tom, now=NOW, **facts)


def asked(query: str = "") -> Asked:
    return Asked.of(QueryDict(query))


def shown(space: Workspace, query: str = "", *, by: str = "priya") -> list[tuple[str, list[str]]]:
    page = load_page(asked(query), member=space.people[by], today=OwnDays(TODAY))
    return [
        (group.label, [row.task.title if row.task else row.cta.name for row in group.rows]) for group in page.groups
    ]


def names(space: Workspace, query: str = "") -> list[str]:
    return [name for _label, rows in shown(space, query) for name in rows]


@pytest.mark.parametrize(
    ("due_on", "bucket"),
    [
        (None, "No date"),
        (date(2026, 11, 3), "Overdue"),
        (WEDNESDAY, "Today"),
        (date(2026, 11, 5), "This week"),
        (date(2026, 11, 8), "This week"),
        (date(2026, 11, 9), "Next week and later"),
    ],
)
def test_a_week_ends_with_its_sunday(due_on: date | None, bucket: str) -> None:
    assert DUE_LABELS[due_of(due_on, today=WEDNESDAY)] == bucket


def test_on_sunday_this_week_is_over() -> None:
    assert DUE_LABELS[due_of(date(2026, 11, 9), today=date(2026, 11, 8))] == "Next week and later"


def test_my_work_comes_by_due_date_and_undated_work_last(orbiton: Workspace) -> None:
    (
        cta(orbiton, "Some day", due=None),
        cta(orbiton, "Today"),
        cta(orbiton, "Late", due=-3),
        cta(orbiton, "Soon", due=30),
    )
    cta(orbiton, "Not mine", owner="tom")

    assert shown(orbiton) == [
        ("Overdue", ["Late"]),
        ("Today", ["Today"]),
        ("Next week and later", ["Soon"]),
        ("No date", ["Some day"]),
    ]


def test_the_team_sees_everybodys(orbiton: Workspace) -> None:
    cta(orbiton, "Mine"), cta(orbiton, "Toms", owner="tom")

    assert names(orbiton, "tab=team") == ["Mine", "Toms"]
    assert names(orbiton, f"tab=team&owner={orbiton.tom.pk}") == ["Toms"]


def test_what_is_snoozed_waits_in_its_own_list_until_its_day(orbiton: Workspace) -> None:
    later, back = cta(orbiton, "Later"), cta(orbiton, "Back")
    later.snooze(until=TODAY + timedelta(days=1), by=orbiton.priya, now=NOW)
    back.snooze(until=TODAY, by=orbiton.priya, now=NOW)

    assert (names(orbiton), names(orbiton, "tab=snoozed")) == (["Back"], ["Later"])


def test_tasks_of_what_is_closed_snoozed_or_archived_are_not_listed(orbiton: Workspace) -> None:
    at = {name: cta(orbiton, name, owner="tom") for name in ("open", "closed", "snoozed", "archived")}
    for name, one in at.items():
        one.add_task(title=f"Task of {name}", owner=orbiton.priya, by=orbiton.tom, now=NOW)
    at["closed"].close(status="won", by=orbiton.tom, now=NOW)
    at["snoozed"].snooze(until=TODAY + timedelta(days=1), by=orbiton.tom, now=NOW)
    at["archived"].archive(by=orbiton.tom, now=NOW)

    assert names(orbiton, "tab=tasks") == ["Task of open"]


def test_what_i_closed_last_comes_first(orbiton: Workspace) -> None:
    for hours, name in ((3, "First"), (1, "Last"), (2, "Second")):
        cta(orbiton, name).close(status="won", by=orbiton.priya, now=NOW - timedelta(hours=hours))

    assert shown(orbiton, "tab=closed") == [("Closed last", ["Last", "Second", "First"])]


@pytest.mark.parametrize(
    ("grouping", "labels"),
    [
        ("account", ["Account of A", "Account of B"]),
        ("type", ["Risk", "Activity"]),
        ("priority", ["High priority", "Low priority"]),
        ("owner", ["Priya Raman"]),
        ("playbook", ["Opened by hand"]),
    ],
)
def test_work_is_grouped_as_asked(orbiton: Workspace, grouping: str, labels: list[str]) -> None:
    cta(orbiton, "A", type="risk", priority="low"), cta(orbiton, "B", type="activity", priority="high")

    assert [label for label, _rows in shown(orbiton, f"group={grouping}")] == labels


@pytest.mark.parametrize(
    "query",
    [
        "", "group=account", "group=priority", "group=type", "group=plan", "tab=team&group=owner", "tab=tasks",
        "order=newest", "group=account&order=newest", "tab=tasks&order=newest",
    ],
)  # fmt: skip
def test_every_row_comes_once_however_many_pages_there_are(
    orbiton: Workspace, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    monkeypatch.setattr(cockpit, "PAGE_SIZE", 2)
    for number, due in enumerate((None, 0, 0, 5, None, -2, 0)):
        one = cta(orbiton, f"CTA {number}", due=due, priority=("high", "low")[number % 2])
        one.add_task(title=f"Task {number}", owner=orbiton.priya, due_on=one.due_on, by=orbiton.tom, now=NOW)
    whole = walk(orbiton, query)
    monkeypatch.setattr(cockpit, "PAGE_SIZE", 50)

    assert whole == names(orbiton, query)
    assert len(set(whole)) == 7


GROUPED = [
    "", "group=account", "group=priority", "group=type", "group=status", "group=playbook", "group=plan",
    "tab=team", "tab=team&group=owner", "tab=tasks", "tab=tasks&group=type", "tab=tasks&group=account",
    "tab=tasks&group=status", "tab=tasks&group=plan", "tab=tasks&group=owner&order=newest", "order=priority",
    "tab=team&type=risk",
]  # fmt: skip


@pytest.mark.parametrize("query", GROUPED)
def test_a_group_counts_all_that_is_in_it_on_every_page(
    orbiton: Workspace, priya: Visitor, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    _several(orbiton)
    whole = {label: len(rows) for label, rows in shown(orbiton, query)}
    monkeypatch.setattr(cockpit, "PAGE_SIZE", 3)

    pages = list(_sizes(orbiton, query))

    assert len(pages) == 3
    assert [sizes for sizes in pages if not sizes.items() <= whole.items()] == []
    assert {label for sizes in pages for label in sizes} == set(whole)


def _several(space: Workspace) -> None:
    at = [world.account(name) for name in ("Calyx", "Harbour")]
    for number, due in enumerate((None, 0, 0, 90, None, -2, 0)):
        facts = {"priority": ("high", "low")[number % 2], "account": at[number // 5]}
        one = cta(space, f"CTA {number}", due=due, type="risk", **facts)
        one.add_task(title=f"Task {number}", owner=space.priya, due_on=one.due_on, by=space.tom, now=NOW)


def _sizes(space: Workspace, query: str) -> Iterator[dict[str, int | None]]:
    after = ""
    while True:
        one, who = asked(f"{query}&after={after}"), {"member": space.priya, "today": OwnDays(TODAY)}
        page = load_page(one, **who)
        sizes = load_sizes(page, one, **who, lists=current_lists())
        yield {group.label: size for group, size in zip(page.groups, sizes, strict=True)}
        if page.next is None:
            return
        after = str(page.next)


def test_a_list_of_one_page_asks_nothing_to_count_its_groups_and_others_once(
    orbiton: Workspace, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    _several(orbiton)
    lists, who = current_lists(), {"member": orbiton.priya, "today": OwnDays(TODAY)}
    for size, queries in ((50, 0), (2, 1)):
        monkeypatch.setattr(cockpit, "PAGE_SIZE", size)
        first = load_page(asked(), **who)
        second = asked(f"after={first.next or ''}")
        page = load_page(second, **who)
        with django_assert_num_queries(queries):
            load_sizes(page, second, **who, lists=lists)


def test_what_is_searched_for_or_closed_is_counted_no_further_than_it_is_shown(
    orbiton: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    _several(orbiton)
    monkeypatch.setattr(cockpit, "PAGE_SIZE", 3)

    assert next(_sizes(orbiton, "q=CTA")) == {"Overdue": 1, "Today": None}


def test_a_group_of_a_list_in_pages_says_its_size(
    orbiton: Workspace, priya: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    _several(orbiton)
    monkeypatch.setattr(cockpit, "PAGE_SIZE", 2)

    for query in ("tab=tasks", "tab=team"):
        assert '<span>Today</span> <span class="n">3' in text(priya.page(f"ctas/?{query}"))


def test_closed_work_is_paged_too(orbiton: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    for hours in range(5):
        cta(orbiton, f"CTA {hours}").close(status="won", by=orbiton.priya, now=NOW - timedelta(hours=hours // 2))
    whole = names(orbiton, "tab=closed")
    monkeypatch.setattr(cockpit, "PAGE_SIZE", 2)

    assert walk(orbiton, "tab=closed") == whole


def walk(space: Workspace, query: str) -> list[str]:
    found: list[str] = []
    after = ""
    while True:
        page = load_page(asked(f"{query}&after={after}"), member=space.priya, today=OwnDays(TODAY))
        found += [row.task.title if row.task else row.cta.name for group in page.groups for row in group.rows]
        if page.next is None:
            return found
        after = str(page.next)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("type=risk", ["A"]),
        ("type=risk&type=activity", ["A", "B"]),
        ("priority=high", ["B"]),
        ("q=account%20of%20b", ["B"]),
        ("q=A%00", ["A", "B"]),
        ("type=nonsense", []),
    ],
)
def test_filters_narrow_the_list(orbiton: Workspace, query: str, found: list[str]) -> None:
    cta(orbiton, "A", type="risk", priority="low"), cta(orbiton, "B", type="activity", priority="high")

    assert names(orbiton, query) == found


@pytest.mark.parametrize(
    "query",
    [
        "after=%00", "after=W10", "after=bnVsbA", "after=WyJ4Il0", "after=W1siMjAyNi0xMS0wNCJdLCAtMV0", "tab=%ff",
        "group=x&tab=y&owner=9999999999999999999999&owner=x", "group=account&after=W1siMjAyNi0xMS0wNCJdLCAxXQ",
    ],
)  # fmt: skip
def test_an_odd_address_shows_the_beginning(orbiton: Workspace, priya: Visitor, query: str) -> None:
    cta(orbiton, "A")

    assert "Account of A" in text(priya.page(f"ctas/?{query}"))


def test_a_page_costs_the_same_queries_however_many_rows(
    orbiton: Workspace, priya: Visitor, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        cta(orbiton, f"CTA {number}").add_task(title="Task", by=orbiton.tom, now=NOW)

    with django_assert_max_num_queries(25):
        priya.page("ctas/")


def test_tabs_count_what_is_in_them(orbiton: Workspace) -> None:
    cta(orbiton, "A"), cta(orbiton, "B", owner="tom")

    assert load_counts(asked(), member=orbiton.priya, today=OwnDays(TODAY)) == {
        "mine": 1,
        "tasks": 0,
        "team": 2,
        "snoozed": 0,
        "conversations": 0,
    }


def test_messages_that_wait_are_listed_with_the_next_to_leave_first(
    orbiton: Workspace, priya: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hours, subject in ((9, "Late"), (1, "Soon"), (1, "Soon too"), (2, "Then")):
        draft(orbiton, subject, send_at=NOW + timedelta(hours=hours))
    draft(orbiton, "Gone", send_at=NOW, state="sent")
    assert "Late" in text(priya.page("ctas/?tab=conversations"))

    monkeypatch.setattr(cockpit, "PAGE_SIZE", 2)
    first = load_pending(asked("tab=conversations"))
    second = load_pending(asked(f"tab=conversations&after={first.next}"))

    assert [one.subject for page in (first, second) for one in page.conversations] == [
        "Soon",
        "Soon too",
        "Then",
        "Late",
    ]
    assert second.next is None


def draft(space: Workspace, subject: str, *, send_at: datetime, **more: Any) -> None:
    facts = {"account": world.account(f"Account of {subject}"), "sender": space.priya, "to_email": "a@b.example"}
    Conversation.objects.create(subject=subject, body="Hello", send_at=send_at, created_at=NOW, **facts, **more)


# --- what is done from it ---------------------------------------------------------------------------------------------


def test_a_cta_is_opened_by_hand(orbiton: Workspace, priya: Visitor) -> None:
    world.account("Harbourline")
    form = priya.fragment("ctas/new/", "dialog")
    facts = {"name": "Agree a target", "account": "Harbourline", "type": "risk", "priority": "high"}
    answer = priya.send("ctas/new/", target="dialog", **facts, owner=orbiton.priya.pk, due_on=TODAY.isoformat())

    assert "What needs doing" in text(form)
    assert not is_whole(form)
    assert set(json.loads(answer["HX-Trigger"])) == {"toast", "dialog:close", "account:changed"}
    assert names(orbiton) == ["Agree a target"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"account": "Nowhere"}, "No account has this name"),
        ({"account": "Twin"}, "Several accounts have this name"),
        ({"due_on": "2020-01-01"}, "Pick today or later."),
        ({"due_on": "soon"}, "Enter a valid date"),
        ({"name": ""}, "This field is required"),
        ({"type": "objective"}, "An objective belongs to a success plan"),
        ({"owner": "999999"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_opened_is_said_and_nothing_typed_is_lost(
    orbiton: Workspace, priya: Visitor, wrong: dict[str, str], words: str
) -> None:
    world.account("Harbourline"), world.account("Twin", external_id="a"), world.account("Twin", external_id="b")
    facts = {"name": "Agree a target", "account": "Harbourline", "type": "risk", "priority": "high"}
    answer = priya.submit("ctas/new/", **{**facts, "comment": "Typed before", **wrong})

    assert (answer.status_code, Cta.objects.count()) == (422, 0)
    assert words in text(answer)
    assert "Typed before" in text(answer)


def test_accounts_are_offered_as_their_name_is_typed_and_twins_by_their_id(orbiton: Workspace, priya: Visitor) -> None:
    world.account("Harbourline"), world.account("Harris", external_id="a"), world.account("Harris", external_id="b")

    offered = text(priya.page("ctas/new/accounts/?account=har"))

    assert [f'value="{value}"' in offered for value in ("Harbourline", "a", "b")] == [True, True, True]
    assert "<option" not in text(priya.page("ctas/new/accounts/?account="))


def test_a_field_is_edited_in_its_place_and_the_others_stay(orbiton: Workspace, priya: Visitor) -> None:
    one = cta(orbiton, "Call", priority="low")
    priya.send(f"ctas/{one.pk}/edit/", owner=orbiton.tom.pk)
    priya.send(f"ctas/{one.pk}/edit/", due_on="")

    one.refresh_from_db()
    assert (one.owner, one.due_on, one.priority, one.name) == (orbiton.tom, None, "low", "Call")


def test_an_edit_that_makes_no_sense_is_refused_in_words(orbiton: Workspace, priya: Visitor) -> None:
    one = cta(orbiton, "Call")
    answer = priya.send(f"ctas/{one.pk}/edit/", due_on="31 February")

    assert "Enter a valid date." in answer["HX-Trigger"]
    assert Cta.objects.get().due_on == TODAY


def test_snoozing_asks_for_a_day_after_today(orbiton: Workspace, priya: Visitor) -> None:
    one = cta(orbiton, "Call")
    refused = priya.submit(f"ctas/{one.pk}/snooze/", until=TODAY.isoformat())
    priya.submit(f"ctas/{one.pk}/snooze/", until=(TODAY + timedelta(days=7)).isoformat(), reason="Away")

    assert (refused.status_code, "Pick a day after today." in text(refused)) == (422, True)
    assert names(orbiton, "tab=snoozed") == ["Call"]
    priya.send(f"ctas/{one.pk}/wake/")
    assert names(orbiton) == ["Call"]


@pytest.mark.parametrize(("ticked", "status"), [({"cancel_tasks": "on"}, "cancelled"), ({}, "open")])
def test_closing_asks_what_becomes_of_open_tasks(
    orbiton: Workspace, priya: Visitor, ticked: dict[str, str], status: str
) -> None:
    one = cta(orbiton, "Call")
    one.add_task(title="Dial", by=orbiton.tom, now=NOW)
    assert "1 task still open" in text(priya.fragment(f"ctas/{one.pk}/close/", "dialog"))

    priya.send(f"ctas/{one.pk}/close/", target="dialog", stage="lost", **ticked)

    assert (Cta.objects.get().status, Task.objects.get().status) == ("lost", status)


def test_a_task_is_added_for_the_owner_of_its_cta(orbiton: Workspace, priya: Visitor) -> None:
    one = cta(orbiton, "Call", owner="tom")
    priya.send(f"ctas/{one.pk}/tasks/", title="Dial")

    assert (Task.objects.get().title, Task.objects.get().owner) == ("Dial", orbiton.tom)


def test_a_comment_is_text_whatever_is_in_it(orbiton: Workspace, priya: Visitor) -> None:
    one = cta(orbiton, "Call")
    priya.send(f"ctas/{one.pk}/comments/", body="<img src=x onerror=alert(1)> {{ 7|add:7 }}")

    drawer = text(priya.fragment(f"ctas/{one.pk}/", "drawer"))
    assert Comment.objects.get().subject == f"cta:{one.pk}"
    assert "&lt;img src=x onerror=alert(1)&gt; {{ 7|add:7 }}" in drawer
    assert "<img src=x" not in drawer


def test_an_observer_reads_and_comments(orbiton: Workspace) -> None:
    one, omar = cta(orbiton, "Call"), Visitor(orbiton.omar)

    assert 'data-key="c"' not in text(omar.page("ctas/?tab=team"))
    assert omar.send(f"ctas/{one.pk}/comments/", body="Seen").status_code == 204
    assert omar.send(f"ctas/{one.pk}/snooze/", until="2036-01-01").status_code == 403


def test_a_list_with_a_drawer_beside_it_leads_on_to_the_next_row(orbiton: Workspace, priya: Visitor) -> None:
    """Neither page nor drawer takes what the other is given."""
    first, second = cta(orbiton, "First"), cta(orbiton, "Second")

    assert f'href="/w/orbiton/ctas/?cta={second.pk}"' in text(priya.page(f"ctas/?cta={first.pk}"))


@pytest.mark.parametrize("path", ["ctas/new/", "ctas/{pk}/snooze/", "ctas/{pk}/close/", "ctas/{pk}/repeat/"])
def test_a_dialog_opened_by_its_address_is_there_once(orbiton: Workspace, priya: Visitor, path: str) -> None:
    page = priya.page(path.format(pk=cta(orbiton, "Call").pk))

    assert text(page).count('id="dialog-title"') == 1
