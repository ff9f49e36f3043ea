"""The third step of the wizard: the schedule by day on the left, the action that is being edited on the right."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import groupby
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.rules.describe import counted
from accounts.rules.fields import Subject
from actions.base import GROUPS, Action, Batch, ExternalAction, Prepared, Run
from actions.base import Audience as ActionAudience
from actions.calls import CallAction
from actions.checks import ActionErrors, clean_config, form_of, form_posted, read_config
from actions.forms import ActionForm, TemplateField, texts_of
from actions.registry import ACTIONS, action_for
from actions.retired import RetiredAction
from actions.variables import Variable
from actions.widgets import Team, is_at_work
from cs_platform.tenancy.looked_up import looked_up_once
from cs_platform.tenancy.roles import Ability
from cs_platform.web.pages import WorkspaceRequest, go_to, requires, toast
from cs_platform.workspace.holidays import load_holidays
from playbooks import drafts, steps
from playbooks.drafts import ChangedByAnother
from playbooks.field_names import name_in_step, step_at
from playbooks.filling import Piece
from playbooks.schedule import Activation, PlannedStep, due
from playbooks.steps import StepJson, Steps
from playbooks.views.wizard import Wizard, answer, open_wizard, save, show
from playbooks.wizard_forms import StepForm

EDITOR = {"editor": "playbooks/wizard/_editor_answer.html"}
SCOPE_WORDS = {"account": "Account", "user": "User", "csm": "CSM", "sender": "Sender"}


@dataclass(frozen=True, slots=True)
class Card:
    """One action of the schedule as a card."""

    key: str
    icon: str
    title: str
    kind: str
    is_current: bool
    has_problem: bool
    is_first: bool
    is_last: bool


@dataclass(frozen=True, slots=True)
class CardDay:
    label: str
    detail: str
    gap_days: int  # how long after the day before it
    day: int | None  # None: it hangs on a date
    on: date | None
    cards: Sequence[Card]

    @property
    def gap(self) -> str:
        return f"+{counted(self.gap_days, 'day')}" if self.gap_days else ""

    @property
    def between(self) -> int:
        """The day in the middle of the gap."""
        return (self.day or 1) - self.gap_days // 2


class Board:
    """The schedule of a draft, and the action being edited."""

    def __init__(self, wizard: Wizard, key: str = "") -> None:
        self.wizard, self.team = wizard, Team()
        self.steps = steps.in_order(steps.of_draft(wizard.content))
        self.step = steps.find(self.steps, key) or (self.steps[0] if self.steps and not key else None)

    @property
    def audience(self) -> ActionAudience:
        return ActionAudience(self.wizard.playbook.audience)

    @property
    def here(self) -> str:
        return f"{self.wizard.here}?step={self.step['key']}" if self.step else self.wizard.here

    @cached_property
    def action(self) -> Action:
        return action_for(str((self.step or {}).get("action") or ""))

    @property
    def config(self) -> Mapping[str, Any]:
        config = (self.step or {}).get("config")
        return config if isinstance(config, Mapping) else {}

    @property
    def on_stop(self) -> str:
        """What stopping would do to it as it is set up now, or as it is usually."""
        for config in (self.config, self.action.sample):
            try:
                return self.action.describe_stop(
                    clean_config(self.action, config, audience=self.audience, team=self.team)
                )
            except ActionErrors:
                continue
        if isinstance(self.action, ExternalAction):
            return "What left the workspace cannot be taken back."
        return "What it did is taken back, where nobody has touched it since."

    def _clean(self, action: Action, config: Any) -> dict[str, Any]:
        """Raises ActionErrors."""
        return clean_config(action, config, audience=self.audience, team=self.team)

    @property
    def has_texts(self) -> bool:
        """Whether there is anything to read on the account beside it."""
        fields = self.action.form.base_fields.values()
        return isinstance(self.action, CallAction) or any(isinstance(field, TemplateField) for field in fields)

    @property
    def reads(self) -> list[tuple[str, Sequence[Piece]]]:
        """Its texts, filled in for the account beside it."""
        form = form_of(self.action, self.config, audience=self.audience, judged=False, team=self.team)
        texts = texts_of(form)
        filled = self.wizard.filled(texts)
        return [(label, filled[label]) for label in texts if label in filled]

    @property
    def sent(self) -> str:
        """What a call to another system would carry for the account beside it, where all of it is there."""
        example, action, request = self.wizard.example_subject, self.action, self.wizard.request
        if example is None or not isinstance(action, CallAction):
            return ""
        try:
            config = self._clean(action, self.config)
        except ActionErrors:
            return ""
        run = Run(UUID(int=0), 0, example.account.pk, example.end_user_id, None, example.timezone, None)
        batch = Batch(
            request.tenant.pk,
            config,
            request.now,
            timezone.localdate(request.now),
            self.wizard.playbook.actor,
            str(self.wizard.content.get("name") or ""),
            [run],
        )
        outcome = action.prepare(batch)[run.id]
        message = outcome.receipt["message"] if isinstance(outcome, Prepared) else None
        return json.dumps(message, indent=2, ensure_ascii=False) if message else ""

    @property
    def catalog(self) -> list[tuple[str, list[Action]]]:
        """Only what can be used for this audience."""
        offered = [action for action in ACTIONS if self.audience in action.audiences]
        groups = [(group, [action for action in offered if action.group == group]) for group in GROUPS]
        return [(group, members) for group, members in groups if members]

    @property
    def next_day(self) -> int:
        return self.step["day"] if self.step and isinstance(self.step.get("day"), int) else 1

    @property
    def days(self) -> list[CardDay]:
        found: list[CardDay] = []
        for place, members in groupby(self.steps, key=steps.place):
            group = list(members)
            found.append(self._day(place, group, found[-1] if found else None))
        return found

    def _day(self, place: steps.Place, group: Steps, earlier: CardDay | None) -> CardDay:
        anchored, field, number = place
        cards = [self._card(step) for step in group]
        on = self._example_date(group[0])
        if anchored:
            known = self.wizard.fields.find(Subject.ACCOUNT, field)
            name = known.label if known else "a date that is gone"
            side = "on" if not number else f"{counted(abs(number), 'day')} {'before' if number < 0 else 'after'}"
            return CardDay(side.capitalize(), name, 0, None, on, cards)
        gap = number - earlier.day if earlier and earlier.day is not None else 0
        after = f"{counted(number - 1, 'day')} after it is applied" if number > 1 else "the day it is applied"
        return CardDay(f"Day {number}", after, gap, number, on, cards)

    def _card(self, step: StepJson) -> Card:
        action = action_for(str(step.get("action") or ""))
        at = self.steps.index(step)
        title = self.title_of(step, action)
        return Card(
            key=str(step.get("key")),
            icon=action.icon,
            title=title or action.label,
            kind=_kind(action, step) if title else "Not finished",
            is_current=step is self.step,
            has_problem=title is None or str(step.get("key")) in self.wrong,
            is_first=at == 0,
            is_last=at == len(self.steps) - 1,
        )

    def title_of(self, step: StepJson, action: Action) -> str | None:
        """What it will do; None while its settings are not finished."""
        try:
            return action.describe(
                clean_config(action, step.get("config") or {}, audience=self.audience, team=self.team)
            )
        except ActionErrors:
            return None

    @property
    def wrong(self) -> set[str]:
        """Keys of the steps that have a problem."""
        content = self.wizard.content
        return {str(step.get("key")) for one in self.wizard.problems if (step := step_at(one.path, content))}

    @property
    def problems_of_step(self) -> list[tuple[str, str]]:
        """What is wrong with the step beyond its action's own form, which says it itself; by the field it is about."""
        if self.step is None:
            return []
        content, key = self.wizard.content, self.step.get("key")
        ours = [one for one in self.wizard.problems if (step_at(one.path, content) or {}).get("key") == key]
        return [(name_in_step(one.path, self.step), one.message) for one in ours if ".config" not in one.path]

    @cached_property
    def _holidays(self) -> Collection[date]:
        return load_holidays()

    def _example_date(self, step: StepJson) -> date | None:
        """When it would run if the playbook were applied today to the account beside it."""
        account, tenant, now = self.wizard.example, self.wizard.request.tenant, self.wizard.request.now
        zone = (account.timezone if account else "") or tenant.timezone
        skips = self.wizard.content.get("skip_weekends") is True
        began = Activation(
            now, now.astimezone(ZoneInfo(zone)).date(), zone, tenant.action_hour, skips, self._holidays if skips else ()
        )
        anchored, field, number = steps.place(step)
        planned = PlannedStep(0, 0, number if anchored else number - 1, field, is_external=False)
        return due(planned, began, getattr(account, field, None) if account and anchored else None).on


