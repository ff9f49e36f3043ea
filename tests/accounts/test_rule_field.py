"""The rule editor as a form field: in goes stored JSON, out comes the same rule, and nothing is lost between."""

from html.parser import HTMLParser
from typing import Any

import pytest
from django import forms
from django.http import QueryDict
from hypothesis import HealthCheck, given, settings

from accounts.fields import workspace_fields
from accounts.models import EventType
from accounts.rule_field import EMPTY, EditsRules, RuleField, is_editing
from accounts.rules.fields import Field, FieldSet, FieldType, Subject
from accounts.rules.grammar import MAX_DEPTH, MAX_NODES, Leaf, Rule, RuleErrors, dump, parse
from accounts.rules.operators import Form, Operator, Values, operators_for
from tests.visitor import Visitor, text
from tests.world import Workspace, trait

from .rules.strategies import trees
from .rules.test_operators import samples

NESTED: dict[str, list[Any]] = {
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


@pytest.mark.parametrize("subject", Subject)
def test_any_rule_survives_the_editor(fields: FieldSet, subject: Subject) -> None:
    known = {key: field for key, field in fields.known.items() if field.type is not FieldType.PERSON}
    usable = FieldSet(known, fields.sources)
    editor = RuleField(subject, fields=usable)

    @settings(max_examples=30, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(trees(usable, subject))
    def survives(written: Any) -> None:
        try:
            rule = parse(written, fields=usable, subject=subject)
        except RuleErrors:  # one that lets everybody through
            return
        assert through(editor, dump(rule)) == rule

    survives()


@pytest.mark.parametrize("subject", Subject)
def test_every_field_and_operator_is_offered_and_comes_back(fields: FieldSet, subject: Subject) -> None:
    editor = RuleField(subject, fields=fields)
    asked = {
        Leaf(field, operator, _values(field, operator))
        for field in fields.all(subject)
        for operator in operators_for(field.type).values()
    }
    html = {leaf: editor.widget.render("rules", dump(leaf)) for leaf in asked}

    for leaf, shown in html.items():
        assert f'<option value="{leaf.operator.key}" selected>' in shown
        rule = editor.clean(editor.widget.value_from_datadict(sent(shown), {}, "rules"))
        assert rule == Rule(subject, leaf)


def _values(field: Field, operator: Operator) -> Values:
    values = samples(field, operator.form)[0]
    if field.choices and operator.form in (Form.ONE, Form.MANY):
        return (field.choices[0][0],)
    return values


def test_people_are_chosen_by_name(fields: FieldSet, inside: Workspace) -> None:
    stored = {"field": "csm", "op": "is_any_of", "value": [inside.tom.pk, inside.priya.pk]}
    editor = RuleField(Subject.ACCOUNT, fields=fields)

    assert "Tom Lindqvist" in editor.widget.render("rules", stored)
    rule = through(editor, stored)
    assert rule
    assert dump(rule) == stored


def test_somebody_who_left_stays_chosen_until_somebody_decides(fields: FieldSet) -> None:
    stored = {"field": "csm", "op": "is", "value": 987654}
    rule = through(RuleField(Subject.ACCOUNT, fields=fields), stored)

    assert rule
    assert dump(rule) == stored


def test_an_amount_is_typed_in_whole_units(fields: FieldSet) -> None:
    rich = {"rules:0:field": "mrr", "rules:0:op": "more"}
    editor = RuleField(Subject.ACCOUNT, fields=fields)
    amounts = {"1,200": 120_000, "$12.50": 1250, " 7 ": 700, "-3": -300}
    for text_typed, cents in amounts.items():
        rule = editor.clean(editor.widget.value_from_datadict(rich | {"rules:0:value": text_typed}, {}, "rules"))
        assert rule
        assert dump(rule)["all"][0]["value"] == cents


WRONG = [
    ({"field": "", "op": ""}, "rules.all[0].field"),
    ({"field": "gone", "op": "is", "value": "x"}, "rules.all[0].field"),
    ({"field": "plan", "op": "more", "value": "x"}, "rules.all[0].op"),
    ({"field": "plan", "op": "is", "value": " "}, "rules.all[0].value"),
    ({"field": "plan", "op": "is", "value": "a\x00b"}, "rules.all[0].value"),
    ({"field": "pl\x00an", "op": "is", "value": "x"}, "rules.all[0].field"),
    ({"field": "plan", "op": "is_any_of", "value": "\n \n"}, "rules.all[0].value"),
    ({"field": "mrr", "op": "more", "value": "much"}, "rules.all[0].value"),
    ({"field": "mrr", "op": "more", "value": "1.234"}, "rules.all[0].value"),
    ({"field": "mrr", "op": "more", "value": "9" * 30}, "rules.all[0].value"),
    ({"field": "health", "op": "more", "value": "1e999"}, "rules.all[0].value"),
    ({"field": "health", "op": "more", "value": "NaN"}, "rules.all[0].value"),
    ({"field": "health", "op": "more", "value": "\u0663"}, ""),
    ({"field": "health", "op": "between", "value": ["2", ""]}, "rules.all[0].value[1]"),
    ({"field": "health", "op": "between", "value": ["2", "1"]}, "rules.all[0].value"),
    ({"field": "renewal_on", "op": "before", "value": "2026-02-30"}, "rules.all[0].value"),
    ({"field": "renewal_on", "op": "within_next_days", "value": "9" * 50}, "rules.all[0].value"),
    ({"field": "csm", "op": "is", "value": "-1"}, "rules.all[0].value"),
    ({"field": "csm", "op": "is", "value": "9" * 19}, "rules.all[0].value"),
    ({"field": "lifecycle", "op": "is", "value": ""}, "rules.all[0].value"),
    ({"field": "lifecycle", "op": "is", "value": "unheard of"}, "rules.all[0].value"),
    ({"field": "event:Report Created", "op": "at_least", "value": "0", "days": "x"}, "rules.all[0].value"),
]


@pytest.mark.parametrize(("parts", "path"), WRONG, ids=[str(parts) for parts, _ in WRONG])
def test_what_cannot_be_used_is_refused_where_it_stands(fields: FieldSet, parts: dict[str, Any], path: str) -> None:
    data = {f"rules:0:{part}": value for part, value in parts.items()}
    editor = RuleField(Subject.ACCOUNT, fields=fields)
    form = type("Form", (forms.Form,), {"rules": editor})(data)
    paths = [error.params["path"] for error in form.errors.as_data().get("rules", [])]

    assert (path in paths) if path else not paths
    if path:
        assert 'role="alert"' in str(form["rules"])


HOSTILE = [
    {"rules:" + ".".join(["0"] * 40) + ":field": "plan"},
    {f"rules:{'.'.join(['0'] * depth)}:mode": "any" for depth in range(1, 7)},
    {"rules:0:mode": "neither", "rules:0:field": "plan", "rules:0.0:field": "plan", "rules:0.0:op": "set"},
    {"rules:999:field": "plan", "rules:999:op": "set"},
    {"rules:-1:field": "plan", "rules:x:field": "plan", "rules::field": "plan", "rules:0:0:field": "plan"},
    {f"rules:{at}:field": "plan" for at in range(300)},
    {"rules:edit": "remove 0.0.0.0"},
    {"rules:edit": "field 7 plan", "rules:picking": "9.9.9"},
    {"rules:edit": "drop tables"},
    {"rules:edit": "up "},
    {"rules:edit": "remove "},
    {"rules:edit": "add " + "1." * 5000},
    {"rules:picking": "\u0661", "rules:search": "\x00" * 500},
    {"rules:0:field": "<script>", "rules:0:op": "<script>", "rules:0:value": "<script>"},
]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_forms_are_shown_or_refused_and_never_break(fields: FieldSet, data: dict[str, Any]) -> None:
    form = SegmentForm(data | {"name": "x"})
    shown = form.as_p()
    form.is_valid()

    assert "<script>" not in shown


# --- its buttons ------------------------------------------------------------------------------------------------------


def press(html: str, verb: str) -> str:
    """The editor after the button whose command this is."""
    [(name, value)] = [button for button in controls(html).buttons if button[1] == verb]
    form = SegmentForm(sent(html, (name, value), ("name", "Big")))
    assert form.is_editing
    assert not form.is_valid()
    assert not form.errors
    return str(form["rules"])


def commanded(html: str, verb: str) -> str:
    """After a command that no button holds: one that was dragged, or forged."""
    return str(SegmentForm(sent(html, ("rules:edit", verb), ("name", "Big")))["rules"])


def stored_in(html: str) -> Any:
    form = SegmentForm(sent(html, ("name", "Big")))
    assert form.is_valid(), form.errors
    return dump(form.cleaned_data["rules"])


def test_a_nested_rule_is_built_with_buttons_alone(fields: FieldSet) -> None:
    html = press(str(SegmentForm()["rules"]), "add ")
    html = press(html, "field 0 renewal_on")
    html = html.replace('value="before" selected', 'value="before"')
    html = html.replace('value="within_next_days"', 'value="within_next_days" selected')
    html = press(html, "group ")
    html = press(html, "field 1.0 trait:boolean")
    html = press(html, "add 1")
    html = press(html, "field 1.1 csm")
    html = press(html, "pick 1.1")
    data = sent(html, ("name", "Big"))
    data["rules:0:value"], data["rules:1.1:value"] = "90", "5"
    form = SegmentForm(data)

    assert form.is_valid(), form.errors
    assert dump(form.cleaned_data["rules"]) == {
        "all": [
            {"field": "renewal_on", "op": "within_next_days", "value": 90},
            {"any": [{"field": "trait:boolean", "op": "is_true"}, {"field": "csm", "op": "is", "value": 5}]},
        ]
    }


def test_conditions_move_and_go(fields: FieldSet) -> None:
    html = str(SegmentForm(initial={"rules": NESTED})["rules"])
    first, group = NESTED["all"]

    assert stored_in(press(html, "up 1")) == {"all": [group, first]}
    assert stored_in(press(html, "up 1.1")) == {"all": [first, {"any": group["any"][::-1]}]}
    assert stored_in(press(html, "remove 1")) == {"all": [first]}
    assert stored_in(press(press(html, "remove 1.0"), "remove 1.0")) == {"all": [first]}


def test_a_trait_that_feeds_a_built_in_field_of_its_name_is_not_offered_twice(inside: Workspace) -> None:
    trait("mrr", "currency", label="MRR", column="mrr_cents")
    trait("annual", "currency", label="Yearly value")
    html = press(str(SegmentForm()["rules"]), "add ")
    offered = [value for _name, value in controls(html).buttons if value.startswith("field 0 ")]

    assert "field 0 mrr" in offered
    assert "field 0 trait:annual" in offered
    assert "field 0 trait:mrr" not in offered


def test_a_condition_moves_through_the_groups_it_meets_one_place_at_a_time(fields: FieldSet) -> None:
    first, group = NESTED["all"]
    second, third = group["any"]
    html = str(SegmentForm(initial={"rules": NESTED})["rules"])

    inside = press(html, "down 0")
    assert stored_in(inside) == {"all": [{"any": [first, second, third]}]}
    last = press(press(inside, "down 0.0"), "down 0.1")
    assert stored_in(last) == {"all": [{"any": [second, third, first]}]}
    below = press(last, "down 0.2")
    assert stored_in(below) == {"all": [group, first]}
    assert stored_in(commanded(below, "down 1")) == {"all": [group, first]}
    assert stored_in(press(below, "up 1")) == stored_in(last)
    assert stored_in(press(inside, "up 0.0")) == {"all": [first, group]}


@pytest.mark.parametrize(
    ("move", "expected"),
    [
        ("place 0 1.1", {"all": [{"any": ["second", "first", "third"]}]}),
        ("place 0 1.2", {"all": [{"any": ["second", "third", "first"]}]}),
        ("place 1.0 0", {"all": ["second", "first", {"any": ["third"]}]}),
        ("place 1.1 1.0", {"all": ["first", {"any": ["third", "second"]}]}),
        ("place 1.0 1.2", {"all": ["first", {"any": ["third", "second"]}]}),
        ("place 1 0", {"all": [{"any": ["second", "third"]}, "first"]}),
        ("place 1 1.0", {"all": ["first", {"any": ["second", "third"]}]}),
        ("place 0 9.9", {"all": ["first", {"any": ["second", "third"]}]}),
        ("place 0 x", {"all": ["first", {"any": ["second", "third"]}]}),
    ],
)
def test_what_is_dragged_lands_before_what_it_is_dropped_on(fields: FieldSet, move: str, expected: Any) -> None:
    """Within a group, into one, out of one, and never into itself or where nothing is."""
    first, group = NESTED["all"]
    named = {"first": first, "second": group["any"][0], "third": group["any"][1]}

    def of(rule: Any) -> Any:
        return (
            named[rule]
            if isinstance(rule, str)
            else {mode: [of(one) for one in inside] for mode, inside in rule.items()}
        )

    assert stored_in(commanded(str(SegmentForm(initial={"rules": NESTED})["rules"]), move)) == of(expected)


def test_what_would_nest_too_deep_stays_where_it_was_and_says_so(fields: FieldSet) -> None:
    deep: Any = NESTED["all"][0]
    for level in range(MAX_DEPTH - 1):
        deep = {"any" if level % 2 else "all": [deep, NESTED["all"][0]]}
    rule = {"all": [NESTED["all"][1], deep]}
    html = commanded(str(SegmentForm(initial={"rules": rule})["rules"]), "place 1 0.0")

    assert "Groups can be nested" in html
    assert stored_in(html) == rule


def test_groups_end_at_the_grammars_depth(fields: FieldSet) -> None:
    html, path = press(str(SegmentForm()["rules"]), "group "), "0"
    for _ in range(3):
        html, path = press(html, f"group {path}"), f"{path}.1"

    assert f"group {path}" not in [value for _, value in controls(html).buttons]
    forced = SegmentForm(sent(html, ("rules:edit", f"group {path}"), ("name", "x")))
    assert "Groups can be nested 5 deep" in str(forced["rules"])


def test_a_full_rule_takes_no_more(fields: FieldSet) -> None:
    full = {"all": [{"field": "plan", "op": "is", "value": str(at)} for at in range(MAX_NODES - 1)]}
    html = str(SegmentForm(initial={"rules": full})["rules"])
    after = press(html, "add ")

    assert "A rule can hold 50" in after
    assert stored_in(html) == full


def test_the_picker_lists_fields_by_group_and_finds_them(fields: FieldSet) -> None:
    html = press(str(SegmentForm()["rules"]), "add ")
    assert [f'aria-label="{group}"' in html for group in ("Details", "Traits", "Events")] == [True] * 3

    data = sent(html, ("rules:edit", "pick 0"), ("name", "x"))
    data["rules:search"] = "report"
    found = [value for _, value in controls(str(SegmentForm(data)["rules"])).buttons if value.startswith("field")]
    assert found == ["field 0 event:Report Created"]


def test_an_empty_editor_is_nothing_or_an_error(fields: FieldSet) -> None:
    assert RuleField(Subject.ACCOUNT, required=False, fields=fields).clean(None) is None
    form = SegmentForm({"name": "Big"})
    assert form.errors["rules"] == [EMPTY]
    assert EMPTY in str(form["rules"])


def test_a_field_that_is_gone_is_shown_and_kept_until_it_is_mended(fields: FieldSet) -> None:
    stored = {"all": [{"field": "trait:gone", "op": "is", "value": "Pro"}, {"field": "plan", "op": "set"}]}
    html = str(SegmentForm(initial={"rules": stored})["rules"])
    form = SegmentForm(sent(html, ("name", "Big")))

    assert "trait:gone" in html
    assert list(form.errors) == ["rules"]
    assert "There is no account field" in str(form["rules"])
    assert stored_in(press(str(form["rules"]), "remove 0")) == {"all": [stored["all"][1]]}


def test_only_its_own_buttons_are_at_work(fields: FieldSet) -> None:
    assert is_editing(QueryDict("rules:edit=add+"), "rules")
    assert not is_editing(QueryDict("rules:edit=add+"), "other")
    assert not SegmentForm({"name": "x"}).is_editing


def test_an_unchanged_rule_has_not_changed(fields: FieldSet) -> None:
    html = str(SegmentForm(initial={"rules": NESTED})["rules"])

    assert SegmentForm(sent(html, ("name", "x")), initial={"rules": NESTED}).changed_data == ["name"]


# --- by htmx ----------------------------------------------------------------------------------------------------------


def test_a_button_asks_for_the_editor_alone(priya: Visitor, fields: FieldSet) -> None:
    answer = priya.send("accounts/rules/edit/?name=rules&subject=account", **{"rules:edit": "add "})

    assert 'id="id_rules"' in text(answer)
    assert "rule:changed" in answer["HX-Trigger"]


def test_searching_a_field_changes_nothing_yet(priya: Visitor, fields: FieldSet) -> None:
    typed = {"rules:0:field": "", "rules:picking": "0", "rules:search": "mrr"}
    answer = priya.send("accounts/rules/edit/?name=rules&subject=account", **typed)

    assert 'value="field 0 mrr"' in text(answer)
    assert "HX-Trigger" not in answer


@pytest.mark.parametrize("query", ["name=%3Cb%3E", "name=", "subject=cta", "name=" + "x" * 200])
def test_an_editor_that_does_not_exist_is_not_found(priya: Visitor, query: str) -> None:
    assert priya.send(f"accounts/rules/edit/?{query}").status_code == 404
