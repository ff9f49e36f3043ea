"""Fields of action forms whose choices are things of the workspace: its roles, its team, its segments."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q

from accounts.models import Segment
from accounts.rule_editor.draft import written
from accounts.rule_field import RuleField, RuleWidget
from accounts.rules.fields import Subject
from accounts.rules.grammar import dump
from accounts.segments.listing import Count, with_counts
from actions.widgets import SomeOfRows
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.looked_up import once
from cs_platform.tenancy.models import Membership


@dataclass(frozen=True, slots=True)
class Standing:
    """How an active member stands in a role: nobody who is away has one."""

    accounts: int
    capacity: int | None
    revenue_cents: int
    last_at: datetime | None  # when they were last given an account
    is_next: bool


class WorkspaceChoiceField(forms.ChoiceField):
    """`choices` is a function; it is asked in the workspace the form is for, so the schema lists none."""

    of_workspace = True


class MembersWidget(SomeOfRows):
    """Each with what they look after, and who would be next, where the form has said so before it is shown."""

    template_name = "actions/widgets/members.html"
    standings: Mapping[str, Standing] = {}
    by_turn = False  # then when somebody had their last one says more than what it brings in

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, value, attrs) | {"by_turn": self.by_turn, "knows": bool(self.standings)}

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return super().create_option(name, value, *args, **kwargs) | {"standing": self.standings.get(str(value))}


class MembersField(forms.MultipleChoiceField):
    """Active team members by email address, so that a playbook can be carried to another workspace."""

    of_workspace = True
    widget = MembersWidget

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=team_members, **kwargs)

    def clean(self, value: Any) -> list[str]:
        given = value if isinstance(value, list | tuple) else [value] if value else []
        emails = list(dict.fromkeys(str(email).strip().lower() for email in given))
        known = {email for email, _name in team_members()}
        if absent := [email for email in emails if email not in known]:
            raise ValidationError(f"{absent[0]} is not an active team member. Choose somebody who is.")
        if self.required and not emails:
            raise ValidationError("Choose at least one person.")
        return emails


def team_members() -> Iterable[tuple[str, str]]:
    team = Membership.objects.in_tenant(current_tenant_id()).active().order_by("name", "pk")
    found = once("team", lambda: list(team.values_list("email", "name")))
    return [(email.lower(), name) for email, name in found]


class SegmentField(WorkspaceChoiceField):
    """Its id, so that a renaming breaks nothing; a name is read as well, for playbooks that come from elsewhere."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=_segments, **kwargs)

    def clean(self, value: Any) -> int:  # type: ignore[override]
        if value in (None, ""):
            raise ValidationError("Choose a segment.")
        named = Q(pk=int(value)) if str(value).isascii() and str(value).isdecimal() else Q(name=str(value))
        present = Segment.objects.filter(named, archived_at=None).order_by("scope", "pk")
        found = once(f"segment: {value}", lambda: list(present.values_list("pk", flat=True)[:1]))
        if not found:
            raise ValidationError(f"There is no segment “{value}”. Choose one that exists.")
        return int(found[0])


def _segments() -> Iterable[tuple[str, Any]]:
    rows = with_counts(Segment.objects.filter(archived_at=None)).order_by("scope", "name", "pk")
    grouped: dict[str, list[tuple[str, str]]] = {}
    for segment in rows:
        count = Count.of(segment.counted)  # type: ignore[attr-defined]
        words = f"{count.shown:,}{'+' if count.more else ''} {segment.scope}{'' if count.shown == 1 else 's'}"
        grouped.setdefault(segment.get_scope_display(), []).append((str(segment.pk), f"{segment} · {words}"))
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
