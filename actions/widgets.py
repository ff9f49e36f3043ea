"""How the fields of an action's form look, and what they read: JSON as it is stored, or the controls of a page.

A widget returns what stands under its field's own name when that is JSON; otherwise it puts the value together from
the names it has rendered. So one form is bound to a stored config and to a submitted page alike.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from django import forms
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from accounts.models import TraitDefinition
from actions.people import ADMINS, AE, CSM, MANAGERS, MEMBER
from actions.variables import ACCOUNT, SENDER, USER, Variable, workspace_variables
from actions.variables import CSM as CSM_SCOPE
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Membership
from cs_platform.tenancy.roles import Role
from ctas.playbooks import cta_playbooks

Row = dict[str, Any]


class Team:
    """Who a role can name, and what texts can; asked for once for any number of forms, and only when needed."""

    @cached_property
    def _every_variable(self) -> dict[str, Variable]:
        return workspace_variables((ACCOUNT, USER, CSM_SCOPE, SENDER))

    def variables(self, scopes: Iterable[str]) -> dict[str, Variable]:
        wanted = tuple(f"{scope}." for scope in scopes)
        return {name: known for name, known in self._every_variable.items() if name.startswith(wanted)}

    @cached_property
    def members(self) -> list[tuple[str, str]]:
        active = Membership.objects.in_tenant(current_tenant_id()).active().order_by("name", "pk")
        return [(f"{MEMBER}{email.lower()}", name) for email, name in active.values_list("email", "name")]

    @cached_property
    def approvers(self) -> list[tuple[str, str]]:
        """Whom an action can ask before it runs: who only reads is never asked."""
        named = Membership.objects.in_tenant(current_tenant_id()).active().exclude(role=Role.OBSERVER)
        people = named.order_by("name", "pk").values_list("email", "name")
        roles = [(CSM, "The account’s CSM"), (AE, "The account’s AE")]
        teams = [(ADMINS, "Any owner or admin"), (MANAGERS, "Any owner, admin or manager")]
        return [*roles, *teams, *((f"{MEMBER}{email.lower()}", name) for email, name in people)]

    @cached_property
    def people(self) -> list[tuple[str, str]]:
        """Active members by id, as traits hold them."""
        active = Membership.objects.in_tenant(current_tenant_id()).active().order_by("name", "pk")
        return [(str(pk), name) for pk, name in active.values_list("pk", "name")]

    @cached_property
    def custom_traits(self) -> list[TraitDefinition]:
        present = TraitDefinition.objects.filter(source=TraitDefinition.Source.CUSTOM, archived_at=None)
        return list(present.order_by("label", "pk"))

    def choices(self, nobody: str, chosen: str) -> list[tuple[str, str]]:
        """`nobody` says what an empty role means here. Whoever left stays visible until somebody else is chosen."""
        roles = [("", nobody), (CSM, "The account’s CSM"), (AE, "The account’s AE"), *self.members]
        known = {value for value, _label in roles}
        gone = [(chosen, f"{chosen.removeprefix(MEMBER)} (no longer here)")] if chosen not in known else []
        return [*roles, *gone]


def press(data: Mapping[str, Any], name: str) -> tuple[str, int]:
    """Which of a widget's own buttons sent the form: its verb and the row it is about."""
    verb, _, row = str(data.get(f"{name}:edit") or "").partition(" ")
    return verb, int(row) if row.isascii() and row.isdecimal() and len(row) < 4 else 0


def is_at_work(data: Mapping[str, Any]) -> bool:
    """Whether a widget's own button sent the form: it is shown again, and nothing is judged yet."""
    return any(key.endswith(":edit") for key in data)


class Templated(forms.Widget):
    """Rendered where the project's templates and icons are known."""

    template_name: str

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        return render_to_string(self.template_name, self.get_context(name, value, attrs or {}))


class TemplateInput(Templated, forms.TextInput):
    """A line with a button that lists the variables."""

    template_name = "actions/widgets/text.html"


class TemplateTextarea(Templated, forms.Textarea):
    template_name = "actions/widgets/long_text.html"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"rows": 5} | (attrs or {}))


class RoleSelect(Templated, forms.Select):
    template_name = "actions/widgets/role.html"
    team: Team

    def __init__(self, *, nobody: str = "Nobody") -> None:
        super().__init__()
        self.nobody = nobody

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        self.choices = self.team.choices(self.nobody, str(value or ""))
        return super().get_context(name, value or "", attrs)


class CtaPlaybookSelect(Templated, forms.Select):
    template_name = "actions/widgets/role.html"

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """One that is no longer offered stays visible until another is chosen."""
        known = {one.key: one.name for one in cta_playbooks().offered()}
        gone = {value: f"{value} (no longer offered)"} if value and value not in known else {}
        self.choices = [("", "None"), *known.items(), *gone.items()]
        return super().get_context(name, value or "", attrs)


