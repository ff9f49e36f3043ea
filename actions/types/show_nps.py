"""Make users eligible for the in-app NPS survey, as long as this playbook holds."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.template.defaultfilters import pluralize

from accounts.models import NpsSurvey
from accounts.nps.eligibility import claim_eligibility, end_eligibility, open_eligibility
from accounts.nps.survey import the_survey
from actions.base import (
    TALK,
    Action,
    Applied,
    ApplyOutcome,
    Audience,
    Batch,
    Config,
    Held,
    Keep,
    Receipt,
    Run,
    Skipped,
    Undo,
    UndoDecision,
    writer_of,
)
from actions.by_hand import DONE_BY_HAND
from actions.choosing import UserRuleField
from actions.forms import ActionForm
from actions.subjects import ACCOUNT, USER, lock_present, users_of

EVERYBODY, MATCHING = "everybody", "matching"


class ShowNpsForm(ActionForm):
    shown_when = {"filters": ("show_to", frozenset({MATCHING}))}
    beside = {"for_days": "actions/asides/ask_again.html"}
    aside = "actions/asides/nps.html"
    scores = range(11)

    show_to = forms.ChoiceField(
        label="Show to",
        choices=[(EVERYBODY, "The user, or all users of the account"), (MATCHING, "Users of the account who match")],
        initial=EVERYBODY,
    )
    filters = UserRuleField(label="Which users", required=False)
    for_days = forms.IntegerField(
        label="Days offered",
        required=False,
        min_value=1,
        max_value=365,
        help_text="Empty: until the playbook is stopped.",
    )

    @property
    def survey(self) -> NpsSurvey:
        return the_survey()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("show_to") != MATCHING:
            return cleaned | {"filters": None}
        if self.audience is Audience.USERS:
            self.add_error("show_to", "This playbook is for users: it asks the user it is applied to.")
        if not cleaned.get("filters") and "filters" not in self.errors:
            self.add_error("filters", "Say which users, or choose all of them.")
        return cleaned


class ShowNps(Action):
    key = "show_nps"
    label = "Show an NPS survey"
    icon = "gauge"
    group = TALK
    summary = "In the app, until it is answered or its days are over"
    form = ShowNpsForm
    sample = {"show_to": "everybody"}

    def describe(self, config: Config) -> str:
        whom = "users of the account who match" if config["show_to"] == MATCHING else "the user, or all of the account"
        days = config.get("for_days")
        return f"Show the NPS survey to {whom}" + (f", for {days} day{pluralize(days)}" if days else "")

    def describe_stop(self, config: Config) -> str:
        return "The survey is no longer shown. Answers stay."

    def stop_in_brief(self, config: Config) -> str:
        return "No longer shown"

    def tell(self, config: Config, receipt: Receipt) -> str:
        if "users" not in receipt:
            return "The NPS survey was shown by hand"
        count = len(receipt["users"])
        return f"NPS survey shown to {count} {'user' if count == 1 else 'users'}"

    def since(self, receipts: Mapping[UUID, Receipt], *, now: datetime) -> Mapping[UUID, str]:
        held = open_eligibility([writer_of(run_id) for run_id in receipts], now=now)
        said = {run_id: held.get(writer_of(run_id), (0, 0)) for run_id in receipts}
        return {
            run_id: f"{answered} of {users} answered"
            for run_id, (users, answered) in said.items()
            if users and answered
        }

    def apply(self, batch: Batch) -> Mapping[UUID, ApplyOutcome]:
        chosen = _chosen(batch)
        if isinstance(chosen, Held):
            return dict.fromkeys(batch.run_ids, chosen)
        asked = {run.id: users for run in batch.runs if not isinstance(users := chosen[run.id], Skipped)}
        claims = [(id, run.writer) for run in batch.runs for id in asked.get(run.id, ())]
        claim_eligibility(claims, now=batch.now, ends_at=_ends_at(batch))
        return {id: one if isinstance(one, Skipped) else Applied({"users": one}) for id, one in chosen.items()}

    def decide(self, batch: Batch, *, lock: bool) -> Mapping[UUID, UndoDecision]:
        held = open_eligibility([run.writer for run in batch.runs], now=batch.now)
        return {run.id: _decision(run, *held.get(run.writer, (0, 0))) for run in batch.runs}

    def reverse(self, batch: Batch, decisions: Mapping[UUID, UndoDecision]) -> None:
        end_eligibility([run.writer for run in batch.runs], now=batch.now)


def _ends_at(batch: Batch) -> datetime | None:
    """Steps stored before there was a choice say nothing about it."""
    days = batch.config.get("for_days")
    return batch.now + timedelta(days=days) if days else None


def _chosen(batch: Batch) -> dict[UUID, list[int] | Skipped] | Held:
    accounts = lock_present(batch, ACCOUNT, [run.account_id for run in batch.runs])
    users = lock_present(batch, USER, [run.end_user_id for run in batch.runs])
    found = users_of(batch, [run for run in batch.runs if not run.end_user_id], batch.config["filters"])
    return found if isinstance(found, Held) else {run.id: _of(run, accounts, users, found) for run in batch.runs}


def _of(run: Run, accounts: set[int], users: set[int], found: Mapping[UUID, list[int]]) -> list[int] | Skipped:
    if run.account_id not in accounts:
        return Skipped("The account is archived.")
    if run.end_user_id:
        return [run.end_user_id] if run.end_user_id in users else Skipped("The user is archived.")
    return found[run.id] or Skipped("No user of the account is to be asked.")


def _decision(run: Run, users: int, answered: int) -> UndoDecision:
    if not run.receipt or "users" not in run.receipt:
        return DONE_BY_HAND
    if not users:
        return Keep("target_gone", "Nobody is asked for this any more")
    stay = f"{answered} {'answer stays' if answered == 1 else 'answers stay'}" if answered else ""
    if answered == users:
        return Keep("answered", f"The NPS survey was answered: {stay}")
    return Undo(f"The NPS survey is no longer shown{stay and f'; {stay}'}")
