"""The rule editor as a form field: in goes stored JSON, out comes the same rule, and nothing is lost between."""

import json
from html.parser import HTMLParser
from typing import Any

import pytest
from django import forms
from django.http import QueryDict
from django.test import RequestFactory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.fields import workspace_fields
from accounts.models import EventType
from accounts.rule_field import EMPTY, EditsRules, RuleField, is_editing
from accounts.rules.fields import Field, FieldSet, FieldType, Subject
from accounts.rules.grammar import MAX_NODES, Leaf, Rule, RuleErrors, dump, parse
from accounts.rules.operators import operators_for
from tests.visitor import Visitor, text
from tests.world import Workspace, trait

from .rules.strategies import trees, values_for

NESTED = {
    "all": [
        {"field": "plan", "op": "is", "value": "Pro"},
        {"any": [{"field": "mrr", "op": "more", "value": 1250}, {"field": "csm", "op": "not_set"}]},
    ]
}


class SegmentForm(EditsRules, forms.Form):
    name = forms.CharField()
    rules = RuleField(Subject.ACCOUNT)


class Controls(HTMLParser):
    """What a browser would send of a form: its controls by name, in order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.sent: list[tuple[str, str]] = []
        self.buttons: list[tuple[str, str]] = []
        self._select = self._textarea = ""
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        name, value = has.get("name", ""), has.get("value", "")
        if tag == "input" and name:
            if has.get("type") not in ("checkbox", "radio") or "checked" in has:
                self.sent.append((name, value))
        elif tag == "button" and name and "disabled" not in has:
            self.buttons.append((name, value))
        elif tag == "select":
            self._select, self._first = name, True
        elif tag == "option" and self._select:
            self._option(value, "selected" in has)
        elif tag == "textarea":
            self._textarea, self._text = name, []

    def _option(self, value: str, is_selected: bool) -> None:
        if is_selected and not self._first:
            self.sent.pop()
        if is_selected or self._first:
            self.sent.append((self._select, value))
        self._first = False

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self.sent.append((self._textarea, "".join(self._text).removeprefix("\n")))
            self._textarea = ""
        elif tag == "select":
            self._select = ""


def controls(html: str) -> Controls:
    read = Controls()
    read.feed(html)
    return read


def sent(html: str, *more: tuple[str, str]) -> QueryDict:
    data = QueryDict(mutable=True)
    for name, value in (*controls(html).sent, *more):
        data.appendlist(name, value)
    return data


def through(field: RuleField, stored: Any) -> Rule | None:
    """Rendered, sent as a browser would, and cleaned."""
    html = field.widget.render("rules", stored)
    return field.clean(field.widget.value_from_datadict(sent(html), {}, "rules"))


@pytest.fixture
def fields(inside: Workspace) -> FieldSet:
    """Every type of field there is."""
    for kind in ("text", "number", "currency", "boolean", "date", "moment", "list", "url", "person"):
        trait(kind, kind, label=f"My {kind}")
        trait(f"their {kind}", kind, scope="user", label=f"Their {kind}")
    trait("color", "choice", label="Color", choices=["red", "dark blue"])
    EventType.objects.create(name="Report Created")
    return workspace_fields()


def test_a_stored_rule_comes_out_as_it_went_in(fields: FieldSet) -> None:
    rule = through(RuleField(Subject.ACCOUNT, fields=fields), NESTED)

    assert rule
    assert dump(rule) == NESTED


def test_one_condition_without_a_group_stays_one(fields: FieldSet) -> None:
    alone = {"field": "plan", "op": "is_any_of", "value": ["Pro", ' "quoted" ', "two\nlines"]}
    rule = through(RuleField(Subject.ACCOUNT, fields=fields), alone)

    assert rule
    assert isinstance(rule.root, Leaf)
    assert dump(rule) == alone
