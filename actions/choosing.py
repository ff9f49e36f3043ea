"""Fields of action forms whose choices are things of the workspace: its roles, its team, its segments."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q

from accounts.models import Segment
from accounts.rule_editor.draft import written
from accounts.rule_field import RuleField, RuleWidget
from accounts.rules.fields import Subject
from accounts.rules.grammar import dump
from actions.widgets import SomeOfRows
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Membership


class WorkspaceChoiceField(forms.ChoiceField):
    """`choices` is a function; it is asked in the workspace the form is for, so the schema lists none."""

    of_workspace = True


class MembersField(forms.MultipleChoiceField):
    """Active team members by email address, so that a playbook can be carried to another workspace."""

    of_workspace = True
    widget = SomeOfRows

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=_team, **kwargs)

    def clean(self, value: Any) -> list[str]:
        given = value if isinstance(value, list | tuple) else [value] if value else []
        emails = list(dict.fromkeys(str(email).strip().lower() for email in given))
        known = {email for email, _name in _team()}
        if absent := [email for email in emails if email not in known]:
            raise ValidationError(f"{absent[0]} is not an active team member. Choose somebody who is.")
        if self.required and not emails:
            raise ValidationError("Choose at least one person.")
        return emails


def _team() -> Iterable[tuple[str, str]]:
    team = Membership.objects.in_tenant(current_tenant_id()).active().order_by("name", "pk")
    return [(email.lower(), name) for email, name in team.values_list("email", "name")]


class SegmentField(WorkspaceChoiceField):
    """Its id, so that a renaming breaks nothing; a name is read as well, for playbooks that come from elsewhere."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=_segments, **kwargs)

    def clean(self, value: Any) -> int:  # type: ignore[override]
        if value in (None, ""):
            raise ValidationError("Choose a segment.")
        named = Q(pk=int(value)) if str(value).isascii() and str(value).isdecimal() else Q(name=str(value))
        found = Segment.objects.filter(named, archived_at=None).order_by("scope", "pk").values_list("pk", flat=True)
        if not found:
            raise ValidationError(f"There is no segment “{value}”. Choose one that exists.")
        return int(found[0])


def _segments() -> Iterable[tuple[str, Any]]:
    rows = Segment.objects.filter(archived_at=None).order_by("scope", "name", "pk").values_list("scope", "pk", "name")
    grouped: dict[str, list[tuple[str, str]]] = {}
    for scope, pk, name in rows:
        grouped.setdefault(Segment.Scope(scope).label, []).append((str(pk), name))
    return [("", "Choose a segment"), *grouped.items()]


class UserRuleWidget(RuleWidget):
    """The rule editor; stored JSON under the field's own name is read as it is."""

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Any:
        given = data.get(name)
        if given is not None and not isinstance(given, str):
            return given
        draft = super().value_from_datadict(data, files, name)
        vocabulary = self.vocabulary
        return draft if draft.editing else written(draft, fields=vocabulary.fields, subject=vocabulary.subject)[0]

    def value_omitted_from_data(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
        return name not in data and super().value_omitted_from_data(data, files, name)


class UserRuleField(RuleField):
    """Conditions on users of the account, kept as the JSON of a rule."""

    widget = UserRuleWidget

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(Subject.USER, **kwargs)

    def clean(self, value: Any) -> Any:
        rule = super().clean(value)
        return None if rule is None else dump(rule)
