"""The contract of an action: what a playbook can do, and how it is taken back.

An action is stateless. It gets a Batch (runs of ONE step of ONE tenant) inside the runner's transaction, writes its
effect set-wise, and answers an outcome per run. Undo reads receipts only. `decide` is one function for preview and
undo, so a preview cannot lie.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from django.forms import Form

Config = Mapping[str, Any]
Receipt = dict[str, Any]


class Audience(StrEnum):
    ACCOUNTS = "accounts"
    USERS = "users"
    CTAS = "ctas"


def writer_of(run_id: UUID) -> str:
    return f"run:{run_id}"


@dataclass(frozen=True, slots=True)
class Run:
    """One run as an action sees it. `id` makes its effect idempotent; `receipt` is set for undo and delivery."""

    id: UUID
    enrollment_id: int
    account_id: int
    end_user_id: int | None
    cta_id: int | None
    timezone: str
    due_on: date | None
    receipt: Receipt | None = None
    fan_key: str = ""  # one of several that a step of this enrollment fanned out into
    # What steps of the kinds an action `follows` did before in the same enrollment, newest first.
    earlier: tuple[Receipt, ...] = ()

    @property
    def writer(self) -> str:
        """How values this run wrote name their writer."""
        return writer_of(self.id)

    @property
    def stopper(self) -> str:
        """How values that are as before again name whoever took this run back."""
        return f"stop:{self.id}"


@dataclass(frozen=True, slots=True)
class Batch:
    """Runs of one step of one tenant. `actor` names the playbook ("playbook:12"), `today` is the workspace's date."""

    tenant_id: int
    config: Config
    now: datetime
    today: date
    actor: str
    playbook_name: str
    runs: Sequence[Run]

    @property
    def run_ids(self) -> list[UUID]:
        return [run.id for run in self.runs]


@dataclass(frozen=True, slots=True)
class Write:
    """A place an action writes to, as rules name it, and what it leaves there; None: that depends on the account.

    `yields`: it leaves alone what somebody else has put there.
    """

    field: str  # "trait:stage", "csm", "segment:12"
    value: str | None = None
    scope: str = "account"
    yields: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """What an action gives somebody of the team to do, on each subject: the first who holds one of these roles."""

    kind: str  # CONVERSATION, CTA or TASK
    roles: tuple[str, ...]
    playbook: str = ""  # key of the CTA playbook that brings it more tasks, which are that one's to say


CONVERSATION, CTA, TASK = "conversation", "cta", "task"

# Where an action stands in the list to choose from.
GIVE, TALK, SIGNAL, SEND = "Give it to someone", "Talk to users", "Signal and update", "Tell other tools"
GROUPS = (GIVE, TALK, SIGNAL, SEND)


# --- what apply (and, for external actions, prepare and deliver) answers ---------------------------------------------


@dataclass(frozen=True, slots=True)
class Applied:
    """Done. The receipt holds everything undo and the history will ever need."""

    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Skipped:
    """Rightly not done, for good: the reason is a sentence."""

    reason: str


