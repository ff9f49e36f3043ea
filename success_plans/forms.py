"""Forms of plans: making and changing one, its objectives and people, its share links, types and templates."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, cast

from django import forms
from django.http import QueryDict

from accounts.models import EndUser
from ctas.forms import DAY, AccountField, OwnerField
from ctas.models import Cta, Task
from success_plans.custom_fields import KINDS, YES_NO, PlanField, fields_of
from success_plans.guests import customers_of
from success_plans.models import Objective, PlanTemplate, PlanType, ShareLink, Stakeholder, SuccessPlan
from success_plans.planning import CannotPlan, OpenObjectives, active_members
from success_plans.sharing import FIELD, MOST_DAYS, OBJECTIVE, USUAL_DAYS, offered_parts
from success_plans.templates import MEMBER

CHECK = {"class": "check"}
ROWS_2, ROWS_4 = forms.Textarea(attrs={"rows": 2}), forms.Textarea(attrs={"rows": 4})


def show_refusal(form: forms.Form, refusal: CannotPlan) -> None:
    """Beside the field it is about where the form has it."""
    name = refusal.field.split("/")[-1] if refusal.field.startswith("values/") else refusal.field
    name = f"value-{name}" if f"value-{name}" in form.fields else name
    form.add_error(name if name in form.fields else None, str(refusal))


class TypeField(forms.ModelChoiceField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(queryset=None, **kwargs)


def present_types() -> Any:
    return PlanType.objects.filter(archived_at=None).order_by("name", "pk")


class NewPlanForm(forms.Form):
    account = AccountField(label="Account")
    name = forms.CharField(max_length=500, label="Name", help_text="What the customer wants to reach.")
    template: Any = forms.ModelChoiceField(queryset=None, required=False, empty_label="None, an empty plan")
    type = TypeField(required=False, empty_label="The template’s, or the usual one")
    owner = OwnerField()
    start_on = forms.DateField(required=False, widget=DAY, label="Starts")
    due_on = forms.DateField(required=False, widget=DAY, label="Due")

    def __init__(self, *args: Any, member: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        templates = PlanTemplate.objects.filter(archived_at=None).order_by("name", "pk")
        self.fields["template"].queryset = templates  # type: ignore[attr-defined]
        self.fields["type"].queryset = present_types()  # type: ignore[attr-defined]
        self.fields["owner"].queryset = active_members()  # type: ignore[attr-defined]
        self.initial = {"owner": member.pk, "start_on": today, **self.initial}
        self.today = today

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("template") and cleaned.get("type") not in (None, cleaned["template"].type):
            self.add_error("type", "The template is of another type. Leave this empty, or start without a template.")
        return cleaned


class PlanForm(forms.Form):
    """Everything a plan says about itself, with the fields of its type."""

    name = forms.CharField(max_length=500)
    owner = OwnerField()
    start_on = forms.DateField(required=False, widget=DAY, label="Starts")
    due_on = forms.DateField(required=False, widget=DAY, label="Due")
    highlights = forms.CharField(
        required=False, max_length=10_000, widget=ROWS_4, help_text="What it is about and where it stands, in words."
    )
    metric = forms.CharField(
        required=False, max_length=100, label="What the customer measures", help_text="For example: Missed scans."
    )
    metric_unit = forms.CharField(required=False, max_length=12, label="Unit")
    metric_start = forms.FloatField(required=False, label="At the start")
    metric_now = forms.FloatField(required=False, label="Now")
    metric_goal = forms.FloatField(required=False, label="Goal")

    def __init__(self, data: Any, *, plan: SuccessPlan) -> None:
        held = {name: _typed_text(getattr(plan, name)) for name in self.base_fields}
        super().__init__(data, initial=held | {"owner": plan.owner_id})
        self.fields["owner"].queryset = active_members()  # type: ignore[attr-defined]
        self.own = fields_of(plan.type.fields)
        for one in self.own:
            self.fields[f"value-{one.key}"] = value_field(one)
            self.initial[f"value-{one.key}"] = _typed_text(plan.values.get(one.key))

    def changes(self) -> dict[str, Any]:
        own = {one.key: _value(one, self.cleaned_data[f"value-{one.key}"]) for one in self.own}
        return {name: self.cleaned_data[name] for name in self.base_fields} | {"values": own}

    @property
    def own_fields(self) -> list[Any]:
        return [self[f"value-{one.key}"] for one in self.own]


def value_field(one: PlanField) -> forms.Field:
    common: dict[str, Any] = {"label": one.label, "required": False}
    unset = ("", "Not set")
    match one.kind:
        case "number":
            return forms.FloatField(**common)
        case "date":
            return forms.DateField(widget=DAY, **common)
        case "choice":
            return forms.ChoiceField(choices=[unset, *((text, text) for text in one.choices)], **common)
        case "yes_no":
            return forms.ChoiceField(choices=[unset, ("true", "Yes"), ("false", "No")], **common)
        case "long_text":
            return forms.CharField(max_length=10_000, widget=ROWS_4, **common)
    return forms.CharField(max_length=10_000, **common)


def _value(one: PlanField, cleaned: Any) -> Any:
    return {"true": True, "false": False}.get(cleaned) if one.kind == YES_NO else cleaned


def _typed_text(value: Any) -> Any:
    """As somebody would have typed it: 12 rather than 12.0."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return int(value) if isinstance(value, float) and value.is_integer() else value


