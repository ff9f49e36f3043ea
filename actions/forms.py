"""The ground under every action's form: fields whose cleaned value is JSON, and checks that need the workspace.

A form is the schema of a config. It is bound to stored JSON as well as to what a browser sends, and cleaning what it
cleaned changes nothing.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.forms.utils import ErrorDict, pretty_name
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from actions.base import Audience
from actions.people import AE, CSM, MEMBER
from actions.variables import ACCOUNT, SCOPES, USER, Variable
from actions.variables import CSM as CSM_SCOPE
from actions.widgets import (
    CtaPlaybookSelect,
    ReviewCards,
    RoleSelect,
    ScheduledTasksWidget,
    TaskListWidget,
    Team,
    TemplateInput,
    TemplateTextarea,
    is_at_work,
)
from cs_platform.common import message_templates
from cs_platform.common.message_templates import TemplateError
from ctas.playbooks import cta_playbooks

TITLE_LIMIT, TEXT_LIMIT = 200, 10_000


class TemplateField(forms.CharField):
    """A text with variables."""

    def __init__(self, *, single_line: bool = True, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", TITLE_LIMIT if single_line else TEXT_LIMIT)
        kwargs.setdefault("widget", TemplateInput if single_line else TemplateTextarea)
        super().__init__(**kwargs)


class RoleField(forms.CharField):
    """Somebody of the team: "csm", "ae", "member:<email>", or "" for nobody."""

    widget = RoleSelect

    def clean(self, value: Any) -> str:
        role = str(super().clean(value)).strip()
        if role in ("", CSM, AE):
            return role
        if role.startswith(MEMBER) and "@" in role:
            return role.lower()
        raise ValidationError('Choose "csm", "ae" or "member:" followed by a team member’s email address.')


class CtaPlaybookField(forms.CharField):
    """The key of a CTA playbook that is offered, or "" for none."""

    widget = CtaPlaybookSelect

    def clean(self, value: Any) -> str:
        key = str(super().clean(value)).strip()
        if key and key not in {one.key for one in cta_playbooks().offered()}:
            raise ValidationError(f"There is no CTA playbook “{key}” that is live. Choose one of the list.")
        return key


class OnWeekendsField(forms.BooleanField):
    """Not said, a due date moves on to the next working day."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            required=False,
            label="Due dates may fall on weekends and holidays",
            help_text="Otherwise they move to the next working day.",
            **kwargs,
        )


class ReviewField(forms.IntegerField):
    """For how many hours a message waits to be looked at; 0: it does not."""

    widget = ReviewCards

    def clean(self, value: Any) -> int | None:
        if value == ReviewCards.UNSAID:
            raise ValidationError("Say how many hours there are to review it.")
        return super().clean(value)  # type: ignore[no-any-return]


class TaskListField(forms.Field):
    """A list of tasks, each an object; problems carry the place in the list as their code ("[1].title")."""

    widget = TaskListWidget
    LIMIT: ClassVar[int] = TaskListWidget.limit

    def item_form(self) -> type["RowForm"]:
        """What one of them says."""
        return TaskForm

    def clean(self, value: Any) -> list[dict[str, Any]]:
        if value in (None, ""):
            return []
        if not isinstance(value, list) or len(value) > self.LIMIT:
            raise ValidationError(f"Give a list of at most {self.LIMIT} tasks.")
        task_form = self.item_form()
        forms_of_tasks = [task_form(item if isinstance(item, Mapping) else {}) for item in value]
        problems = [
            ValidationError(message, code=f"[{at}].{name}")
            for at, form in enumerate(forms_of_tasks)
            for name, messages in form.errors.items()
            for message in messages
        ]
        problems += [
            _unknown_key(f"[{at}].{key}") for at, form in enumerate(forms_of_tasks) for key in form.unknown_keys
        ]
        if problems:
            raise ValidationError(problems)
        return [form.cleaned_data for form in forms_of_tasks]


def _unknown_key(path: str) -> ValidationError:
    return ValidationError(f"A task has no setting “{path.rpartition('.')[2]}”.", code=path)


class RowForm(forms.Form):
    @property
    def unknown_keys(self) -> list[str]:
        return [str(key) for key in self.data if key not in self.fields]


class TaskForm(RowForm):
    title = TemplateField()
    description = TemplateField(required=False, single_line=False)
    due_in_days = forms.IntegerField(required=False, min_value=0, max_value=1_000)
    owner = RoleField(required=False)


class ScheduledTaskForm(RowForm):
    """A task of a CTA playbook. An empty role is the CTA's owner."""

    title = TemplateField()
    description = TemplateField(required=False, single_line=False)
    day = forms.IntegerField(min_value=1, max_value=1_000)
    owner = RoleField(required=False)
    fallback_owner = RoleField(required=False)


class ScheduledTasksField(TaskListField):
    widget = ScheduledTasksWidget

    def item_form(self) -> type[RowForm]:
        return ScheduledTaskForm

    def clean(self, value: Any) -> list[dict[str, Any]]:
        tasks = super().clean(value)
        if not tasks:
            raise ValidationError("Add at least one task.")
        return tasks


class ActionBoundField(forms.BoundField):
    """A field on the page: whether it is needed as things stand, and what is wrong with it, by the row it is in."""

    form: "ActionForm"

    @property
    def is_shown(self) -> bool:
        needs = self.form.shown_when.get(self.name)
        return needs is None or str(self.form[needs[0]].value() or "") in needs[1] or bool(self.errors)

    @property
    def is_optional(self) -> bool:
        """What only some choices need is needed by those."""
        if getattr(self.field.widget, "is_always_answered", False):
            return False
        return not self.field.required and (self.name not in self.form.shown_when or bool(self.help_text))

    @property
    def beside(self) -> str:
        return self.form.beside.get(self.name, "")

    @property
    def redraws(self) -> bool:
        return self.name in self.form.redrawn_by

    @property
    def said(self) -> list[str]:
        problems = self.form.errors.as_data().get(self.name, [])
        rows = {problem.code: row_name(self.field, problem.code or "") for problem in problems}
        starts = {code: f"{row}: " if row else "" for code, row in rows.items()}
        return [f"{starts[problem.code]}{message}" for problem in problems for message in problem.messages]


