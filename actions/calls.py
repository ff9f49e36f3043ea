"""The ground under actions that speak HTTP through a connector: drafted in their receipt, sent, and never unsent."""

import json
from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from actions.base import (
    SEND,
    Applied,
    Batch,
    Config,
    DeliveryOutcome,
    ExternalAction,
    Held,
    Keep,
    Later,
    Prepared,
    PrepareOutcome,
    Receipt,
    Refused,
    Retry,
    Run,
    Skipped,
    Uncertain,
    Undo,
    UndoDecision,
)
from actions.forms import ActionForm
from actions.retracting import put
from actions.variables import load_texts
from actions.widgets import PropertiesWidget
from cs_platform.common.statements import fetch
from cs_platform.connectors.base import HttpOutcome, NotNow, Rejected, Revoked, Sent, Unknown
from cs_platform.connectors.models import Connector, Retraction
from cs_platform.connectors.outgoing import note_answers, note_refusal, pass_gate
from cs_platform.connectors.providers import PROVIDERS, Call, Provider
from cs_platform.connectors.sealing import CannotOpen
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.looked_up import once
from cs_platform.tenancy.models import Membership, Tenant
from cs_platform.tenancy.roles import MATRIX, Ability
from cs_platform.workspace.models import Notification
from cs_platform.workspace.notifications import notify

PROPERTIES_LIMIT, NAME_LIMIT, VALUE_LIMIT = 30, 100, 1_000


# --- the form ---------------------------------------------------------------------------------------------------------


class ConnectorField(forms.ChoiceField):
    """A connector of one kind, by its key."""

    of_workspace = True

    def __init__(self, kind: str, **kwargs: Any) -> None:
        self.kind = kind
        super().__init__(label=PROVIDERS[kind].label, choices=self._offered, **kwargs)

    def _offered(self) -> list[tuple[str, str]]:
        present = Connector.objects.present().filter(kind=self.kind).order_by("name", "pk")
        found = once(f"connectors: {self.kind}", lambda: list(present.values_list("key", "name")))
        return [("", "Choose one" if found else "None is connected: see Settings, Connectors"), *found]

    def clean(self, value: Any) -> str:
        try:
            return str(super().clean(value))
        except ValidationError as problem:
            if problem.code != "invalid_choice":
                raise
            text = f"There is no connector “{value}” of this kind. Set it up in the settings, or choose another."
            raise ValidationError(text, code=problem.code) from None


class PropertiesField(forms.Field):
    """Names with texts that may have variables."""

    widget = PropertiesWidget
    texts_inside = True

    def clean(self, value: Any) -> dict[str, str]:
        if isinstance(value, list):
            value = _of_rows(value)
        if value in (None, ""):
            return {}
        if not isinstance(value, Mapping) or len(value) > PROPERTIES_LIMIT:
            raise ValidationError(f"Give at most {PROPERTIES_LIMIT} properties, each a name and a text.")
        problems = [problem for name, text in value.items() if (problem := _wrong_property(name, text))]
        if problems:
            raise ValidationError(problems)
        return {str(name).strip(): str(text) for name, text in value.items()}


def _of_rows(rows: list[Any]) -> dict[Any, Any]:
    """As a page sends them; an empty row is none."""
    found: dict[Any, Any] = {}
    for row in rows:
        name, text = (str(row.get(part) or "") for part in ("name", "text")) if isinstance(row, dict) else ("", "")
        if name.strip() in found:
            raise ValidationError(f"“{name.strip()}” stands there twice.")
        if name.strip() or text:
            found[name.strip()] = text
    return found


def _wrong_property(name: Any, text: Any) -> ValidationError | None:
    if not isinstance(name, str) or not 0 < len(name.strip()) <= NAME_LIMIT or not name.isprintable():
        return ValidationError(f"A property has a name of 1 to {NAME_LIMIT} letters.")
    if not isinstance(text, str) or len(text) > VALUE_LIMIT or "\0" in text:
        return ValidationError(f"“{name}” takes a text of at most {VALUE_LIMIT:,} characters.", code=f"[{name}]")
    return None


class UndoEventField(forms.CharField):
    """Another event, for systems that can take back what the first message did."""

    def __init__(self) -> None:
        help_text = "Another event, for systems that take back what the first one did. Empty: nothing is sent."
        super().__init__(label="If stopped, send", required=False, max_length=NAME_LIMIT, help_text=help_text)


class CallForm(ActionForm):
    """The texts of its properties are checked like any other."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for name, kind in self.fields.items():
            if isinstance(kind, PropertiesField):
                for key, text in (cleaned.get(name) or {}).items():
                    self._check_text(name, text, f"[{key}]")
        return cleaned


# --- what is said of whom ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Subject:
    """Account and user of a run, as messages name them."""

    account: dict[str, Any]
    user: dict[str, Any] | None
    is_archived: bool


_SUBJECTS = """
SELECT r.n, a.id, a.external_id, a.name, a.plan, a.traits, a.archived_at IS NOT NULL OR u.archived_at IS NOT NULL,
    u.id, u.external_id, u.name, u.email, u.traits
