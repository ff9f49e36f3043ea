"""A step's config, checked by its action's form: where playbooks are saved, imported and reviewed."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from actions.base import Action, Audience
from actions.forms import ActionForm
from actions.widgets import Team


@dataclass(frozen=True, slots=True)
class ActionError:
    """`path` starts at the step ("config.tasks[1].title"); the message says what to do."""

    path: str
    message: str


class ActionErrors(Exception):
    def __init__(self, errors: list[ActionError]) -> None:
        super().__init__("; ".join(f"{error.path}: {error.message}" for error in errors))
        self.errors = errors


def clean_config(
    action: Action, config: Any, *, audience: Audience | None = None, team: Team | None = None
) -> dict[str, Any]:
    """The config as it is stored, with every default written out. Raises ActionErrors with all that is wrong."""
    if not isinstance(config, Mapping):
        raise ActionErrors([ActionError("config", "The settings of an action are a JSON object.")])
    form = _bound(action, config, audience, team)
    errors = [*_unknown_keys(form, config), *_form_errors(form)]
    if errors:
        raise ActionErrors(errors)
    return {name: form.cleaned_data[name] for name in form.fields}


def read_config(action: Action, data: Mapping[str, Any], *, audience: Audience | None = None) -> dict[str, Any]:
    """The config as the controls of a page have it, finished or not: cleaned where it can be, else as it was typed."""
    form_class: Any = action.form
    form = form_class(data, audience=audience)
    wrong = form.errors
    typed = {
        name: _stored(field, field.widget.value_from_datadict(data, {}, name)) for name, field in form.fields.items()
    }
    return {name: typed[name] if name in wrong else form.cleaned_data.get(name, typed[name]) for name in typed}


def _stored(field: Any, value: Any) -> Any:
    """As JSON: what stands in a rule editor is no JSON yet."""
    return field.stored(value) if hasattr(field, "stored") else value


def form_posted(action: Action, data: Mapping[str, Any], *, audience: Audience | None) -> ActionForm:
    """The form as a page sent it, while one of its own buttons is at work."""
    form_class: Any = action.form
    return form_class(data, audience=audience)  # type: ignore[no-any-return]


def form_of(
    action: Action, config: Mapping[str, Any], *, audience: Audience | None, judged: bool, team: Team | None = None
) -> ActionForm:
    """The form that shows a config on a page; its problems only where it is `judged`."""
    if judged:
        return _bound(action, config, audience, team)
    form_class: Any = action.form
    return form_class(initial=config, audience=audience, team=team)  # type: ignore[no-any-return]


def _bound(action: Action, config: Mapping[str, Any], audience: Audience | None, team: Team | None) -> ActionForm:
    defaults = {name: field.initial for name, field in action.form.base_fields.items() if field.initial is not None}
    form_class: Any = action.form
    return form_class({**defaults, **config}, audience=audience, team=team)  # type: ignore[no-any-return]


def _unknown_keys(form: ActionForm, config: Mapping[str, Any]) -> Iterator[ActionError]:
    for key in config:
        if key not in form.fields:
            near = difflib.get_close_matches(str(key), form.fields, n=1)
            hint = f"Did you mean “{near[0]}”?" if near else f"It knows: {', '.join(form.fields)}."
            yield ActionError(f"config.{key}", f"This action has no setting “{key}”. {hint}")


def _form_errors(form: ActionForm) -> Iterator[ActionError]:
    for name, problems in form.errors.as_data().items():
        for problem in problems:
            place = problem.code if problem.code and problem.code.startswith("[") else ""
            path = "config" if name == "__all__" else f"config.{name}{place}"
            yield from (ActionError(path, message) for message in problem.messages)
