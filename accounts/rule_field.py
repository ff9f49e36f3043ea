"""The rule editor as a form field: `RuleField(subject)` in any form, `accounts.rules.grammar.Rule` out of it.

Everything in the editor is an ordinary control of the enclosing form. Its buttons (add, remove, move, choose a field)
ask the edit endpoint by htmx; without scripts they submit the form itself. A form with such a field is an
`EditsRules`, so that it is not valid while a button is at work: the view shows the form again, as for any error.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import ValidationError
from django.forms.utils import ErrorDict
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString

from accounts.fields import workspace_fields
from accounts.rule_editor.draft import ROOT, Draft, begin, dotted, draft_of, draft_posted, known, settle, written
from accounts.rule_editor.shown import Eye
from accounts.rules.fields import FieldSet, Subject
from accounts.rules.grammar import Group, Rule, RuleError, RuleErrors, dump, parse
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.looked_up import once
from cs_platform.tenancy.models import Membership, Tenant

MODES = (("all", "All"), ("any", "Any"))
NAMES = {Subject.ACCOUNT: "Account rules", Subject.USER: "User rules"}
EMPTY = "Add at least one condition."


def is_editing(data: Mapping[str, Any], name: str = "") -> bool:
    """Whether one of the editor's own buttons sent this form: of the editor of that name, or of any."""
    return f"{name}:edit" in data if name else any(key.endswith(":edit") for key in data)


@dataclass
class Vocabulary:
    """What rules of this subject can speak of, in the workspace in force; asked for once, and only when needed.

    `named`: what its editor is called, where it stands beside others of its subject.
    """

    subject: Subject
    given: FieldSet | None = None
    named: str = ""

    @property
    def called(self) -> dict[str, str]:
        return {"named": self.named} if self.named else {}

    @cached_property
    def fields(self) -> FieldSet:
        return self.given or once("fields of rules", workspace_fields)

    @cached_property
    def people(self) -> dict[int, str]:
        return people_of(current_tenant_id())

    @cached_property
    def slug(self) -> str:
        return Tenant.objects.get(pk=current_tenant_id()).slug

    def draft(self, value: Any) -> Draft:
        """Of what a form was given: a rule, its JSON, or what stands in the editor."""
        if isinstance(value, Draft):
            return value
        return draft_of(dump(value) if isinstance(value, Rule) else value, fields=self.fields, subject=self.subject)

    def at_work(self, draft: Draft) -> Draft:
        """Somebody is still at it: nothing is judged yet, and a field that was just chosen has its first operator."""
        settle(draft, fields=self.fields, subject=self.subject)
        return replace(draft, editing=True)

    def rule(self, draft: Draft) -> Rule:
        """Raises RuleErrors."""
        data, unread = written(draft, fields=self.fields, subject=self.subject)
        errors = [RuleError(ROOT, draft.refusal)] if draft.refusal else []
        try:
            rule = parse(data, fields=self.fields, subject=self.subject, path=ROOT)
        except RuleErrors as wrong:
            said = {error.path for error in unread}
            raise RuleErrors([*errors, *unread, *(one for one in wrong.errors if one.path not in said)]) from None
        if errors or unread:
            raise RuleErrors([*errors, *unread])
        return _unwrapped(rule) if draft.lone else rule

    def errors(self, draft: Draft) -> list[RuleError]:
        """What is to be shown: nothing while the person is still at it, but for what a button could not do."""
        if draft.editing or not draft.posted or draft.is_empty:
            return [RuleError(ROOT, draft.refusal)] if draft.refusal else []
        try:
            self.rule(draft)
        except RuleErrors as wrong:
            return wrong.errors
        return []


def people_of(tenant_id: int) -> dict[int, str]:
    """Team members by name, for rules that ask about a person."""
    members = Membership.objects.in_tenant(tenant_id).active().order_by("name", "pk")
    return dict(members.values_list("pk", "name"))


def _unwrapped(rule: Rule) -> Rule:
    """What was stored as one condition stays one."""
    alone = isinstance(rule.root, Group) and len(rule.root.children) == 1
    return Rule(rule.subject, rule.root.children[0]) if alone else rule  # type: ignore[union-attr]


