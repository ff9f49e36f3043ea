"""Fields of action forms whose choices are things of the workspace: its roles, its team, its segments."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Membership


class WorkspaceChoiceField(forms.ChoiceField):
    """`choices` is a function; it is asked in the workspace the form is for, so the schema lists none."""

    of_workspace = True


class MembersField(forms.MultipleChoiceField):
    """Active team members by email address, so that a playbook can be carried to another workspace."""

    of_workspace = True
    widget = forms.CheckboxSelectMultiple

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
