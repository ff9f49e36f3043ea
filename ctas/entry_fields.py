"""Form fields of the workspace's lists: what is chosen is an entry's key."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from ctas.lists import BUILT_IN, Entry, Kind, Lists, current_lists


class EntrySelect(forms.Select):
    """Also offers what is held now and listed no more."""

    def optgroups(self, name: str, value: list[Any], attrs: Any = None) -> list[Any]:
        groups = super().optgroups(name, value, attrs)
        known = {str(key) for key, _name in self.choices}
        unlisted = [one for one in map(str, value) if one and one not in known]
        options = [
            (None, [self.create_option(name, one, one, True, len(groups) + at)], len(groups) + at)
            for at, one in enumerate(unlisted)
        ]
        return [*groups, *options]


class EntryField(forms.ChoiceField):
    """Reads the list when a form is made. `loosely` takes what nobody has listed, too: an imported playbook may."""

    widget = EntrySelect
    of_workspace = True  # its choices are no part of a schema

    def __init__(self, kind: str, *, loosely: bool = False, **kwargs: Any) -> None:
        super().__init__(choices=_choices(BUILT_IN[kind]), **kwargs)
        self.kind, self.loosely = kind, loosely

    def __deepcopy__(self, memo: dict[int, Any]) -> "EntryField":
        field: EntryField = super().__deepcopy__(memo)
        field.offer(current_lists())
        return field

    def offer(self, lists: Lists, *, held: str = "") -> None:
        """`held` is what the thing has now: it stays possible when it is archived."""
        listed = lists.types() if self.kind == Kind.TYPE else lists.offered(self.kind)
        nothing = [] if self.required else [("", "None")]
        kept = [lists.find(self.kind, held)] if held and held not in {entry.key for entry in listed} else []
        self.choices = nothing + _choices([*listed, *kept])

    def valid_value(self, value: Any) -> bool:
        return self.loosely or super().valid_value(value)

    def clean(self, value: Any) -> Any:
        cleaned = super().clean(value)
        if len(cleaned) > 100 or not (cleaned.isprintable() or not cleaned):
            raise ValidationError("Use up to 100 characters.")
        return cleaned


def _choices(entries: Any) -> list[tuple[str, str]]:
    listed: list[Entry] = list(entries)
    return [(entry.key, entry.name) for entry in listed]