_ROW = re.compile(r"\[([^\]]+)\](?:\.(\w+))?")


def row_name(field: forms.Field, place: str) -> str:
    """What a place in a field ("[1].due_in_days") is called: "2, due in days". Rows of an object go by their name."""
    found = _ROW.match(place)
    if not found:
        return ""
    row, column = found.groups()
    number = str(int(row) + 1) if isinstance(field, TaskListField) and row.isdecimal() else row
    return f"{number}, {pretty_name(column).lower()}" if column else number


class ActionForm(forms.Form):
    """`audience` decides which variables exist; without one, all that any audience has.

    `shown_when` names fields that only some choices need: {"days": ("mode", {"relative_date"})}. On a page they are
    hidden otherwise; the choice itself, and what `redrawn_by` names, shows the form anew. `side_by_side` names pairs of
    neighbours that share a line.
    """

    bound_field_class = ActionBoundField
    extra_scopes: ClassVar[tuple[str, ...]] = ()
    shown_when: Mapping[str, tuple[str, frozenset[str]]] = {}
    also_redrawn_by: ClassVar[tuple[str, ...]] = ()
    side_by_side: ClassVar[tuple[tuple[str, str], ...]] = ()
    beside: ClassVar[Mapping[str, str]] = {}  # templates of what stands in the line of a field
    aside: ClassVar[str] = ""  # a template below the fields: how it looks to whom it is for

    def __init__(self, *args: Any, audience: Audience | None = None, team: Team | None = None, **kwargs: Any) -> None:
        self.audience, self.team = audience, team or Team()
        kwargs.setdefault("use_required_attribute", False)  # a draft may be unfinished
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if isinstance(field.widget, RoleSelect | TaskListWidget):
                field.widget.team = self.team

    def full_clean(self) -> None:
        """While one of a widget's own buttons is at work nothing is judged."""
        if not (self.is_bound and is_at_work(self.data)):
            return super().full_clean()
        self._errors, self.cleaned_data = ErrorDict(), {}
        return None

    def render(self, *args: Any, **kwargs: Any) -> SafeString:
        return render_to_string("actions/form.html", {"form": self})

    __str__ = __html__ = render  # type: ignore[assignment]  # Django binds its own when its class is made

    @property
    def redrawn_by(self) -> set[str]:
        return {name for name, _values in self.shown_when.values()} | set(self.also_redrawn_by)

    def lines(self) -> list[list[forms.BoundField]]:
        """The fields as a page shows them: one to a line, but for those that stand side by side."""
        second_of = dict(self.side_by_side)
        seconds = set(second_of.values())
        return [
            [self[name], self[second_of[name]]] if name in second_of else [self[name]]
            for name in self.fields
            if name not in seconds
        ]

    @cached_property
    def variables(self) -> dict[str, Variable]:
        every = (ACCOUNT, USER, CSM_SCOPE)
        scopes = SCOPES.get(self.audience, every) if self.audience else every
        return self.team.variables({*scopes, *self.extra_scopes})

    @property
    def known_variables(self) -> set[str]:
        return set(self.variables)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        # Looked up before any problem is noted: a field with a problem leaves the cleaned data.
        texts, roles = (list(self._of_kind(cleaned, kind)) for kind in (TemplateField, RoleField))
        for name, text, path in texts:
            self._check_text(name, text, path)
        self._check_members(roles)
        return cleaned

    def _of_kind(self, cleaned: Mapping[str, Any], kind: type[forms.Field]) -> Iterable[tuple[str, str, str]]:
        """(field, value, path inside the field), those of tasks included."""
        for name, field in self.fields.items():
            if isinstance(field, kind) and cleaned.get(name):
                yield name, cleaned[name], ""
            if isinstance(field, TaskListField):
                for at, task in enumerate(cleaned.get(name) or ()):
                    fields = field.item_form().base_fields
                    keys = [key for key, inner in fields.items() if isinstance(inner, kind) and task[key]]
                    yield from ((name, task[key], f"[{at}].{key}") for key in keys)

    def _check_text(self, name: str, text: str, path: str) -> None:
        try:
            template = message_templates.parse(text)
        except TemplateError as error:
            self.add_error(name, ValidationError(str(error), code=path))
            return
        if template.variables:
            for sentence in message_templates.unknown_variables(template, self.known_variables):
                self.add_error(name, ValidationError(sentence, code=path))

    def _check_members(self, roles: list[tuple[str, str, str]]) -> None:
        named = {role.removeprefix(MEMBER) for _name, role, _path in roles if role.startswith(MEMBER)}
        if not named:
            return
        absent = named.difference(value.removeprefix(MEMBER) for value, _name in self.team.members)
        for name, role, path in roles:
            if role.removeprefix(MEMBER) in absent:
                message = f"{role.removeprefix(MEMBER)} is not an active team member. Choose somebody who is."
                self.add_error(name, ValidationError(message, code=path))


def texts_of(form: ActionForm) -> dict[str, str]:
    """The texts of an action as they stand, by the label of their field."""
    found = {name: form[name].value() for name, field in form.fields.items() if isinstance(field, TemplateField)}
    return {str(form[name].label): str(text) for name, text in found.items() if text}
