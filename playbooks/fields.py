"""What rules can ask about playbooks: how one stands on an account or user, since when, and how far it is."""

from collections.abc import Iterable, Iterator
from functools import cached_property

from accounts.rules.aggregates import Aggregate
from accounts.rules.fields import Field, FieldType, Subject
from playbooks.models import Playbook

STATES = (("active", "Active"), ("finished", "Finished"), ("stopped", "Stopped"), ("never", "Never applied"))
_SUBJECT_ID = {Subject.ACCOUNT: "e.account_id", Subject.USER: "e.end_user_id"}

_ROWS = """
    SELECT {id}, {value} FROM playbooks_enrollment e
    WHERE e.tenant_id = {{tenant}} AND e.playbook_id = {{playbook}} AND {id} IS NOT NULL AND NOT e.is_dry GROUP BY 1
"""
# Whoever has one under way is active, whatever earlier ones came to; else the latest one counts.
_STATE = """
    CASE
        WHEN bool_or(e.state IN ('active', 'paused', 'stopping') AND e.completed_at IS NULL) THEN 'active'
        WHEN (array_agg(e.state ORDER BY e.activated_at DESC, e.id DESC))[1] = 'completed' THEN 'finished'
        ELSE 'stopped'
    END
"""
_APPLIED_ON = "max(e.activated_on)"
_PROGRESS = "(array_agg(e.progress ORDER BY e.activated_at DESC, e.id DESC))[1]::float8"


class PlaybookFields:
    """`playbook:<key>`, `playbook_applied:<key>`, `playbook_progress:<key>`; users have those of user playbooks."""

    has_columns = True  # playbooks/columns.py

    def fields(self, subject: Subject) -> Iterable[Field]:
        for playbook in self._playbooks.values():
            if playbook.status != Playbook.Status.ARCHIVED:
                yield from self._of(playbook, subject)

    def find(self, subject: Subject, key: str) -> Field | None:
        prefix, _, wanted = key.partition(":")
        if prefix not in ("playbook", "playbook_applied", "playbook_progress") or wanted not in self._playbooks:
            return None
        return next((field for field in self._of(self._playbooks[wanted], subject) if field.key == key), None)

    @cached_property
    def _playbooks(self) -> dict[str, Playbook]:
        rows = Playbook.objects.only("tenant_id", "key", "name", "audience", "status")
        return {playbook.key: playbook for playbook in rows.order_by("name", "id")}

    def _of(self, playbook: Playbook, subject: Subject) -> Iterator[Field]:
        if subject is Subject.USER and playbook.audience != Playbook.Audience.USERS:
            return
        name, key = f"Playbook “{playbook.name}”", playbook.key
        state = self._values(playbook, subject, _STATE, missing="never")
        yield Field(f"playbook:{key}", name, FieldType.STATE, subject, state, STATES, group="Playbooks")
        applied = self._values(playbook, subject, _APPLIED_ON)
        yield Field(
            f"playbook_applied:{key}", f"{name} applied on", FieldType.DATE, subject, applied, group="Playbooks"
        )
        progress = self._values(playbook, subject, _PROGRESS)
        yield Field(
            f"playbook_progress:{key}", f"{name} progress (%)", FieldType.NUMBER, subject, progress, group="Playbooks"
        )

    def _values(self, playbook: Playbook, subject: Subject, value: str, *, missing: str | None = None) -> Aggregate:
        rows = _ROWS.format(id=_SUBJECT_ID[subject], value=value)
        return Aggregate(rows, subject, (("playbook", playbook.pk),), missing)