FROM unnest(%(accounts)s::bigint[], %(users)s::bigint[]) WITH ORDINALITY AS r(account_id, end_user_id, n)
JOIN accounts_account a ON a.tenant_id = %(tenant)s AND a.id = r.account_id
LEFT JOIN accounts_enduser u ON u.tenant_id = %(tenant)s AND u.id = r.end_user_id
"""


def load_subjects(batch: Batch) -> dict[UUID, Subject]:
    rows = fetch(
        _SUBJECTS,
        {
            "tenant": batch.tenant_id,
            "accounts": [run.account_id for run in batch.runs],
            "users": [run.end_user_id for run in batch.runs],
        },
    )
    return {batch.runs[row[0] - 1].id: _subject(*row[1:]) for row in rows}


def _subject(
    id: int, external_id: str, name: str, plan: str | None, traits: str, gone: bool | None, *user: Any
) -> Subject:
    account = {"id": id, "external_id": external_id, "name": name, "plan": plan, "traits": json.loads(traits)}
    return Subject(account, _user(*user) if user[0] else None, bool(gone))


def _user(id: int, external_id: str, name: str, email: str, traits: str) -> dict[str, Any]:
    return {"id": id, "external_id": external_id, "name": name, "email": email, "traits": json.loads(traits)}


# --- the action -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Payload:
    call: Call
    receipt: Receipt


def repeat_window(kind: str) -> timedelta | None:
    """Automatic repeats end well before the other side forgets."""
    repeats = PROVIDERS[kind].repeats
    return repeats.window * 0.8 if repeats.window and repeats.key else None


@dataclass(frozen=True, slots=True)
class Opened:
    """A connector with its secrets, and what may not pass now: why, or until when."""

    connector: Connector | None
    refused: dict[UUID, Held | Later]
    secrets: dict[str, str] = field(default_factory=dict, repr=False)


def connector_gate(key: str, kind: str, wanted: Sequence[UUID], *, now: datetime) -> Opened:
    """As many as the bucket lets through; who comes after them waits without its try being counted."""
    if not wanted:
        return Opened(None, {})
    gate = pass_gate(key, kind, len(wanted), now=now)
    if gate.code or gate.connector is None:
        return Opened(None, dict.fromkeys(wanted, Held(gate.code, gate.reason)))
    try:
        secrets = gate.connector.secrets(now=now)
    except CannotOpen as error:
        return Opened(None, dict.fromkeys(wanted, Held("needs_reauth", str(error))))
    later = Later(gate.later or now, "It waits for its turn: the connector is busy, or rests after failures.")
    return Opened(gate.connector, dict.fromkeys(wanted[gate.allowed :], later), secrets)


def note_outcomes(key: str, outcomes: Collection[DeliveryOutcome], *, now: datetime) -> None:
    """What the answers do to the connector: its breaker, and whether its admins have to be told that it refuses us."""
    connector = Connector.objects.present().filter(key=key).first()
    if connector is None:
        return
    good = sum(isinstance(one, Applied) for one in outcomes)
    bad = sum(isinstance(one, Uncertain) or (isinstance(one, Retry) and one.counts) for one in outcomes)
    note_answers(connector, good=good, bad=bad, now=now)
    refused = [one.reason for one in outcomes if isinstance(one, Held)]
    if refused and note_refusal(connector, refused, now=now):
        _tell_admins(connector, refused[0], now=now)


class CallAction(ExternalAction):
    """`kind` is the connector's; `what` names the thing that leaves, in the middle of a sentence."""

    group = SEND
    kind: ClassVar[str]
    what: ClassVar[str]
    holds_late = False

    @property
    def provider(self) -> Provider:
        return PROVIDERS[self.kind]

    @abstractmethod
    def texts(self, config: Config) -> dict[str, str]:
        """What is filled in for each run, by names of its own."""

    @abstractmethod
    def message(self, batch: Batch, run: Run, subject: Subject, texts: Mapping[str, str]) -> dict[str, Any]:
        """What is sent, but for what is true only of one try."""

    @abstractmethod
    def short(self, config: Config, message: Mapping[str, Any] | None) -> str:
        """The thing by its name, as histories tell it."""

    def describe_stop(self, config: Config) -> str:
        if config.get("undo_event"):
            follows = f"is followed by “{config['undo_event']}”"
            return f"{self.what.capitalize()} that was sent {follows}. One that has not left is not sent."
        return f"{self.what.capitalize()} that has not left is not sent. One that was sent cannot be unsent."

    def stop_in_brief(self, config: Config) -> str:
        if config.get("undo_event"):
            return f"Followed by “{config['undo_event']}”"
        return "Not sent if it still waits"

    def tell(self, config: Config, receipt: Receipt) -> str:
        verb = "Sent by hand" if "marked_done" in receipt else "Sent" if "sent_at" in receipt else "To be sent"
        return f"{verb}: {self.short(config, receipt.get('message'))}"

    def prepare(self, batch: Batch) -> Mapping[UUID, PrepareOutcome]:
        subjects, texts = load_subjects(batch), load_texts(batch, self.texts(batch.config))

        def draft(run: Run) -> PrepareOutcome:
            subject = subjects.get(run.id)
            if subject is None or subject.is_archived:
                return Skipped(f"The {'user' if run.end_user_id and subject else 'account'} is archived.")
            text = texts.of(run)
            if isinstance(text, Held):
                return text
            return Prepared({"message": self.message(batch, run, subject, text)}, batch.now)

        return {run.id: draft(run) for run in batch.runs}

    def load(self, batch: Batch) -> Mapping[UUID, Any]:
        """As many as the bucket lets through; who comes after them waits without its try being counted."""
        gone = self._gone(batch)
        waiting = [run for run in batch.runs if run.id not in gone]
        opened = connector_gate(batch.config["connector"], self.kind, [run.id for run in waiting], now=batch.now)
        return (
            gone
            | opened.refused
            | {
                run.id: self._payload(batch, run, opened.connector, opened.secrets)
                for run in waiting
                if opened.connector and run.id not in opened.refused
            }
        )

    def deliver(self, payload: Any) -> DeliveryOutcome:
        outcome: HttpOutcome = payload.call.deliver(seconds=settings.LEASE_SECONDS / 6)
        match outcome:
            case Sent(reference):
                return Applied(payload.receipt | {"reference": reference})
            case NotNow(reason, not_before, counts):
                return Retry(reason, not_before, counts)
            case Rejected(reason):
                return Refused(reason)
            case Revoked(reason):
                return Held("needs_reauth", reason)
            case Unknown(reason):
                return Retry(reason, may_have_happened=True) if self.provider.repeats.key else Uncertain(reason)

    def record(self, batch: Batch, outcomes: Mapping[UUID, DeliveryOutcome]) -> None:
        note_outcomes(batch.config["connector"], outcomes.values(), now=batch.now)

    def decide(self, batch: Batch, *, lock: bool) -> Mapping[UUID, UndoDecision]:
        return {run.id: self._decision(batch, run) for run in batch.runs}

    def reverse(self, batch: Batch, decisions: Mapping[UUID, UndoDecision]) -> None:
        """What was drafted stands in the receipt alone, and goes nowhere. What was sent may be followed by another."""
        put([self._retraction(batch, run) for run in batch.runs if _is_followed(batch, run)], now=batch.now)

    def retracting(self, batch: Batch, run: Run, message: Mapping[str, Any]) -> dict[str, Any]:
        """What follows a message that was sent, where the step names an event for that."""
        raise TypeError(f"{self.key} cannot take back what it sent")

    def _retraction(self, batch: Batch, run: Run) -> Retraction:
        return Retraction(
            run_id=run.id,
            connector=batch.config["connector"],
            kind=self.kind,
            name=f"“{batch.config['undo_event']}”",
            message=self.retracting(batch, run, (run.receipt or {})["message"]),
            account_id=run.account_id,
            actor=batch.actor,
            due_at=batch.now,
        )

    def _gone(self, batch: Batch) -> dict[UUID, Any]:
        subjects = load_subjects(batch)
        archived = Skipped("The account or the user is archived.")
        return {run.id: archived for run in batch.runs if (found := subjects.get(run.id)) is None or found.is_archived}

    def _payload(self, batch: Batch, run: Run, connector: Connector, secrets: dict[str, str]) -> Payload:
        receipt = run.receipt or {}
        message = receipt["message"]
        call = self.provider.call(message, url=connector.url, secrets=secrets, id=str(run.id), now=batch.now)
        return Payload(call, {"message": message, "connector": connector.name, "sent_at": batch.now.isoformat()})

    def _decision(self, batch: Batch, run: Run) -> UndoDecision:
        receipt = run.receipt or {}
        name = self.short(batch.config, receipt.get("message"))
        if "sent_at" not in receipt and "marked_done" not in receipt:
            return Undo(f"{name} is not sent")
        follows = f"; “{batch.config['undo_event']}” follows it" if _is_followed(batch, run) else ""
        return Keep("already_sent", f"{name} was sent{_on(receipt.get('sent_at'), run.timezone)}{follows}")


def _is_followed(batch: Batch, run: Run) -> bool:
    """What a person marked as done was not sent from here."""
    return bool(batch.config.get("undo_event")) and "sent_at" in (run.receipt or {})


def _on(moment: str | None, timezone: str) -> str:
    if not moment:
        return ""
    day = datetime.fromisoformat(moment).astimezone(ZoneInfo(timezone))
    return f" on {day.day} {day:%b}"


def _tell_admins(connector: Connector, reason: str, *, now: datetime) -> None:
    slug = Tenant.objects.values_list("slug", flat=True).get(pk=current_tenant_id())
    roles = MATRIX[Ability.MANAGE_CONNECTIONS]
    admins: Sequence[Membership] = list(
        Membership.objects.in_tenant(current_tenant_id()).active().filter(role__in=roles).order_by("pk")
    )
    notify(
        members=admins,
        kind=Notification.Kind.FAILURE,
        text=f"{connector.name} refuses us, so what playbooks send with it waits: {reason}",
        url=f"/w/{slug}/settings/connectors/{connector.pk}/",
        subject=connector.subject,
        by=None,
        now=now,
    )
