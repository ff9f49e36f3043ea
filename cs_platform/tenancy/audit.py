"""The audit log: who changed how the workspace is set up, when, from where, and what it said before and after.

The verbs of the domain write here, in the transaction of the change itself: neither is there without the other.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from ipaddress import ip_address
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest

from .models import AuditEntry, Doer

# Every verb there is, and how people read it.
VERBS: Final[Mapping[str, str]] = {
    "api_key.issued": "API key issued",
    "api_key.revoked": "API key revoked",
    "cta_list.changed": "List of CTAs changed",
    "connector.connected": "Connector set up",
    "connector.changed": "Connector changed",
    "connector.renewed": "Connector’s secret renewed",
    "connector.tried_again": "Connector tried again",
    "connector.put_away": "Connector put away",
    "mailbox.connected": "Mailbox connected",
    "mailbox.disconnected": "Mailbox disconnected",
    "data_source.opened": "Data source opened",
    "data_source.renamed": "Data source renamed",
    "data_source.key_rotated": "Write key replaced",
    "data_source.closed": "Data source closed",
    "evaluation.asked": "Rules checked by hand",
    "evaluation.released": "Held playbook let through",
    "evaluation.dropped": "Held playbook dropped",
    "health_score.changed": "Health score changed",
    "holiday.added": "Holiday added",
    "holiday.removed": "Holiday removed",
    "invitation.sent": "Invitation sent",
    "invitation.revoked": "Invitation revoked",
    "invitation.accepted": "Invitation accepted",
    "job.started": "Job started",
    "job.cancelled": "Job cancelled",
    "lifecycle_rules.changed": "Lifecycle rules changed",
    "member.deactivated": "Member deactivated",
    "member.handed_over": "Work handed over",
    "member.reactivated": "Member reactivated",
    "member.role_changed": "Role changed",
    "nps_survey.changed": "NPS survey changed",
    "playbook.drafted": "Playbook draft begun",
    "playbook.draft_discarded": "Playbook draft discarded",
    "playbook.imported": "Playbook imported",
    "playbook.published": "Playbook published",
    "playbook.proposed": "Playbook asked to be set live",
    "playbook.not_yet": "Playbook not set live yet",
    "playbook.set_live": "Playbook set live",
    "playbook.dry_run_started": "Dry run begun",
    "playbook.dry_run_discarded": "Dry run discarded",
    "playbook.promoted": "Playbook set live after its dry run",
    "playbook.paused": "Playbook paused",
    "playbook.resumed": "Playbook resumed",
    "playbook.archived": "Playbook archived",
    "playbook.unarchived": "Playbook taken out of the archive",
    "plan_template.archived": "Plan template archived",
    "plan_template.changed": "Plan template changed",
    "plan_template.created": "Plan template created",
    "plan_template.restored": "Plan template taken out of the archive",
    "plan_type.archived": "Plan type archived",
    "plan_type.changed": "Plan type changed",
    "plan_type.created": "Plan type created",
    "plan_type.restored": "Plan type taken out of the archive",
    "segment.created": "Segment created",
    "segment.changed": "Segment changed",
    "segment.archived": "Segment archived",
    "segment.restored": "Segment taken out of the archive",
    "share_link.changed": "Share link changed",
    "share_link.made": "Share link made",
    "share_link.revoked": "Share link revoked",
    "sending_policy.changed": "Sending hours and limits changed",
    "suppression.added": "Address listed as not to be written to",
    "suppression.removed": "Address taken off the list",
    "team.archived": "Team archived",
    "team.changed": "Team changed",
    "team.created": "Team created",
    "team.restored": "Team taken out of the archive",
    "trait.changed": "Trait changed",
    "trait.defined": "Trait defined",
    "workload.changed": "Workload of a member changed",
}
COMMAND_LINE: Final = "command-line"  # whoever may run commands on the server needs no key and has no name here

_caller_address: ContextVar[str | None] = ContextVar("caller_address", default=None)


def record(
    *,
    verb: str,
    subject_type: str,
    subject_id: object,
    name: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    by: Doer | None,
    now: datetime,
    ip: str | None = None,
) -> AuditEntry:
    """Keeps what differs between before and after, as JSON; never give it a secret. Without a doer: a command."""
    assert verb in VERBS, f"{verb} is missing in VERBS."
    return AuditEntry.objects.create(
        at=now,
        actor=by.actor if by else COMMAND_LINE,
        verb=verb,
        subject_type=subject_type,
        subject_id=str(subject_id),
        detail={"name": name, **_difference(before or {}, after or {})},
        ip_address=ip or _caller_address.get(),
    )


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    same = {key for key, value in before.items() if key in after and after[key] == value}
    return {
        "before": {key: value for key, value in before.items() if key not in same},
        "after": {key: value for key, value in after.items() if key not in same},
    }


# --- from where -------------------------------------------------------------------------------------------------------


@contextmanager
def calling_from(address: str | None) -> Iterator[None]:
    """What is recorded inside came from there; a worker, which nobody calls, records no address."""
    token = _caller_address.set(address)
    try:
        yield
    finally:
        _caller_address.reset(token)


def client_address(request: HttpRequest) -> str | None:
    """The last address our own proxies vouch for: what a caller writes into the header stands before it."""
    ours = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    told = [part for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    text = told[-ours] if 0 < ours <= len(told) else request.META.get("REMOTE_ADDR", "")
    try:
        return str(ip_address(text.strip().partition("%")[0]))
    except ValueError:
        return None
