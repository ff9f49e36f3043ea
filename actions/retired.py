"""Stored steps whose kind of action no longer exists: they can be read for ever, and do nothing."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from actions.base import (
    Audience,
    Batch,
    Config,
    DeliveryOutcome,
    ExternalAction,
    Held,
    Keep,
    Receipt,
    Refused,
    UndoDecision,
)
from actions.forms import ActionForm


class RetiredAction(ExternalAction):
    """Answers both the internal and the external half of the contract, because nobody knows which it was."""

    label = "Retired action"
    icon = "archive"
    form = ActionForm
    audiences: ClassVar[frozenset[Audience]] = frozenset()
    external = False
    sample: ClassVar[Receipt] = {}

    def __init__(self, key: str) -> None:
        self.key = key  # type: ignore[misc]

    def describe(self, config: Config) -> str:
        return f"Do “{self.key}”, which this version of the platform no longer knows"

    def describe_stop(self, config: Config) -> str:
        return "What it did before stays."

    def stop_in_brief(self, config: Config) -> str:
        return "What it did stays"

    def tell(self, config: Config, receipt: Receipt) -> str:
        return f"Done by the retired action “{self.key}”"

    def apply(self, batch: Batch) -> Mapping[UUID, Held]:
        return self._held(batch)

    def prepare(self, batch: Batch) -> Mapping[UUID, Held]:
        return self._held(batch)

    def load(self, batch: Batch) -> Mapping[UUID, Any]:
        return self._held(batch)

    def deliver(self, payload: Any) -> DeliveryOutcome:
        return Refused(self._reason)

    def record(self, batch: Batch, outcomes: Mapping[UUID, DeliveryOutcome]) -> None:
        return None

    def decide(self, batch: Batch, *, lock: bool) -> Mapping[UUID, UndoDecision]:
        return dict.fromkeys(batch.run_ids, Keep("retired", f"What “{self.key}” did stays: {self._reason}"))

    def reverse(self, batch: Batch, decisions: Mapping[UUID, UndoDecision]) -> None:
        return None

    @property
    def _reason(self) -> str:
        return f"this version of the platform no longer knows the action “{self.key}”."

    def _held(self, batch: Batch) -> dict[UUID, Held]:
        return dict.fromkeys(batch.run_ids, Held("retired_action", f"Nothing was done: {self._reason}"))
