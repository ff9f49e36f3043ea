"""The forms of the wizard. They read what stands on the page, finished or not; judging is the definition's."""

from collections.abc import Mapping
from typing import Any

from django import forms

from accounts.rule_editor.draft import Draft
from accounts.rule_field import EditsRules, RuleField, is_editing
from accounts.rules.fields import FieldSet, FieldType, Subject
from actions.forms import TemplateField
from actions.people import MEMBER
from actions.widgets import Segmented, Team
from playbooks.definition import subject_of
from playbooks.icons import ICONS
from playbooks.library import TARGET_WORDS
from playbooks.models import Approval, Playbook
from playbooks.steps import StepJson

USUAL = ""
AUDIENCES = ((Playbook.Audience.ACCOUNTS, "Accounts"), (Playbook.Audience.USERS, "Users"))
POLICIES = (
    (USUAL, "As usual for these rules"),
    ("once_ever", "Never: once ever for each"),
    ("every_match", "Every time the rules match again"),
    ("once_per_value", "Once for each value of a date"),
    ("at_most", "At most so many times, or once in so many days"),
)
UNMATCHED = (("finish", "The schedule is finished"), ("stop", "The playbook stops and undoes what it did"))
BEFORE, AFTER = "before", "after"
USUAL_WAIT = 5  # days
USUAL_OUTCOME_DAYS = 30
RULES = ("account", "user", "outcome")  # which fields of the page are editors


def whole(text: Any) -> Any:
    """A number where it is one, else what was typed, for the definition to refuse; None for nothing."""
    text = str(text or "").strip().replace(",", "")
    digits = text.removeprefix("-").removeprefix("−")
    if not text:
        return None
    number = digits.isascii() and digits.isdecimal() and len(digits) < 9
    return int(digits) * (-1 if digits != text else 1) if number else text


class OverviewForm(forms.Form):
    name = forms.CharField(max_length=200)
    category = forms.CharField(required=False, max_length=100)
    icon = forms.ChoiceField(choices=[(one.name, one.label) for one in ICONS.values()])
    target = forms.ChoiceField(choices=tuple(TARGET_WORDS.items()), label="Target accounts")
    audience = forms.ChoiceField(choices=AUDIENCES, label="Target audience")
    description = TemplateField(required=False, single_line=False)

    def content(self) -> dict[str, Any]:
        return {name: str(self.data.get(name) or "") for name in self.fields if name in self.data}


