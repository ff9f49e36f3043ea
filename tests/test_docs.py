"""README and docs are true: links lead somewhere, every script, command and variable is named, examples import.

What belongs to one page is tested beside its subject: rules, actions and data in have tests of their own.
"""

import json
import re
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import get_commands
from django.utils.module_loading import import_string

from accounts.fields import workspace_fields
from cs_platform.dashboard.demo import LOGINS, PASSWORD
from cs_platform.tenancy.context import tenant_context
from playbooks import definition
from playbooks.definition import Definition, Reenrollment, parse
from playbooks.evaluation import BRAKE_FLOOR, BRAKE_SHARE, FIRST_TIME_MARGIN
from playbooks.models import ActionRun, Enrollment, Evaluation, Playbook
from tests.world import playbook_json, trait, workspace

ROOT = Path(settings.BASE_DIR)
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
TEXTS = {page: page.read_text() for page in PAGES}
ALL = "\n".join(TEXTS.values())
OWN = {package.parent.name for package in ROOT.glob("*/__init__.py")}
PLAYBOOKS = (DOCS / "playbooks.md").read_text()


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def anchors(text: str) -> set[str]:
    """The fragments a page's headings answer to, by the rule of code hosts."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def links() -> list[Any]:
    return [
        pytest.param(page, target, id=f"{name_of(page)}-{target}")
        for page, text in TEXTS.items()
        for target in re.findall(r"\]\(([^)\s]+)\)", without_code(text))
        if not target.startswith(("http://", "https://", "mailto:"))
    ]


@pytest.mark.parametrize(("page", "target"), links())
def test_every_link_leads_somewhere(page: Path, target: str) -> None:
    path, _, fragment = target.partition("#")
    found = (page.parent / path).resolve() if path else page
    assert found.exists(), f"{target} is not there"
    if fragment:
        assert fragment in anchors(found.read_text()), f"{name_of(found)} has no heading for #{fragment}"


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=name_of)
def test_every_page_is_in_the_index(page: Path) -> None:
    assert page.name == "README.md" or f"]({page.name})" in TEXTS[DOCS / "README.md"]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_script_that_is_named_exists(page: Path) -> None:
    named = set(re.findall(r"(?<![\w/.])(?:bin|\.ci)/[a-z]+", TEXTS[page]))
    assert not [script for script in named if not (ROOT / script).is_file()]


def test_every_script_is_explained() -> None:
    explained = TEXTS[DOCS / "contributing.md"]
    assert not [path.name for path in (ROOT / "bin").iterdir() if f"| `bin/{path.name}` |" not in explained]


def own_commands() -> list[str]:
    return sorted(name for name, app in get_commands().items() if str(app).partition(".")[0] in OWN)


@pytest.mark.parametrize("command", own_commands())
def test_every_management_command_is_listed(command: str) -> None:
    assert f"`{command}`" in TEXTS[DOCS / "README.md"].partition("## Commands")[2]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_management_command_that_is_named_exists(page: Path) -> None:
    named = set(re.findall(r"manage\.py ([a-z_]{3,})", TEXTS[page]))
    assert not named - set(get_commands())


def variables() -> list[str]:
    source = (ROOT / "cs_platform" / "settings.py").read_text()
    return sorted(set(re.findall(r"\benv\.\w+\(\s*\"([A-Z_]+)\"", source)))


@pytest.mark.parametrize("variable", variables())
def test_every_variable_the_settings_read_is_documented(variable: str) -> None:
    assert f"`{variable}`" in TEXTS[DOCS / "operators.md"].partition("### Every variable")[2]


def test_the_settings_read_variables() -> None:
    assert {"DATABASE_URL", "SECRET_KEY", "EMAIL_URL"} <= set(variables())


def test_the_readme_names_every_demo_login() -> None:
    readme = TEXTS[ROOT / "README.md"]
    assert PASSWORD in readme
    assert not [login.email for login in LOGINS if f"| `{login.email}` | {login.role.label}" not in readme]


def test_every_picture_is_small() -> None:
    assert not [image.name for image in (DOCS / "images").iterdir() if image.stat().st_size > 300_000]


def paths_in(text: str) -> set[str]:
    return set(re.findall(r"`((?:[a-z_.]+/)+(?:[\w.]+)?)`", text))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_path_of_the_repository_that_is_named_exists(page: Path) -> None:
    """Only what begins like one of our folders: other paths are addresses, or places on a server."""
    ours = {entry.name for entry in ROOT.iterdir()} - {"var", ".venv"}
    named = {path for path in paths_in(TEXTS[page]) if path.split("/")[0] in ours}
    assert not [path for path in named if not (ROOT / path).exists()]


# docs/architecture.md -------------------------------------------------------------------------------------------------


def test_the_tree_is_the_trees() -> None:
    tree = re.findall(r"## Tree\n+```\n(.*?)```", TEXTS[DOCS / "architecture.md"], flags=re.DOTALL)[0]
    engine = tree.partition("playbooks/ ")[2].partition("cs_platform/ ")[0]
    assert not [name for name in re.findall(r"(\w+\.py)", engine) if not (ROOT / "playbooks" / name).exists()]
    assert not [name for name in OWN if f"{name}/" not in tree]


def test_every_source_is_documented_with_its_protocol() -> None:
    rows = re.findall(r"\n\| `([A-Z_]+)` \| `?([\w.]+)", TEXTS[DOCS / "architecture.md"])
    assert {name for name, _protocol in rows} == {
        "RULE_FIELD_SOURCES",
        "TABLE_COLUMN_SOURCES",
        "USER_COLUMN_SOURCES",
        "ACCOUNT_PANELS",
        "ACTOR_SOURCES",
        "DRAWERS",
        "CTA_DRAWER_PARTS",
        "NEW_CTA_PARTS",
        "COMMENTERS",
        "CTA_PLANS",
        "CTA_PLAYBOOKS",
        "LETTER_TEXTS",
        "BULK_VERBS",
        "USER_BULK_VERBS",
        "JOB_KINDS",
        "DIGEST_SOURCES",
        "HEIRS",
        "HOME_PANELS",
        "JUMP_SOURCES",
        "LETTER_SOURCES",
        "NOTICE_SOURCES",
        "SUBJECTS",
        "TALLIES",
        "UNDER_WAY",
        "VIEW_COUNTERS",
        "WORK_SOURCES",
    }
    for name, protocol in rows:
        assert hasattr(settings, name)
        assert "." not in protocol or import_string(protocol)


def test_the_glossary_names_code_that_exists() -> None:
    modules = re.findall(r"`((?:accounts|playbooks|cs_platform)/[\w/]+\.py)`", TEXTS[DOCS / "glossary.md"])
    assert modules
    assert all(find_spec(module.removesuffix(".py").replace("/", ".")) for module in modules)


# docs/playbooks.md ----------------------------------------------------------------------------------------------------


def examples() -> list[Any]:
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PLAYBOOKS, flags=re.DOTALL)]


def is_whole(example: dict[str, Any]) -> bool:
    return "steps" in example or "tasks" in example


def as_playbook(example: dict[str, Any]) -> dict[str, Any]:
    """A whole playbook, one of its steps, or one of its parts."""
    if is_whole(example):
        return example
    return playbook_json(steps=[example]) if "action" in example else playbook_json(**example)


@pytest.mark.django_db
@pytest.mark.parametrize("example", examples(), ids=lambda example: next(iter(example)))
def test_every_example_can_be_imported(example: dict[str, Any]) -> None:
    with tenant_context(workspace("orbiton").tenant.pk):
        trait("renewal_stage", "choice", choices=["Early", "Proposal", "Signed"])
        parsed = parse(as_playbook(example), fields=workspace_fields()).exported()

    again = {name: parsed[name] for name in example if is_whole(example) and name not in ("rules", "steps", "tasks")}
    assert again == {name: example[name] for name in again}


@pytest.mark.django_db
def test_the_whole_example_has_every_key_of_a_definition() -> None:
    [whole] = [example for example in examples() if "steps" in example]
    assert set(whole) == {field.name for field in fields(Definition)}


def rows_of(heading: str) -> dict[str, str]:
    """First cell → the rest of the row, of the table below a heading."""
    section = re.split(r"\n#+ ", PLAYBOOKS.partition(f"\n{heading}\n")[2])[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", section, flags=re.MULTILINE))


def test_every_key_of_a_definition_is_documented() -> None:
    assert set(rows_of("## The JSON form")) == {field.name for field in fields(Definition)}


def test_every_key_of_a_step_is_documented() -> None:
    step = {"key", "action", "config", "condition", "approval", "keep_on_stop"}
    assert set(rows_of("### Steps")) == step | {"day", "anchor"}
    assert step < {field.name for field in fields(definition.StepSpec)}


def test_every_policy_is_documented_with_its_settings() -> None:
    policies = rows_of("## Re-enrollment")
    assert set(policies) == set(definition.POLICIES)
    settings_of = {field.name for field in fields(Reenrollment)} - {"policy"}
    assert not [name for name in settings_of if f"`{name}`" not in "".join(policies.values())]


def test_every_choice_is_documented() -> None:
    rows = rows_of("## The JSON form")
    assert all(f"`{target}`" in rows["target"] for target in definition.TARGETS)
    assert all(f"`{choice}`" in rows["on_unmatch"] for choice in definition.ON_UNMATCH)


def test_the_limits_are_the_parsers() -> None:
    form, steps = rows_of("## The JSON form"), rows_of("### Steps")
    assert f"1 to {definition.MAX_STEPS} actions" in form["steps"]
    assert f"1 to {definition.MAX_DAY:,}" in steps["day"]
    assert f"-{definition.MAX_DAY:,} to {definition.MAX_DAY:,}" in steps["anchor"]
    assert f"{BRAKE_FLOOR} or {BRAKE_SHARE:.0%}".replace("%", " %") in PLAYBOOKS
    assert f"{FIRST_TIME_MARGIN} times" in PLAYBOOKS


@pytest.mark.parametrize(
    ("heading", "states"),
    [
        ("## The life of a playbook", Playbook.Status),
        ("## Evaluation", Evaluation.State),
        ("## Enrollments", Enrollment.State),
        ("## Runs", ActionRun.State),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_state_is_documented(heading: str, states: Any) -> None:
    assert set(rows_of(heading)) == set(states.values)
