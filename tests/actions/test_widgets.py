"""The forms of actions on a page: what they show reads back as what is stored, and their own buttons work."""

import pytest
from django.http import QueryDict

from actions.base import Action, Audience
from actions.checks import clean_config, form_of, read_config
from actions.registry import ACTIONS, action_for
from actions.types.create_cta import CreateCtaForm
from actions.widgets import is_at_work
from tests.world import Workspace

from .controls import sent

pytestmark = pytest.mark.usefixtures("orbiton")
CTA = action_for("create_cta")


def page(action: Action, config: object, *, judged: bool = False) -> str:
    assert isinstance(config, dict)
    return str(form_of(action, config, audience=Audience.ACCOUNTS, judged=judged))


def pressed(button: str, *titles: str) -> QueryDict:
    data = QueryDict(mutable=True)
    for at, title in enumerate(titles):
        data[f"tasks-{at}-title"] = title
    data["tasks:edit"] = button
    return data


def titles(data: QueryDict) -> list[str | None]:
    return [task.get("title") for task in read_config(CTA, data)["tasks"]]


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.key)
@pytest.mark.parametrize("judged", [False, True])
def test_a_page_reads_back_as_what_it_shows(action: Action, judged: bool) -> None:
    config = clean_config(action, action.sample)

    assert clean_config(action, read_config(action, sent(page(action, config, judged=judged)))) == config


def test_an_empty_form_says_nothing_until_it_is_judged(orbiton: Workspace) -> None:
    assert "This field is required" not in page(CTA, {})
    assert "This field is required" in page(CTA, {}, judged=True)


def test_a_role_can_be_anybody_active_and_whoever_holds_it_stays_visible(orbiton: Workspace) -> None:
    shown = page(CTA, {"owner": "member:gone@orbiton.example"})

    assert '<option value="member:tom@orbiton.example">Tom Lindqvist</option>' in shown
    assert '<option value="member:gone@orbiton.example" selected>gone@orbiton.example (no longer here)' in shown


def test_tasks_are_added_moved_and_removed_by_buttons() -> None:
    assert titles(pressed("add", "Call")) == ["Call", None]
    assert titles(pressed("down 0", "Call", "Write")) == ["Write", "Call"]
    assert titles(pressed("up 0", "Call", "Write")) == ["Call", "Write"]
    assert titles(pressed("remove 1", "Call", "Write")) == ["Call"]
    assert titles(pressed("remove 999", "Call")) == ["Call"]
    assert is_at_work(pressed("add"))


def test_a_problem_of_a_task_names_its_row() -> None:
    config = clean_config(CTA, CTA.sample) | {"tasks": [{"title": "Fine"}, {"title": "{{ account.nmae }}"}]}

    assert "2, title: There is no variable {{ account.nmae }} here" in page(CTA, config, judged=True)


def test_what_cannot_be_read_yet_stays_as_it_was_typed() -> None:
    read = read_config(
        CTA, QueryDict("name=Hello {{ account&due_in_days=soon&owner=csm&tasks-0-title=Call&tasks-0-due_in_days=x")
    )

    assert (read["name"], read["due_in_days"], read["owner"]) == ("Hello {{ account", "soon", "csm")
    assert read["tasks"] == [{"title": "Call", "due_in_days": "x"}]


@pytest.mark.parametrize(
    ("sent_as", "hours"),
    [
        ({"before": "at_once", "hours": "48"}, 0),
        ({"before": "wait", "hours": "48"}, 48),
        ({"before": "wait", "hours": ""}, "?"),
    ],
)
def test_a_message_waits_as_long_as_is_said_or_not_at_all(
    orbiton: Workspace, sent_as: dict[str, str], hours: object
) -> None:
    data = {f"review_hours-{name}": value for name, value in sent_as.items()}

    assert read_config(action_for("start_conversation"), data)["review_hours"] == hours


def test_how_long_a_message_waits_reads_in_days_where_it_can(orbiton: Workspace) -> None:
    talk = action_for("start_conversation")

    assert "Wait 2 days for review" in page(talk, {"review_hours": 48})
    assert "Wait 36 hours for review" in page(talk, {"review_hours": 36})
    assert "Say how many hours" in page(talk, {"review_hours": "?"}, judged=True)


def test_a_playbook_for_accounts_writes_to_the_primary_contact_by_one_name(orbiton: Workspace) -> None:
    talk = action_for("start_conversation")

    def offered(audience: Audience, **config: str) -> list[str]:
        found = str(form_of(talk, config, audience=audience, judged=False))
        return [word for word in ("The user", "Primary contact") if f">{word}</option>" in found]

    assert offered(Audience.ACCOUNTS) == offered(Audience.ACCOUNTS, recipients="primary") == ["Primary contact"]
    assert offered(Audience.USERS) == ["The user", "Primary contact"]


def test_pairs_of_fields_share_a_line(orbiton: Workspace) -> None:
    lines = [[field.name for field in line] for line in CreateCtaForm().lines()]

    assert ["type", "reason"] in lines
    assert sorted(name for line in lines for name in line) == sorted(CreateCtaForm.base_fields)


def test_a_text_where_a_list_of_tasks_should_be_is_refused() -> None:
    assert CTA.form({"tasks": "call them"}).errors["tasks"]
