"""Settings → Data sources: a key shown once, what waits, what was wrong, and what to do about it."""

import re
from typing import Any

import pytest

from accounts import sources
from accounts.models import DataSource, ReceivedBatch, TraitProblem
from cs_platform.tenancy.models import AuditEntry, Credential, WorkDue, hash_token
from tests.visitor import Visitor, text
from tests.world import MONDAY, Workspace

PATH = "settings/data-sources/"
KEY = re.compile(r"cs_write_[\w-]{32}")


@pytest.fixture
def maya(inside: Workspace) -> Visitor:
    return Visitor(inside.maya)


@pytest.fixture
def source(inside: Workspace) -> DataSource:
    return DataSource.open(name="Website", by=inside.olga, now=MONDAY)[0]


def problem(source: str, **parts: Any) -> TraitProblem:
    facts: dict[str, Any] = {"scope": "account", "key": "seats", "outcome": "refused", "reason": "not a number"}
    facts |= {"sample": '"<script>alert(1)</script>"', "count": 3, "first_at": MONDAY, "last_at": MONDAY}
    return TraitProblem.objects.create(source=source, **(facts | parts))


def set_aside(source: DataSource) -> None:
    kept = {"calls": 7, "body": b"", "received_at": MONDAY, "failed_at": MONDAY, "error": "ValueError: <b>odd</b>"}
    ReceivedBatch.objects.create(source=source, **kept)


def test_a_new_source_shows_its_key_once(maya: Visitor) -> None:
    assert "Nothing sends data yet" in text(maya.page(PATH))
    answer = maya.submit(PATH, name=" Website ")
    (key,) = set(KEY.findall(text(answer)))
    found = DataSource.objects.get()

    assert (found.name, found.token_hash, found.last_four) == ("Website", hash_token(key), key[-4:])
    assert "no-store" in answer["Cache-Control"]
    assert Credential.objects.get(token_hash=found.token_hash).tenant_id == found.tenant_id
    assert not KEY.search(text(maya.page(f"{PATH}{found.pk}/")))


def test_a_source_needs_a_name(maya: Visitor) -> None:
    answer = maya.submit(PATH, name=" ")

    assert answer.status_code == 422
    assert "This field is required." in text(answer)
    assert not DataSource.objects.exists()


def test_there_is_a_limit_to_sources(maya: Visitor, source: DataSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LIMIT", 1)
    answer = maya.submit(PATH, name="App")
    assert (answer.status_code, DataSource.objects.count()) == (422, 1)

    source.revoke(now=MONDAY)
    assert maya.submit(PATH, name="App").status_code == 200


def test_the_list_says_what_waits_and_what_was_wrong(maya: Visitor, source: DataSource) -> None:
    ReceivedBatch.objects.create(source=source, calls=1_200, body=b"", received_at=MONDAY)
    set_aside(source)
    problem(source.actor)
    problem(source.actor, outcome="coerced", reason="text read as a number", count=5)
    problem("import", count=9)
    shown = text(maya.page(PATH))

    for words in (
        "1,200 calls waiting",
        "1 set aside",
        "3 refused",
        "5 coerced",
        "Exports loaded by hand",
        "9 refused",
    ):
        assert words in shown


def test_the_page_of_problems_says_what_why_and_what_to_do(maya: Visitor, source: DataSource) -> None:
    problem(source.actor, key="legacy", reason="nested objects are not kept")
    problem(source.actor)
    shown = text(maya.page(f"{PATH}{source.pk}/"))

    for words in (
        "Not a number",
        "Correct it where it is sent.",
        "Send what you need of the object",
        "legacy",
        "seats",
    ):
        assert words in shown
    assert "<script>alert" not in shown


def test_the_list_of_problems_can_be_cleared(maya: Visitor, source: DataSource) -> None:
    kept = problem("import")
    problem(source.actor)
    assert maya.submit(f"{PATH}{source.pk}/clear/").status_code == 302
    assert TraitProblem.objects.get() == kept
    assert "seats" in text(maya.page(f"{PATH}exports/"))

    maya.submit(f"{PATH}exports/clear/")
    assert not TraitProblem.objects.exists()
    assert "Everything that came in was kept" in text(maya.page(f"{PATH}exports/"))


def test_what_was_set_aside_can_be_tried_again(maya: Visitor, source: DataSource) -> None:
    set_aside(source)
    shown = text(maya.page(f"{PATH}{source.pk}/"))
    assert "7 calls" in shown
    assert "ValueError: &lt;b&gt;odd&lt;/b&gt;" in shown

    maya.submit(f"{PATH}{source.pk}/retry/")
    assert ReceivedBatch.objects.waiting().exists()
    assert WorkDue.objects.filter(queue="ingest").exists()
    assert "Set aside" not in text(maya.page(f"{PATH}{source.pk}/"))


def test_a_new_key_replaces_the_old_one(maya: Visitor, source: DataSource) -> None:
    before = source.token_hash
    (key,) = set(KEY.findall(text(maya.submit(f"{PATH}{source.pk}/rotate/"))))
    assert [one.token_hash for one in Credential.objects.all()] == [hash_token(key)] != [before]


def test_a_closed_source_is_given_no_key(maya: Visitor, source: DataSource) -> None:
    for _ in range(2):
        assert maya.submit(f"{PATH}{source.pk}/close/").status_code == 302
    assert not KEY.search(text(maya.submit(f"{PATH}{source.pk}/rotate/")))
    assert not Credential.objects.exists()
    assert "Closed" in text(maya.page(PATH))


def test_who_opened_changed_and_closed_it_is_written_down(maya: Visitor) -> None:
    maya.submit(PATH, name="Website")
    source = DataSource.objects.get()
    for verb in ("rotate", "close", "close"):
        maya.submit(f"{PATH}{source.pk}/{verb}/")

    verbs = list(AuditEntry.objects.order_by("pk").values_list("verb", "actor"))
    done = ("data_source.opened", "data_source.key_rotated", "data_source.closed")
    assert verbs == [(verb, maya.member.actor) for verb in done]


def test_the_list_costs_the_same_however_many_there_are(
    maya: Visitor, inside: Workspace, django_assert_max_num_queries: Any
) -> None:
    for n in range(12):
        made, _ = DataSource.open(name=f"Source {n}", by=inside.olga, now=MONDAY)
        problem(made.actor)
    with django_assert_max_num_queries(13):
        maya.page(PATH)


def test_others_do_not_see_the_page(maya: Visitor, inside: Workspace) -> None:
    assert "Data sources" in text(maya.page("settings/"))
    for member in (inside.priya, inside.omar):
        visitor = Visitor(member)
        assert visitor.page(PATH).status_code == 403
        assert "Data sources" not in text(visitor.page("settings/"))