@dataclass(frozen=True, slots=True)
class Held:
    """Waits for a person or a connection; `code` is stable ("no_assignee"), the reason a sentence."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """An external effect drafted, to leave at `send_at` unless a person intervenes."""

    receipt: Receipt
    send_at: datetime


@dataclass(frozen=True, slots=True)
class FanOut:
    """One step, several recipients: each becomes a run of its own, all written down before the first one leaves."""

    receipt: Receipt
    keys: Sequence[str]


@dataclass(frozen=True, slots=True)
class Later:
    """Ready, but not now: outside its hours, or too close to another. It counts as no attempt."""

    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Retry:
    """Safe to try again, not before `not_before`: the provider proved that nothing happened, or knows a repeat."""

    reason: str
    not_before: datetime | None = None
    counts: bool = True
    may_have_happened: bool = False


@dataclass(frozen=True, slots=True)
class Uncertain:
    """It may have happened and nobody can tell. Never repeated blindly; a person settles it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider refuses for good, in its own words; `unreachable`: there is nobody at this address."""

    reason: str
    unreachable: bool = False


ApplyOutcome = Applied | Skipped | Held
PrepareOutcome = Prepared | FanOut | Skipped | Held
DeliveryOutcome = Applied | Retry | Uncertain | Refused | Held


# --- what undo answers ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Undo:
    """Will be (was) taken back; `says` finishes "…" in the list a person reads: "Stage goes back from B to A"."""

    says: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Keep:
    """Stays, and why. `code` is stable: already_sent, changed_by, completed, addressed, target_gone …

    `inherit` is handed to the later run that wrote over ours (the one whose receipt names us as `before_writer`), so
    that the last one out restores the original (splice).
    """

    code: str
    says: str
    inherit: Receipt | None = None


UndoDecision = Undo | Keep


class Action(ABC):
    """One kind of thing a playbook can do inside our database."""

    key: ClassVar[str]
    label: ClassVar[str]
    icon: ClassVar[str]  # a name in static/icons.svg
    group: ClassVar[str] = SIGNAL
    summary: ClassVar[str] = ""  # a few words below its label where actions are chosen
    form: ClassVar[type[Form]]  # the schema: the wizard renders it, the API validates with it, OpenAPI shows it
    audiences: ClassVar[frozenset[Audience]] = frozenset({Audience.ACCOUNTS, Audience.USERS})
    external: ClassVar[bool] = False
    reversible: ClassVar[bool] = True
    looks: ClassVar[str] = ""  # a template that shows its texts as they will stand, instead of one by one
    follows: ClassVar[tuple[str, ...]] = ()  # kinds of actions whose receipts it wants to see (Run.earlier)
    sample: ClassVar[Receipt]  # a valid config, used by the contract test and the docs

    @abstractmethod
    def describe(self, config: Config) -> str:
        """What it will do, as a sentence without its full stop: 'Open the CTA “Prepare renewal review”'."""

    @abstractmethod
    def describe_stop(self, config: Config) -> str:
        """What stopping does to it, shown in its form before a playbook goes live."""

    @abstractmethod
    def stop_in_brief(self, config: Config) -> str:
        """The same in a few words, for a table: without the exceptions."""

    def writes(self, config: Config) -> Sequence[Write]:
        """What rules may find changed once it ran: Review looks there for conflicts and circles."""
        return ()

    def gives(self, config: Config) -> Sequence[Work]:
        """What people have to do because of it: Review adds that up."""
        return ()

    @abstractmethod
    def tell(self, config: Config, receipt: Receipt) -> str:
        """What it did, from the receipt alone: 'CTA opened: Prepare renewal review'."""

    def since(self, receipts: Mapping[UUID, Receipt], *, now: datetime) -> Mapping[UUID, str]:
        """What has become of that, by run, where there is something to say: '3 of 4 tasks done'. Asked for many."""
        return {}

    @abstractmethod
    def apply(self, batch: Batch) -> Mapping[UUID, ApplyOutcome]:
        """Write the effect of every run in few statements. Raising rolls the whole batch back."""

    @abstractmethod
    def decide(self, batch: Batch, *, lock: bool) -> Mapping[UUID, UndoDecision]:
        """What undoing would do now. Writes nothing; with `lock` the rows looked at stay as seen."""

    @abstractmethod
    def reverse(self, batch: Batch, decisions: Mapping[UUID, UndoDecision]) -> None:
        """Carry out the Undo decisions (and the parts of a Keep that go); set-wise."""

    def preview_undo(self, batch: Batch) -> Mapping[UUID, UndoDecision]:
        return self.decide(batch, lock=False)

    def undo(self, batch: Batch) -> Mapping[UUID, UndoDecision]:
        decisions = self.decide(batch, lock=True)
        self.reverse(batch, decisions)
        return decisions

    def cancel(self, batch: Batch) -> None:  # noqa: B027 - most actions have drafted nothing
        """Withdraw what `prepare` drafted for runs that will now never be delivered; nothing for internal actions."""


class ExternalAction(Action):
    """An effect that leaves our database: drafted in a transaction, sent outside of any, settled in another."""

    external = True
    reversible = False
    holds_late: ClassVar[bool] = True  # what is more than a day late waits for a person
    # How long the other side recognises a repeat: within it, what a crash leaves open is sent again.
    repeat_window: ClassVar[timedelta | None] = None

    def apply(self, batch: Batch) -> Mapping[UUID, ApplyOutcome]:
        raise TypeError(f"{self.key} is external: the runner prepares and delivers it")

    @abstractmethod
    def prepare(self, batch: Batch) -> Mapping[UUID, PrepareOutcome]:
        """Draft the effect (in the runner's transaction)."""

    @abstractmethod
    def load(self, batch: Batch) -> Mapping[UUID, Any]:
        """Last thing before the call, in the transaction that commits the sent marker: the payload, or why not.

        Suppression, opt-outs and a draft cancelled by a person are asked here.
        """

    @abstractmethod
    def deliver(self, payload: Any) -> DeliveryOutcome:
        """The call itself: no database, no locks, a deadline below the lease."""

    @abstractmethod
    def record(self, batch: Batch, outcomes: Mapping[UUID, DeliveryOutcome]) -> None:
        """Write down what came of it on our side (conversation sent, message kept), in the settling transaction."""