class ObjectiveForm(forms.Form):
    """A new objective, or what a plan says of one it has."""

    name = forms.CharField(max_length=500, label="What is to be reached")
    category = forms.CharField(required=False, max_length=100, widget=forms.TextInput(attrs={"list": "categories"}))
    weight = forms.IntegerField(min_value=1, max_value=100, initial=1)
    owner = OwnerField()
    start_on = forms.DateField(required=False, widget=DAY, label="Starts")
    due_on = forms.DateField(required=False, widget=DAY, label="Due")
    comment = forms.CharField(required=False, max_length=10_000, widget=ROWS_2)
    needs = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple(CHECK),
        label="Waits for",
        help_text="It begins when these have ended.",
    )

    def __init__(self, *args: Any, others: Iterable[Objective], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].queryset = active_members()  # type: ignore[attr-defined]
        self.fields["needs"].choices = [(str(one.pk), one.cta.name) for one in others]  # type: ignore[attr-defined]
        if not self.fields["needs"].choices:  # type: ignore[attr-defined]
            del self.fields["needs"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        start, due = cleaned.get("start_on"), cleaned.get("due_on")
        if start and due and due < start:
            self.add_error("due_on", "It would be due before it starts.")
        return cleaned

    @property
    def needed(self) -> set[int]:
        return {int(pk) for pk in self.cleaned_data.get("needs", ())}


class ScheduleForm(forms.Form):
    start_on = forms.DateField(required=False, widget=DAY)
    due_on = forms.DateField(required=False, widget=DAY)


class JoinForm(forms.Form):
    """One of the account's CTAs that is in no plan."""

    cta: Any = forms.ModelChoiceField(queryset=None, label="CTA", empty_label="Choose a CTA")
    category = forms.CharField(required=False, max_length=100, widget=forms.TextInput(attrs={"list": "categories"}))

    def __init__(self, *args: Any, plan: SuccessPlan, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["cta"].queryset = joinable(plan)  # type: ignore[attr-defined]


def joinable(plan: SuccessPlan) -> Any:
    free = Cta.objects.present().filter(account=plan.account_id).exclude(status=Cta.Status.DRAFT)
    return free.exclude(pk__in=Objective.objects.values("cta")).order_by("-created_at", "-pk")


class StakeholderForm(forms.Form):
    end_user: Any = forms.ModelChoiceField(
        queryset=None, required=False, label="User", empty_label="Nobody of the list"
    )
    name = forms.CharField(required=False, max_length=200, help_text="For somebody who is no user of the account.")
    email = forms.EmailField(required=False)
    role = forms.CharField(required=False, max_length=100, help_text="For example: VP Operations, sponsor.")

    def __init__(self, *args: Any, plan: SuccessPlan, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        taken = Stakeholder.objects.filter(plan=plan, end_user__isnull=False).values("end_user")
        users = EndUser.objects.filter(archived_at=None, account_users__account=plan.account_id).exclude(pk__in=taken)
        self.fields["end_user"].queryset = users.order_by("name", "pk")  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not cleaned.get("end_user") and not cleaned.get("name"):
            self.add_error("name", "Choose a user of the account or write a name.")
        return cleaned


class GiveForm(forms.Form):
    """Who at the customer does which task of an objective: a `task` and a `stakeholder`, or none, for each."""

    def __init__(self, data: Any, *, tasks: Sequence[Task], stakeholders: Sequence[Stakeholder]) -> None:
        super().__init__(data)
        self.people = {str(one.pk): one for one in stakeholders}
        held = customers_of(tasks)
        self.lines = [(task, held.get(task.pk)) for task in tasks]
        self.given: dict[int, Stakeholder | None] = {}

    def clean(self) -> dict[str, Any]:
        known, data = {str(task.pk) for task, _held in self.lines}, cast(QueryDict, self.data)
        pairs = list(zip(data.getlist("task"), data.getlist("stakeholder"), strict=False))
        if any(task not in known or (who and who not in self.people) for task, who in pairs):
            raise forms.ValidationError("Choose tasks of this objective and stakeholders of this plan.")
        self.given = {int(task): self.people.get(who) for task, who in pairs}
        return self.cleaned_data


ONE_TIME = {"inputmode": "numeric", "autocomplete": "one-time-code"}


class GuestForm(forms.Form):
    email = forms.EmailField(max_length=254, label="Your email address")


class CodeForm(forms.Form):
    code = forms.CharField(max_length=20, widget=forms.TextInput(attrs=ONE_TIME))

    def clean_code(self) -> str:
        return "".join(self.cleaned_data["code"].split())


class ClosePlanForm(forms.Form):
    objectives = forms.ChoiceField(
        choices=[
            (OpenObjectives.CLOSE.value, "Close them too"),
            (OpenObjectives.KEEP.value, "Leave them open in the plan"),
            (OpenObjectives.LEAVE.value, "Take them out of the plan; they go on as CTAs"),
        ],
        initial=OpenObjectives.CLOSE.value,
        widget=forms.RadioSelect,
        label="Open objectives",
    )
    outcome = forms.ChoiceField(
        choices=[choice for choice in Cta.Status.choices if choice[0] in ("won", "lost", "cancelled")],
        initial=Cta.Status.WON,
        required=False,
        label="Close them as",
    )


class ShareForm(forms.Form):
    name = forms.CharField(max_length=100, label="For whom", help_text="Only your team sees this.")
    days = forms.IntegerField(
        min_value=1, max_value=MOST_DAYS, initial=USUAL_DAYS, label="Days it holds", help_text="Counted from today."
    )
    parts = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple(CHECK),
        label="What they see",
        help_text="Nothing else is shown.",
    )

    def __init__(self, data: Any, *, plan: SuccessPlan, link: ShareLink | None = None) -> None:
        super().__init__(data, initial={"name": link.name, "parts": link.parts} if link else None)
        self.fields["parts"].choices = offered_parts(plan)  # type: ignore[attr-defined]
        if link:
            self.fields["days"].required, self.fields["days"].initial = False, None
            self.fields["days"].help_text = "Empty: as it is. Otherwise counted from today."

    def groups(self) -> list[tuple[str, list[Any]]]:
        """The boxes, under what they are about; a group without any is left out."""
        found: dict[str, list[Any]] = {"The plan": [], "Its fields": [], "Objectives": []}
        names = {FIELD: "Its fields", OBJECTIVE: "Objectives"}
        for box in self["parts"]:
            kind = next((kind for kind in names if box.data["value"].startswith(kind)), "")
            found[names.get(kind, "The plan")].append(box)
        return [(name, boxes) for name, boxes in found.items() if boxes]


# --- settings ---------------------------------------------------------------------------------------------------------


class Lines(forms.CharField):
    """One a line."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", ROWS_4)
        super().__init__(required=False, max_length=5_000, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> Any:
        return [line.strip() for line in (super().clean(value) or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return list(initial or ()) != self.clean(data)


class TypeForm(forms.Form):
    name = forms.CharField(max_length=100)
    formula = forms.ChoiceField(
        choices=PlanType.Formula.choices, label="Progress counts", widget=forms.RadioSelect(CHECK)
    )
    categories = Lines(label="Categories of objectives", help_text="One a line, in the order they are shown.")


class FieldForm(forms.Form):
    """One field of a type; the key keeps its values when its label changes."""

    key = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)
    label = forms.CharField(max_length=100)
    kind = forms.ChoiceField(choices=KINDS)
    group = forms.CharField(required=False, max_length=60, label="Heading")
    choices = Lines(widget=ROWS_2, help_text="One a line, for a single choice.")


FieldFormSet = forms.formset_factory(FieldForm, extra=2, can_delete=True, can_order=True, max_num=30, absolute_max=30)


def read_fields(formset: Any) -> list[dict[str, Any]]:
    """As they stand in the list; empty lines are nothing."""
    rows = [form.cleaned_data for form in formset if form.cleaned_data.get("label") and not form.cleaned_data["DELETE"]]
    rows.sort(key=lambda row: row.get("ORDER") or len(rows) + 1)
    return [{name: row[name] for name in ("key", "label", "kind", "group", "choices")} for row in rows]


class TemplateForm(forms.Form):
    name = forms.CharField(max_length=200)
    key = forms.CharField(
        required=False, max_length=60, help_text="How playbooks name it. Empty: made from the name; then it stays."
    )
    description = forms.CharField(required=False, max_length=2_000, widget=ROWS_2)
    type = TypeField()
    duration_days = forms.IntegerField(
        required=False, min_value=0, max_value=1_000, label="Days until the plan is due", help_text="From its start."
    )
    highlights = forms.CharField(required=False, max_length=10_000, widget=ROWS_4)
    on_weekends = forms.BooleanField(
        required=False,
        label="Due dates may fall on weekends and holidays",
        help_text="Otherwise they move to the next working day.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["type"].queryset = present_types()  # type: ignore[attr-defined]
        self.fields["type"].initial = present_types().first()


class OutlineLineForm(forms.Form):
    """One objective of a template. Its tasks are written one a line: title | day | who."""

    name = forms.CharField(max_length=500, label="Objective")
    category = forms.CharField(required=False, max_length=100)
    start_day = forms.IntegerField(required=False, min_value=0, max_value=1_000, label="Starts on day")
    due_day = forms.IntegerField(required=False, min_value=0, max_value=1_000, label="Due on day")
    weight = forms.IntegerField(required=False, min_value=1, max_value=100, initial=1)
    owner = forms.CharField(required=False, max_length=260, help_text="csm, ae or an email; empty: the plan’s owner.")
    needs = forms.CharField(required=False, max_length=200, label="Waits for", help_text="Numbers of others: 1, 2")
    playbook = forms.CharField(
        required=False,
        max_length=100,
        label="CTA playbook",
        widget=forms.TextInput(attrs={"list": "cta-playbooks"}),
        help_text="Its key. Its tasks follow those below, counted from the day the plan is started.",
    )
    tasks = forms.CharField(
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "Install scanners | 11\nTest label printing | 14 | ae"}),
        help_text="One a line: title | day it is due | csm, ae or an email.",
    )

    def clean_needs(self) -> list[int]:
        words = self.cleaned_data["needs"].replace(",", " ").split()
        if not all(word.isascii() and word.isdecimal() and len(word) < 4 and int(word) for word in words):
            raise forms.ValidationError("Write the numbers of other objectives, for example 1, 2.")
        return [int(word) - 1 for word in words]

    def clean_owner(self) -> str:
        return role_of(self.cleaned_data["owner"])

    def clean_tasks(self) -> list[dict[str, Any]]:
        lines = [line for line in self.cleaned_data["tasks"].splitlines() if line.strip()]
        return [self._task(line) for line in lines]

    def _task(self, line: str) -> dict[str, Any]:
        title, _, rest = (part.strip() for part in line.partition("|"))
        day, _, who = (part.strip() for part in rest.partition("|"))
        if day and not (day.isascii() and day.isdecimal() and len(day) < 5):
            raise forms.ValidationError(f"“{title}”: write the day as a number: {title} | 14.")
        return {"title": title, "due_day": int(day) if day else None, "owner": role_of(who)}


def role_of(text: str) -> str:
    """As somebody types it: csm, ae or an email address."""
    word = text.strip().lower()
    return f"{MEMBER}{word}" if "@" in word and not word.startswith(MEMBER) else word


OutlineFormSet = forms.formset_factory(OutlineLineForm, extra=1, can_delete=True, max_num=100, absolute_max=100)


def as_typed(form: TemplateForm) -> TemplateForm:
    """To go on with, judged later."""
    return TemplateForm(initial={name: form[name].value() for name in form.fields})


def with_one_line_more(formset: Any) -> Any:
    """What was typed so far, judged later, and an empty line behind it."""
    rows = [{name: one[name].value() for name in one.fields} for one in formset]
    while rows and not rows[-1]["name"]:
        rows.pop()
    return OutlineFormSet(initial=rows, prefix=formset.prefix)


def outline_initial(definition: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            **one,
            "owner": one["owner"].removeprefix(MEMBER),
            "needs": ", ".join(str(at + 1) for at in one["needs"]),
            "tasks": "\n".join(_task_line(task) for task in one["tasks"]),
        }
        for one in definition.get("objectives", ())
    ]


def _task_line(task: Mapping[str, Any]) -> str:
    parts = [task["title"], "" if task["due_day"] is None else str(task["due_day"]), task["owner"].removeprefix(MEMBER)]
    while not parts[-1]:
        parts.pop()
    return " | ".join(parts)


_AS_TYPED = ("name", "category", "start_day", "due_day", "weight", "owner", "playbook")


def read_outline(formset: Any, *, before: Sequence[Mapping[str, Any]] = ()) -> list[dict[str, Any]]:
    """Objectives that go take along what waited for them; what the page does not show (descriptions) stays."""
    kept = [
        (at, form.cleaned_data)
        for at, form in enumerate(formset)
        if form.cleaned_data.get("name") and not form.cleaned_data["DELETE"]
    ]
    place = {at: new for new, (at, _row) in enumerate(kept)}
    return [
        {
            **{name: row[name] for name in _AS_TYPED},
            "comment": before[at]["comment"] if at < len(before) else "",
            "needs": [place[need] for need in row["needs"] if need in place],
            "tasks": _with_descriptions(row["tasks"], before[at]["tasks"] if at < len(before) else ()),
        }
        for at, row in kept
    ]


def _with_descriptions(tasks: Sequence[dict[str, Any]], before: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    said = {task["title"]: task["description"] for task in before}
    return [task | {"description": said.get(task["title"], "")} for task in tasks]