def _kind(action: Action, step: StepJson) -> str:
    more = [action.label]
    if step.get("condition"):
        more.append("only if a condition is met")
    if step.get("approval"):
        more.append("waits for approval")
    if step.get("keep_on_stop"):
        more.append("kept when stopped")
    return " · ".join(more)


# --- the page ---------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Ability.DRAFT_PLAYBOOKS)
@looked_up_once()
def actions(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """`?step=<key>` is being edited. What is posted here is the action's form."""
    wizard = open_wizard(request, pk, "actions")
    if isinstance(wizard, HttpResponse):
        return wizard
    board = Board(wizard, request.GET.get("step", ""))
    if request.method != "POST":
        return _page(wizard)
    if board.step is None:
        return answer(wizard, {}, _page)
    parts = {"steps": steps.replace(board.steps, board.step["key"], _posted(board))}
    wizard.board = lambda: Board(wizard, board.step["key"])
    saved = ["playbooks/wizard/_board_partial.html", "playbooks/wizard/_reads_partial.html"]
    return answer(wizard, parts, _page, saved=saved)


def _posted(board: Board) -> StepJson:
    assert board.step is not None
    request = board.wizard.request
    config = read_config(board.action, request.POST, audience=board.audience)
    when = StepForm(request.POST, fields=board.wizard.fields, team=board.team).content()
    return {**when, "action": board.step.get("action"), "config": config}


def _page(wizard: Wizard, conflict: ChangedByAnother | None = None) -> HttpResponse:
    board = Board(wizard, wizard.request.GET.get("step", ""))
    request = wizard.request
    if wizard.judged and request.method == "POST" and not is_at_work(request.POST) and board.wrong:
        elsewhere = [step["key"] for step in board.steps if step.get("key") in board.wrong]
        if board.step is None or board.step.get("key") not in elsewhere:
            return go_to(request, f"{wizard.here}?check=1&step={elsewhere[0]}")
    wizard.board = lambda: board
    context = {"board": board, **(_editor(board) if board.step else {})}
    return show(wizard, context, conflict, fragments=EDITOR)


def _editor(board: Board) -> dict[str, Any]:
    step = board.step
    assert step is not None
    request = board.wizard.request
    at_work = request.method == "POST" and is_at_work(request.POST)
    form = (
        form_posted(board.action, request.POST, audience=board.audience)
        if at_work
        else form_of(board.action, board.config, audience=board.audience, judged=board.wizard.judged, team=board.team)
    )
    when = (
        StepForm(request.POST, fields=board.wizard.fields, team=board.team)
        if at_work
        else StepForm(initial=StepForm.initial_of(step), fields=board.wizard.fields, team=board.team)
    )
    return {"action": board.action, "form": form, "when": when, "is_retired": isinstance(board.action, RetiredAction)}


# --- arranging --------------------------------------------------------------------------------------------------------


@require_POST
@requires(Ability.DRAFT_PLAYBOOKS)
def add(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    key = request.POST.get("action", "")
    day = request.POST.get("day", "")
    if key not in {action.key for action in ACTIONS}:
        messages.error(request, "There is no such action. Choose one from the list.")
        return go_to(request, reverse("playbooks:draft_actions", args=[slug, pk]))
    return _arrange(request, pk, lambda found: steps.add(found, key, day=_day(day) or 1))


@require_POST
@requires(Ability.DRAFT_PLAYBOOKS)
def arrange(request: WorkspaceRequest, slug: str, pk: int, verb: str) -> HttpResponse:
    """Duplicate, delete, up, down; move to `day`, there before the action `before`; all of a day `from` to `day`."""
    key, number = request.POST.get("step", ""), _day(request.POST.get("day", ""))
    changes: dict[str, Any] = {
        "duplicate": lambda found: steps.duplicate(found, key),
        "delete": lambda found: (steps.remove(found, key), ""),
        "up": lambda found: (steps.shift(found, key, -1), key),
        "down": lambda found: (steps.shift(found, key, 1), key),
        "move": lambda found: (steps.move(found, key, day=number, before=request.POST.get("before", "")), key),
        "day": lambda found: (steps.reschedule(found, _day(request.POST.get("from", "")) or 0, number or 1), key),
    }
    return _arrange(request, pk, changes[verb])


def _day(typed: str) -> int | None:
    return int(typed) if typed.isascii() and typed.isdecimal() and 0 < len(typed) < 5 else None


def _arrange(request: WorkspaceRequest, pk: int, change: Any) -> HttpResponse:
    wizard = open_wizard(request, pk, "actions")
    if isinstance(wizard, HttpResponse):
        return wizard
    found, key = change(steps.in_order(steps.of_draft(wizard.content)))
    return _saved(wizard, {"steps": found}, key)


@require_POST
@requires(Ability.DRAFT_PLAYBOOKS)
def weekends(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    wizard = open_wizard(request, pk, "actions")
    if isinstance(wizard, HttpResponse):
        return wizard
    return _saved(wizard, {"skip_weekends": "skip_weekends" in request.POST}, request.POST.get("step", ""))


def _saved(wizard: Wizard, parts: Mapping[str, Any], key: str) -> HttpResponse:
    address = wizard.here + (f"?step={key}" if key else "")
    try:
        save(wizard, parts)
    except (ChangedByAnother, drafts.NotPossible) as refusal:
        return toast(go_to(wizard.request, address), str(refusal))
    return go_to(wizard.request, address)


# --- variables --------------------------------------------------------------------------------------------------------


@require_safe
@requires(Ability.DRAFT_PLAYBOOKS)
def variables(request: WorkspaceRequest, slug: str, pk: int) -> HttpResponse:
    """What a text may name, with the values of one account; `?action=` adds those of that action."""
    wizard = open_wizard(request, pk, "actions")
    if isinstance(wizard, HttpResponse):
        return wizard
    known = _form_class(request.GET.get("action", ""))(audience=ActionAudience(wizard.playbook.audience)).variables
    values = wizard.filled({name: written_variable(name) for name in known})
    groups = [
        (
            scope,
            [
                (_label_within(one, scope), written_variable(name), values.get(name))
                for name, one in known.items()
                if _is_of(name, scope)
            ],
        )
        for scope in SCOPE_WORDS
    ]
    context = {"groups": [(SCOPE_WORDS[scope], found) for scope, found in groups if found]}
    return render(request, "playbooks/wizard/_variable_list.html", context)


def _form_class(key: str) -> type[ActionForm]:
    """Of an action, or where there is none yet the ground of all."""
    form = action_for(key).form
    return form if issubclass(form, ActionForm) else ActionForm


def _label_within(variable: Variable, scope: str) -> str:
    """The heading above has said whose it is."""
    label = variable.label.removeprefix(f"{SCOPE_WORDS[scope]}: ")
    return f"{label[:1].upper()}{label[1:]}"


def _is_of(name: str, scope: str) -> bool:
    return name.startswith(f"{scope}.")


def written_variable(name: str) -> str:
    """`{{ account.plan }}`; a trait whose key is no plain word stands in quotes."""
    scope, _, key = name.partition(".traits.")
    if not key or (key.replace("_", "a").isalnum() and key.isascii()):
        return "{{ " + name + " }}"
    quoted = key.replace('"', '\\"')
    return "{{ " + f'{scope}.traits["{quoted}"]' + " }}"