class RuleWidget(forms.Widget):
    template_name = "accounts/rules/editor.html"
    vocabulary: Vocabulary

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Draft:
        draft = draft_posted(data, name)
        return self.vocabulary.at_work(draft) if draft.editing else draft

    def value_omitted_from_data(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
        return not any(key.startswith(f"{name}:") for key in data)

    def id_for_label(self, id_: str) -> str:
        return ""  # a group of controls: it is named by a heading

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        return render_to_string(self.template_name, self.shown(name, value, attrs or {}))

    def shown(self, name: str, value: Any, attrs: Mapping[str, Any]) -> dict[str, Any]:
        vocabulary = self.vocabulary
        draft = vocabulary.draft(value)
        is_missing = draft.is_empty and not draft.editing and attrs.get("aria-invalid") == "true"
        errors = [RuleError(ROOT, EMPTY)] if is_missing else vocabulary.errors(draft)
        asked = {"name": name, "subject": vocabulary.subject.value} | vocabulary.called
        eye = Eye(draft, vocabulary.fields, vocabulary.subject, vocabulary.people, errors)
        return {
            "name": name,
            "id": attrs.get("id") or f"id_{name}",
            "root": eye.root(),
            "draft": draft,
            "picking": dotted(draft.picking or ()),
            "modes": MODES,
            "named": vocabulary.named or NAMES[vocabulary.subject],
            "edit": f"{reverse('accounts:edit_rule', args=[vocabulary.slug])}?{urlencode(asked)}",
        }


class RuleField(forms.Field):
    """Cleans to a Rule; to None when it is empty and not required. `initial` is stored JSON or a Rule.

    Errors have the path of their condition in `params["path"]`; the editor shows each beside what it is about.
    """

    widget: Any = RuleWidget
    is_editing = staticmethod(is_editing)

    def __init__(self, subject: Subject, *, fields: FieldSet | None = None, named: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.vocabulary = self.widget.vocabulary = Vocabulary(subject, fields, named)

    def __deepcopy__(self, memo: dict[int, Any]) -> "RuleField":
        """Each form asks its own workspace."""
        result: RuleField = super().__deepcopy__(memo)
        ours = self.vocabulary
        result.vocabulary = Vocabulary(ours.subject, ours.given, ours.named)
        result.widget.vocabulary = result.vocabulary
        return result

    def clean(self, value: Any) -> Rule | None:
        draft = self.vocabulary.draft(value)
        if draft.is_empty and not draft.refusal:
            if self.required:
                raise ValidationError(EMPTY, code="required")
            return None
        try:
            return self.vocabulary.rule(draft)
        except RuleErrors as wrong:
            raise ValidationError([_as_validation(error) for error in wrong.errors]) from None

    def stored(self, value: Any) -> dict[str, Any] | None:
        """What stands in the editor as JSON to edit later, finished or not; nothing judges it."""
        draft = self.vocabulary.draft(value)
        data, _unread = written(draft, fields=self.vocabulary.fields, subject=self.vocabulary.subject)
        children = next(iter(data.values()))
        if not children:
            return None
        return children[0] if draft.lone and len(children) == 1 else data  # type: ignore[no-any-return]

    def begun(self, value: Any, key: str = "") -> Draft:
        """As an `initial`: with one condition more, to be filled in; about a field, if it is known."""
        draft = self.vocabulary.draft(value)
        begin(draft, key if known(self.vocabulary.fields, self.vocabulary.subject, key) else "")
        return self.vocabulary.at_work(draft)

    def has_changed(self, initial: Any, data: Any) -> bool:
        before, after = (
            written(self.vocabulary.draft(one), fields=self.vocabulary.fields, subject=self.vocabulary.subject)[0]
            for one in (initial, data)
        )
        return before != after


def _as_validation(error: RuleError) -> ValidationError:
    return ValidationError(error.message.replace("%", "%%"), code="rule", params={"path": error.path})


class EditsRules(forms.BaseForm):
    """Mix into a form with rule fields: while one of their buttons is at work nothing is judged, and nothing is valid.

    class SegmentForm(EditsRules, forms.Form): …
    """

    @property
    def is_editing(self) -> bool:
        return self.is_bound and is_editing(self.data)

    def full_clean(self) -> None:
        if not self.is_editing:
            return super().full_clean()
        self._errors = ErrorDict()
        self.cleaned_data: dict[str, Any] = {}
        return None

    def is_valid(self) -> bool:
        return not self.is_editing and super().is_valid()