class RulesForm(EditsRules, forms.Form):
    account = RuleField(Subject.ACCOUNT, required=False)
    user = RuleField(Subject.USER, required=False)
    policy = forms.ChoiceField(choices=POLICIES, required=False, label="May it be applied again?")
    date = forms.ChoiceField(required=False, label="Which date")
    times = forms.CharField(required=False, max_length=6)
    days = forms.CharField(required=False, max_length=6)
    on_unmatch = forms.ChoiceField(choices=UNMATCHED, widget=forms.RadioSelect, label="When the rules stop matching")
    respects_known_cause = forms.BooleanField(required=False, label="Leave accounts alone while a known cause lasts")
    outcome_name = forms.CharField(required=False, max_length=80)
    outcome = RuleField(Subject.ACCOUNT, required=False)
    outcome_days = forms.CharField(required=False, max_length=6)
    holdout = forms.CharField(required=False, max_length=6)

    def __init__(self, *args: Any, fields: FieldSet, audience: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["date"].choices = date_choices(fields)  # type: ignore[attr-defined]
        self.fields["outcome"] = RuleField(subject_of(audience), required=False, named="Rules of the outcome")

    @staticmethod
    def initial_of(draft: Mapping[str, Any]) -> dict[str, Any]:
        rules, again = _mapping(draft.get("rules")), _mapping(draft.get("reenrollment"))
        outcome = _mapping(draft.get("outcome"))
        return {
            "account": rules.get("account"),
            "user": rules.get("user"),
            "policy": again.get("policy") or USUAL,
            "date": again.get("field"),
            "times": again.get("times"),
            "days": again.get("days"),
            "on_unmatch": draft.get("on_unmatch") or "finish",
            "respects_known_cause": draft.get("respects_known_cause") is True,
            "outcome_name": outcome.get("name"),
            "outcome": outcome.get("rule"),
            "outcome_days": outcome.get("days", USUAL_OUTCOME_DAYS),
            "holdout": draft.get("holdout") or 0,
        }

    @property
    def says_an_outcome(self) -> bool:
        """Whether anything stands there, or somebody is at it."""
        shown = (self[name].value() for name in ("outcome_name", "outcome"))
        is_said = any(one and not (isinstance(one, Draft) and one.is_empty) for one in shown)
        return is_said or bool(whole(self["holdout"].value())) or is_editing(self.data, "outcome")

    def content(self) -> dict[str, Any]:
        given = {name: field.widget.value_from_datadict(self.data, {}, name) for name, field in self.fields.items()}
        stored = {name: self.fields[name].stored(given[name]) for name in RULES}  # type: ignore[attr-defined]
        return {
            "rules": {name: stored[name] for name in ("account", "user")},
            "reenrollment": _again(given),
            "on_unmatch": given["on_unmatch"] or "finish",
            "respects_known_cause": given["respects_known_cause"] is True,
            "outcome": _outcome(given, stored["outcome"]),
            "holdout": whole(given["holdout"]) or 0,
        }


def _outcome(given: Mapping[str, Any], rule: Any) -> dict[str, Any] | None:
    """The days alone say nothing: they stand there from the beginning."""
    name = str(given["outcome_name"] or "").strip()
    return {"name": name, "rule": rule, "days": whole(given["outcome_days"])} if name or rule else None


def _again(given: Mapping[str, Any]) -> dict[str, Any] | None:
    match given["policy"]:
        case "" | None:
            return None
        case "once_per_value":
            return {"policy": "once_per_value", "field": given["date"] or ""}
        case "at_most":
            limits = {name: whole(given[name]) for name in ("times", "days")}
            return {"policy": "at_most", **{name: value for name, value in limits.items() if value is not None}}
    return {"policy": given["policy"]}


class StepForm(EditsRules, forms.Form):
    """When a step runs, and only if what; its action has a form of its own beside it."""

    anchor = forms.ChoiceField(required=False, label="Counted from")
    day = forms.CharField(required=False, max_length=6)
    side = forms.ChoiceField(required=False, choices=((BEFORE, "before"), (AFTER, "after")), widget=Segmented)
    keep_on_stop = forms.BooleanField(required=False, label="Keep what it did when the playbook is stopped")
    approver = forms.ChoiceField(required=False, label="Who approves it")
    within_days = forms.CharField(required=False, max_length=6, label="For how many days that is waited for")
    otherwise = forms.ChoiceField(required=False, choices=Approval.Otherwise.choices, label="If nobody answers")
    condition = RuleField(Subject.ACCOUNT, required=False)

    prefix = "step"

    def __init__(self, *args: Any, fields: FieldSet, team: Team, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["approver"].choices = self._approvers(team)  # type: ignore[attr-defined]
        self.fields["anchor"].choices = [("", "The day it is applied"), *date_choices(fields)]  # type: ignore[attr-defined]

    def _approvers(self, team: Team) -> list[tuple[str, str]]:
        """Whoever left stays visible until somebody else is chosen."""
        chosen, known = str(self["approver"].value() or ""), dict(team.approvers)
        gone = {chosen: f"{chosen.removeprefix(MEMBER)} (no longer here)"} if chosen and chosen not in known else {}
        return [("", "Nobody: it runs by itself"), *known.items(), *gone.items()]

    @staticmethod
    def initial_of(step: StepJson) -> dict[str, Any]:
        approval = _mapping(step.get("approval"))
        anchor = _mapping(step.get("anchor"))
        days = anchor.get("days")
        is_before = isinstance(days, int) and days < 0
        return {
            "anchor": anchor.get("field") or "",
            "day": (abs(days) if isinstance(days, int) else days) if anchor else step.get("day"),
            "side": BEFORE if is_before or not anchor else AFTER,
            "keep_on_stop": bool(step.get("keep_on_stop")),
            "condition": step.get("condition"),
            "approver": approval.get("by") or "",
            "within_days": approval.get("within_days") or USUAL_WAIT,
            "otherwise": approval.get("otherwise") or Approval.Otherwise.SKIP,
        }

    def content(self) -> StepJson:
        given = {
            name: field.widget.value_from_datadict(self.data, {}, self.add_prefix(name))
            for name, field in self.fields.items()
        }
        condition = self.fields["condition"].stored(given["condition"])  # type: ignore[attr-defined]
        extra = {"condition": condition, "approval": _approval(given), "keep_on_stop": given["keep_on_stop"]}
        return {**_when(given), **{name: value for name, value in extra.items() if value}}


def _approval(given: Mapping[str, Any]) -> StepJson | None:
    if not given["approver"]:
        return None
    otherwise = given["otherwise"] or Approval.Otherwise.SKIP
    return {"by": given["approver"], "within_days": whole(given["within_days"]), "otherwise": otherwise}


def _when(given: Mapping[str, Any]) -> StepJson:
    day = whole(given["day"])
    if not given["anchor"]:
        return {"day": day}
    if isinstance(day, int) and given["side"] == BEFORE:
        day = -day
    return {"anchor": {"field": given["anchor"], "days": 0 if day is None else day}}


def date_choices(fields: FieldSet) -> list[tuple[str, str]]:
    return [(one.key, one.label) for one in fields.all(Subject.ACCOUNT) if one.type is FieldType.DATE]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