class Segmented(Templated, forms.RadioSelect):
    """A choice of two or three, side by side."""

    template_name = "actions/widgets/segmented.html"
    is_always_answered = True

    def __init__(self, *args: Any, icons: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.icons = icons or {}

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return super().create_option(name, value, *args, **kwargs) | {"icon": self.icons.get(str(value), "")}


class Cards(Templated, forms.RadioSelect):
    """A choice of few, each with a sentence that explains it."""

    template_name = "actions/widgets/cards.html"

    def __init__(self, *, words: Mapping[str, str]) -> None:
        super().__init__()
        self.words = words

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return super().create_option(name, value, *args, **kwargs) | {"words": self.words.get(str(value), "")}


class ReviewCards(Templated, forms.NumberInput):
    """Waiting so many hours or not at all: `review_hours-before`, and `review_hours-hours` for how long."""

    template_name = "actions/widgets/review.html"
    is_always_answered = True
    use_fieldset = True
    USUAL = 24
    WAIT, AT_ONCE = "wait", "at_once"
    UNSAID = "?"  # it waits, and nobody said for how long

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Any:
        if f"{name}-before" not in data:
            return data.get(name)
        return (data.get(f"{name}-hours") or self.UNSAID) if data[f"{name}-before"] == self.WAIT else 0

    def value_omitted_from_data(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
        return name not in data and f"{name}-before" not in data

    def id_for_label(self, id_: str, index: Any = None) -> str:
        return ""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        hours = str(value or 0)
        waits = hours != "0"
        typed = (hours if waits else str(self.USUAL)).removeprefix(self.UNSAID)
        said = {"waits": waits, "hours": typed, "words": _wait_words(typed), "wait": self.WAIT, "at_once": self.AT_ONCE}
        return super().get_context(name, value, attrs) | said


def _wait_words(hours: str) -> str:
    """Whole days read as days; what is no number says nothing."""
    if not (hours.isascii() and hours.isdecimal()):
        return ""
    days, rest = divmod(int(hours), 24)
    count, unit = (int(hours), "hour") if rest or not days else (days, "day")
    return f"{count} {unit}{'' if count == 1 else 's'}"


class SomeOfRows(Templated, forms.CheckboxSelectMultiple):
    template_name = "actions/widgets/rows.html"


class RowsWidget(Templated):
    """A list of small forms: `tasks-0-title`, `tasks-0-owner` …, with buttons to add, move and remove."""

    columns: tuple[str, ...]
    limit: int
    use_fieldset = True

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Any:
        given = data.get(name)
        if given is not None and not isinstance(given, str):
            return given
        rows = self._posted(data, name)
        # A text where a list should be is for the field to refuse.
        return given if given and not rows else self._changed(rows, *press(data, name))

    def value_omitted_from_data(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
        return name not in data and not any(key.startswith((f"{name}-", f"{name}:")) for key in data)

    def id_for_label(self, id_: str, index: Any = None) -> str:
        return ""

    def _posted(self, data: Mapping[str, Any], name: str) -> list[Row]:
        named = re.compile(rf"{re.escape(name)}-(\d{{1,3}})-({'|'.join(self.columns)})")
        rows: dict[int, Row] = {}
        for key in data:
            if found := named.fullmatch(key):
                rows.setdefault(int(found[1]), {})[found[2]] = data[key]
        return [rows[at] for at in sorted(rows)]

    def _changed(self, rows: list[Row], verb: str, at: int) -> list[Row]:
        if verb == "add" and len(rows) < self.limit:
            return [*rows, {}]
        there = at + {"up": -1, "down": 1}.get(verb, 0)
        if at < len(rows) and 0 <= there < len(rows):
            row = rows.pop(at)
            if verb != "remove":
                rows.insert(there, row)
        return rows

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        rows = [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []
        return {
            "name": name,
            "id": (attrs or {}).get("id") or f"id_{name}",
            "rows": [self.shown(f"{name}-{at}", row) for at, row in enumerate(rows)],
            "last": len(rows) - 1,
            "is_full": len(rows) >= self.limit,
        }

    def shown(self, prefix: str, row: Mapping[str, Any]) -> dict[str, Any]:
        return {"prefix": prefix, **{column: row.get(column) for column in self.columns}}


class TaskListWidget(RowsWidget):
    template_name = "actions/widgets/tasks.html"
    columns: tuple[str, ...] = ("title", "description", "due_in_days", "owner")
    limit = 30
    team: Team

    def shown(self, prefix: str, row: Mapping[str, Any]) -> dict[str, Any]:
        owner = str(row.get("owner") or "")
        return super().shown(prefix, row) | {"owner": owner, "owners": self.team.choices("The CTA’s owner", owner)}


class ScheduledTasksWidget(TaskListWidget):
    template_name = "actions/widgets/scheduled_tasks.html"
    columns = ("title", "description", "day", "owner", "fallback_owner")

    def shown(self, prefix: str, row: Mapping[str, Any]) -> dict[str, Any]:
        otherwise = str(row.get("fallback_owner") or "")
        fallbacks = self.team.choices("The CTA’s owner", otherwise)
        return super().shown(prefix, row) | {"fallback_owner": otherwise, "fallbacks": fallbacks}


class PropertiesWidget(RowsWidget):
    """A row for each: `properties-0-name`, `properties-0-text`."""

    template_name = "actions/widgets/properties.html"
    columns = ("name", "text")
    limit = 30

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        if isinstance(value, Mapping):
            value = [{"name": key, "text": text} for key, text in value.items()]
        return super().get_context(name, value, attrs)
