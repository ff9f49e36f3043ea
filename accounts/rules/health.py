"""The workspace's named health scores as fields: each account's value of today."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from accounts.rules.aggregates import Aggregate
from accounts.rules.fields import Field, FieldType, Subject

PREFIX = "health:"
_CURRENT = (
    "SELECT r.account_id, r.value FROM accounts_healthreading r"
    " WHERE r.tenant_id = {tenant} AND r.is_current AND r.score_id = {score}"
)

Listed = tuple[int, str, bool]  # id, name, archived


@dataclass(frozen=True)
class HealthFields:
    """`health:<id>`. An archived score is not offered any more; rules that ask about it go on with its last values."""

    scores: Iterable[Listed]

    @cached_property
    def _listed(self) -> list[Listed]:
        return list(self.scores)

    def fields(self, subject: Subject) -> Iterable[Field]:
        if subject is not Subject.ACCOUNT:
            return []
        return [self._field(id, name) for id, name, archived in self._listed if not archived]

    def find(self, subject: Subject, key: str) -> Field | None:
        if subject is not Subject.ACCOUNT or not key.startswith(PREFIX):
            return None
        found = ((id, name, archived) for id, name, archived in self._listed if key == f"{PREFIX}{id}")
        return next((self._field(id, f"{name} (archived)" if gone else name) for id, name, gone in found), None)

    def _field(self, id: int, name: str) -> Field:
        source = Aggregate(_CURRENT, Subject.ACCOUNT, (("score", id),))
        return Field(f"{PREFIX}{id}", f"{name} health", FieldType.NUMBER, Subject.ACCOUNT, source, group="Health")
