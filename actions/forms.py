"""The ground under every action's form: fields whose cleaned value is JSON, and checks that need the workspace.

A form is the schema of a config. It is bound to stored JSON as well as to what a browser sends, and cleaning what it
cleaned changes nothing.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError

from actions.base import Audience
from actions.people import AE, CSM, MEMBER
from actions.variables import ACCOUNT, SCOPES, USER, workspace_variables
from actions.variables import CSM as CSM_SCOPE
from cs_platform.common import message_templates
from cs_platform.common.message_templates import TemplateError
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Membership

TITLE_LIMIT, TEXT_LIMIT = 200, 10_000


class TemplateField(forms.CharField):
    """A text with variables."""

    def __init__(self, *, single_line: bool = True, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", TITLE_LIMIT if single_line else TEXT_LIMIT)
        if not single_line:
            kwargs.setdefault("widget", forms.Textarea)
        super().__init__(**kwargs)


class RoleField(forms.CharField):
    """Somebody of the team: "csm", "ae", "member:<email>", or "" for nobody."""

    def clean(self, value: Any) -> str:
        role = str(super().clean(value)).strip()
        if role in ("", CSM, AE):
            return role
        if role.startswith(MEMBER) and "@" in role:
            return role.lower()
        raise ValidationError('Choose "csm", "ae" or "member:" followed by a team member’s email address.')


class TaskListField(forms.Field):
    """A list of tasks, each an object; problems carry the place in the list as their code ("[1].title")."""

    widget = forms.Textarea
    LIMIT: ClassVar[int] = 30

    def item_form(self) -> type[forms.Form]:
        """For whoever describes it."""
        return TaskForm

    def clean(self, value: Any) -> list[dict[str, Any]]:
        if value in (None, ""):
            return []
        if not isinstance(value, list) or len(value) > self.LIMIT:
            raise ValidationError(f"Give a list of at most {self.LIMIT} tasks.")
        forms_of_tasks = [TaskForm(item if isinstance(item, Mapping) else {}) for item in value]
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


class TaskForm(forms.Form):
    title = TemplateField()
    description = TemplateField(required=False, single_line=False)
    due_in_days = forms.IntegerField(required=False, min_value=0, max_value=1_000)
    owner = RoleField(required=False)

    @property
    def unknown_keys(self) -> list[str]:
        return [str(key) for key in self.data if key not in self.fields]


class ActionForm(forms.Form):
    """`audience` decides which variables exist; without one, all that any audience has."""

    extra_scopes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *args: Any, audience: Audience | None = None, **kwargs: Any) -> None:
        self.audience = audience
        super().__init__(*args, **kwargs)

    @cached_property
    def known_variables(self) -> set[str]:
        every = (ACCOUNT, USER, CSM_SCOPE)
        scopes = SCOPES.get(self.audience, every) if self.audience else every
        return set(workspace_variables({*scopes, *self.extra_scopes}))

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
                    keys = [key for key, inner in TaskForm.base_fields.items() if isinstance(inner, kind) and task[key]]
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
        active = Membership.objects.in_tenant(current_tenant_id()).active().values_list("email", flat=True)
        absent = named.difference(email.lower() for email in active)
        for name, role, path in roles:
            if role.removeprefix(MEMBER) in absent:
                message = f"{role.removeprefix(MEMBER)} is not an active team member. Choose somebody who is."
                self.add_error(name, ValidationError(message, code=path))
