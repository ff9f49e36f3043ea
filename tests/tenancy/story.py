"""The same busy day in any workspace, its objects by name, and which of them each address and each form is about.

A new route whose address holds an id needs a line in IDS; one that takes a POST needs a body in BODIES with which it
does something. The walk in tests/test_isolation.py says so when one is missing.
"""

import json
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.csv_import.files import keep_upload
from accounts.facts import set_key_role, set_known_cause, set_parent
from accounts.key_roles import define_role
from accounts.models import (
    Account,
    AccountUser,
    Conversation,
    DataSource,
    EndUser,
    HealthMeasure,
    HealthScore,
    Indicator,
    Note,
    NpsResponse,
    ReceivedBatch,
    Segment,
    Suppression,
    TraitProblem,
)
from accounts.segments.members import add_by_hand
from cs_platform.connectors.managing import connect
from cs_platform.connectors.models import Connector, Mailbox
from cs_platform.jobs.models import Job, JobError, JobFile
from cs_platform.tenancy.clock import database_now
from cs_platform.tenancy.keys import issue_key
from cs_platform.tenancy.models import Membership, User
from cs_platform.workspace.attachments import attach
from cs_platform.workspace.comments import archive_comment, write_comment
from cs_platform.workspace.holidays import add_holiday
from cs_platform.workspace.invitations import invite
from cs_platform.workspace.models import Notification, Team, TeamMember
from cs_platform.workspace.notifications import notify
from cs_platform.workspace.saved_views import Setup, delete_view, save_view
from cs_platform.workspace.teams import archive_team
from ctas.lists import add_entry, edit_entry
from ctas.opening import open_cta
from ctas.recurring import repeat
from ctas.working import link_user
from playbooks import drafts
from playbooks.dry_runs import start_dry_run
from playbooks.enrollment import apply_by_hand
from playbooks.models import ActionRun, Approval, Enrollment, Evaluation, EvaluationRun, Playbook, Withheld
from playbooks.task_lists import apply_to_cta, remove
from playbooks.versions import import_playbook, publish
from success_plans.defining import put_away, save_template, save_type
from success_plans.planning import (
    OpenObjectives,
    activate,
    add_objective,
    add_stakeholder,
    archive_plan,
    close_plan,
    create_plan,
)
from success_plans.sharing import make_link
from tests.world import MONDAY, Workspace, account, live, playbook_json, raise_risk, task_list_json, tick, trait, user

# route name -> variable part of its address -> the object it names
IDS: Final[dict[str, dict[str, str]]] = {
    "accounts:ae": {"pk": "account"},
    "accounts:archive": {"pk": "account"},
    "accounts:archive_note": {"pk": "note"},
    "accounts:attach_note": {"pk": "note"},
    "accounts:assign": {"pk": "indicator"},
    "accounts:column": {"key": "playbook_column"},
    "accounts:comment": {"pk": "indicator"},
    "accounts:csm": {"pk": "account"},
    "accounts:detail": {"pk": "account"},
    "accounts:edit": {"pk": "account"},
    "accounts:indicator": {"pk": "indicator"},
    "accounts:known_cause": {"pk": "account"},
    "accounts:note": {"pk": "note"},
    "accounts:parent": {"pk": "account"},
    "accounts:raise": {"pk": "account"},
    "accounts:restore": {"pk": "archived_account"},
    "accounts:restore_note": {"pk": "archived_note"},
    "accounts:role": {"pk": "account", "role_id": "sponsor"},
    "accounts:settle": {"pk": "indicator"},
    "accounts:take_back": {"pk": "letter"},
    "accounts:trait": {"pk": "account", "trait_id": "stage"},
    "accounts:traits": {"pk": "account"},
    "ctas:add_task": {"pk": "cta"},
    "ctas:attach": {"pk": "cta"},
    "accounts:write": {"pk": "account"},
    "accounts:write_note": {"pk": "account"},
    "ctas:cell": {"pk": "cta"},
    "ctas:close": {"pk": "cta"},
    "ctas:comment": {"pk": "cta"},
    "ctas:detail": {"pk": "cta"},
    "ctas:edit": {"pk": "cta"},
    "ctas:edit_task": {"pk": "task"},
    "ctas:finish": {"pk": "cta"},
    "ctas:follow": {"pk": "cta"},
    "ctas:link_user": {"pk": "cta"},
    "ctas:move_due": {"pk": "task"},
    "ctas:move_task": {"pk": "task"},
    "ctas:order_tasks": {"pk": "cta"},
    "ctas:put_away": {"pk": "cta"},
    "ctas:reopen": {"pk": "closed_cta"},
    "ctas:repeat": {"pk": "cta"},
    "ctas:rhythm": {"pk": "recurring_cta"},
    "ctas:snooze": {"pk": "cta"},
    "ctas:status": {"pk": "cta"},
    "ctas:switch_task": {"pk": "task"},
    "ctas:tick": {"pk": "task"},
    "ctas:timeline": {"pk": "cta"},
    "ctas:unlink_user": {"pk": "cta", "user_id": "end_user"},
    "ctas:wake": {"pk": "snoozed_cta"},
    "connectors:act": {"pk": "connector"},
    "connectors:detail": {"pk": "connector"},
    "connectors:disconnect": {"pk": "mailbox"},
    "connectors:renew": {"pk": "connector"},
    "dashboard:delete-view": {"pk": "view"},
    "dashboard:edit-view": {"pk": "view"},
    "dashboard:keep-view": {"pk": "view"},
    "dashboard:keep-columns": {"pk": "view"},
    "dashboard:restore-view": {"pk": "deleted_view"},
    "dashboard:remove-holiday": {"pk": "holiday"},
    "dashboard:archive-team": {"pk": "team"},
    "dashboard:change-role": {"pk": "tom"},
    "dashboard:deactivate-member": {"pk": "tom"},
    "dashboard:invite-again": {"pk": "invitation"},
    "dashboard:member": {"pk": "tom"},
    "dashboard:reactivate-member": {"pk": "left"},
    "dashboard:restore-team": {"pk": "archived_team"},
    "dashboard:revoke-invitation": {"pk": "invitation"},
    "dashboard:revoke-key": {"pk": "api_key"},
    "dashboard:team": {"pk": "team"},
    "imports:detail": {"pk": "csv_import"},
    "jobs:cancel": {"pk": "running_job"},
    "jobs:detail": {"pk": "job"},
    "jobs:file": {"pk": "export_job"},
    "jobs:strip": {"pk": "job"},
    "jobs:undo": {"pk": "job"},
    "plan_settings:archive_template": {"pk": "plan_template"},
    "plan_settings:archive_type": {"pk": "plan_type"},
    "plan_settings:restore_template": {"pk": "archived_plan_template"},
    "plan_settings:restore_type": {"pk": "archived_plan_type"},
    "plan_settings:template": {"pk": "plan_template"},
    "plan_settings:type": {"pk": "plan_type"},
    "plans:activate": {"pk": "plan"},
    "plans:archive": {"pk": "plan"},
    "plans:answer": {"pk": "plan"},
    "plans:attach": {"pk": "plan"},
    "plans:close": {"pk": "active_plan"},
    "plans:comment": {"pk": "plan"},
    "plans:detail": {"pk": "plan"},
    "plans:edit": {"pk": "plan"},
    "plans:edit_link": {"pk": "share_link"},
    "plans:edit_objective": {"pk": "objective"},
    "plans:give": {"pk": "objective"},
    "plans:join": {"pk": "plan"},
    "plans:join_from_cta": {"pk": "cta"},
    "plans:leave": {"pk": "objective"},
    "plans:links": {"pk": "plan"},
    "plans:move": {"pk": "objective"},
    "plans:new_link": {"pk": "plan"},
    "plans:new_objective": {"pk": "plan"},
    "plans:new_stakeholder": {"pk": "plan"},
    "plans:preview_link": {"pk": "share_link"},
    "plans:remove_stakeholder": {"pk": "stakeholder"},
    "plans:reopen": {"pk": "closed_plan"},
    "plans:restore": {"pk": "archived_plan"},
    "plans:revoke_link": {"pk": "share_link"},
    "plans:schedule": {"pk": "objective"},
    "plans:schedule_plan": {"pk": "plan"},
    "plans:withdraw": {"pk": "active_plan"},
    "segments:add": {"pk": "empty_segment"},
    "segments:archive": {"pk": "segment"},
    "segments:detail": {"pk": "segment"},
    "segments:edit": {"pk": "segment"},
    "segments:remove": {"pk": "segment"},
    "segments:restore": {"pk": "archived_segment"},
    "segments:suggest": {"pk": "segment"},
    "health:archive_score": {"pk": "score"},
    "health:edit_measure": {"pk": "measure"},
    "health:edit_score": {"pk": "score"},
    "health:new_measure": {"pk": "score"},
    "health:preview_measure": {"pk": "score"},
    "health:remove_measure": {"pk": "measure"},
    "health:restore_score": {"pk": "archived_score"},
    "playbooks:apply": {"pk": "account"},
    "playbooks:apply_to_cta": {"pk": "snoozed_cta"},
    "playbooks:edit_task_list": {"pk": "task_list"},
    "playbooks:put_back": {"pk": "removed_list"},
    "playbooks:remove": {"pk": "applied_list"},
    "playbooks:replace": {"pk": "applied_list"},
    "playbooks:task_list": {"pk": "task_list"},
    "playbooks:detail": {"pk": "playbook"},
    "playbooks:draft_actions": {"pk": "other_playbook"},
    "playbooks:draft_add": {"pk": "other_playbook"},
    "playbooks:draft_arrange": {"pk": "other_playbook"},
    "playbooks:draft_ask": {"pk": "other_playbook"},
    "playbooks:draft_discard": {"pk": "other_playbook"},
    "playbooks:draft_not_yet": {"pk": "other_playbook"},
    "playbooks:draft_overview": {"pk": "other_playbook"},
    "playbooks:draft_publish": {"pk": "other_playbook"},
    "playbooks:draft_review": {"pk": "other_playbook"},
    "playbooks:approval": {"pk": "approval"},
    "playbooks:draft_rules": {"pk": "other_playbook"},
    "playbooks:draft_standing": {"pk": "other_playbook"},
    "playbooks:draft_try": {"pk": "other_playbook"},
    "playbooks:draft_variables": {"pk": "other_playbook"},
    "playbooks:draft_weekends": {"pk": "other_playbook"},
    "playbooks:duplicate": {"pk": "playbook"},
    "playbooks:edit": {"pk": "playbook"},
    "playbooks:export": {"pk": "playbook"},
    "playbooks:restore": {"pk": "playbook"},
    "playbooks:enrollments": {"pk": "playbook"},
    "playbooks:evaluations": {"pk": "playbook"},
    "playbooks:history": {"pk": "enrollment"},
    "playbooks:put_away": {"pk": "playbook"},
    "traits:lift": {"pk": "suppression"},
    "traits:edit_workload": {"pk": "tom"},
    "playbooks:review": {"pk": "conversation"},
    "playbooks:settle": {"run_id": "dead_run"},
    "playbooks:settle_check": {"pk": "evaluation"},
    "playbooks:stop": {"pk": "enrollment"},
    "playbooks:move": {"pk": "moved_playbook"},
    "playbooks:stop_all": {"pk": "playbook"},
    "playbooks:end_dry_run": {"pk": "dry_playbook"},
    "playbooks:switch": {"pk": "playbook"},
    "playbooks:versions": {"pk": "playbook"},
    "sources:clear": {"pk": "source"},
    "sources:close": {"pk": "source"},
    "sources:detail": {"pk": "source"},
    "sources:retry": {"pk": "source"},
    "sources:rotate": {"pk": "source"},
    "traits:column": {"pk": "stage"},
    "traits:detail": {"pk": "stage"},
    "traits:rename_role": {"pk": "sponsor"},
    "traits:switch": {"pk": "stage"},
    "traits:switch_role": {"pk": "sponsor"},
    "traits:type": {"pk": "stage"},
    "workspace:archive_comment": {"pk": "comment"},
    "workspace:attachment": {"pk": "attachment"},
    "workspace:edit_comment": {"pk": "comment"},
    "workspace:mark": {"pk": "notification"},
    "workspace:restore_comment": {"pk": "archived_comment"},
    "workspace:settle_attachment": {"pk": "attachment"},
    "users:archive": {"pk": "end_user"},
    "users:column": {"key": "trait_column"},
    "users:detail": {"pk": "end_user"},
    "users:edit": {"pk": "end_user"},
    "users:leave": {"pk": "end_user", "account_id": "account"},
    "users:place": {"pk": "end_user"},
    "users:restore": {"pk": "archived_user"},
    "users:key_contact": {"pk": "end_user", "account_id": "account"},
    "users:trait": {"pk": "end_user", "trait_id": "mood"},
}
# basename of an endpoint -> the object it is about
API_IDS: Final[dict[str, str]] = {
    "api-account": "account",
    "api-approval": "approval",
    "api-attachment": "attachment",
    "api-comment": "comment",
    "api-conversation": "conversation",
    "api-suppression": "suppression",
    "api-workload": "tom",
    "api-data-source": "source",
    "api-connector": "connector",
    "api-mailbox": "mailbox",
    "api-cta": "cta",
    "api-enrollment": "enrollment",
    "api-evaluation": "evaluation",
    "api-evaluation-run": "evaluation_run",
    "api-import": "csv_import",
    "api-indicator": "indicator",
    "api-job": "job",
    "api-key-role": "sponsor",
    "api-member": "priya",
    "api-team": "team",
    "api-invitation": "invitation",
    "api-note": "note",
    "api-nps-response": "nps_response",
    "api-objective": "objective",
    "api-plan": "plan",
    "api-plan-template": "plan_template",
    "api-plan-type": "plan_type",
    "api-share-link": "share_link",
    "api-playbook": "playbook",
    "api-health-score": "score",
    "api-holiday": "holiday",
    "api-notification": "notification",
    "api-run": "dead_run",
    "api-segment": "segment",
    "api-task": "task",
    "api-trait": "stage",
    "api-user": "end_user",
    "api-view": "view",
}
# drawer -> the object its parameter names (settings.DRAWERS)
DRAWN: Final[dict[str, str]] = {
    "changes": "account",
    "cta": "cta",
    "history": "enrollment",
    "indicator": "indicator",
    "user_changes": "end_user",
}


class Upload(SimpleUploadedFile):
    """Sent again and again, always from its beginning."""

    def read(self, *args: Any) -> bytes:
        self.seek(0)
        return super().read(*args)


class Id(str):
    """In a body: the id of the object of this name. As a field's name: "trait-" and so on before the id."""


def _typed_rule(name: str) -> dict[str, str]:
    """What the rule editor of that name sends for “Plan is Gone”."""
    return {f"{name}:mode": "all", f"{name}:0:field": "plan", f"{name}:0:op": "is", f"{name}:0:value": "Gone"}


def _fields(name: str) -> dict[str, str]:
    """A type of plans without fields of its own."""
    return {"name": name, "formula": "tasks", "categories": "", "fields-TOTAL_FORMS": "0", "fields-INITIAL_FORMS": "0"}


def _outline(name: str) -> dict[str, Any]:
    """A template of plans with one objective."""
    counts = {"objectives-TOTAL_FORMS": "1", "objectives-INITIAL_FORMS": "0"}
    return {"name": name, "type": Id("plan_type"), "objectives-0-name": "Go live", **counts}


# route name -> what is sent. Objects stand by name, so that the walk can put another workspace's in their place.
BODIES: Final[dict[str, dict[str, Any]]] = {
    "imports:detail": {"to-0": "external_id", "to-1": "fact:name", "step": "check"},
    "imports:list": {"scope": "account", "file": Upload("a.csv", b"id,name\n1,A\n")},
    "accounts:export": {"query": "status=any", "bom": "on"},
    "accounts:bulk": {
        "ids": Id("account"),
        "verb": "assign",
        "bulk-role": "csm",
        "bulk-member": Id("tom"),
        "step": "run",
    },
    "users:export": {"query": "", "bom": "on"},
    "users:bulk": {
        "ids": Id("end_user"),
        "verb": "set_trait",
        "bulk-trait": "mood",
        "bulk-value": "good",
        "step": "run",
    },
    "ctas:add_task": {"title": "Dial", "description": "Twice", "due_on": "2026-12-01", "owner": Id("priya")},
    "accounts:new": {
        "name": "Newcomer",
        "external_id": "",
        "lifecycle": "trialing",
        "plan": "Pro",
        "mrr": "1200.50",
        "renewal_on": "2199-01-31",
        "csm": Id("priya"),
        "ae": Id("tom"),
    },
    "users:new": {
        "name": "Ann Newcomer",
        "email": "ann.newcomer@customer.example",
        "account": "harbourline-of-orbiton",
        "role": "admin",
        "external_id": "",
    },
    "accounts:edit": {
        "name": "Harbourline Group",
        "lifecycle": "subscribed",
        "plan": "Scale",
        "mrr": "1200.50",
        "renewal_on": "2199-01-31",
        "trial_end_on": "",
        "timezone": "Europe/Berlin",
    },
    "users:edit": {"name": "Ann Falk", "email": "ann.falk@customer.example"},
    "users:place": {"account": "harbourline-of-orbiton", "role": "sponsor"},
    "accounts:attach_note": {"files": Upload("minutes.txt", b"They moved")},
    "ctas:attach": {"files": Upload("minutes.txt", b"They called back")},
    "cta_lists:edit": {
        "kind": "status",
        "key": "common",
        "name": "Renamed",
        "tone": "info",
        "icon": "flag",
        "category": "open",
    },
    "cta_lists:list": {"name": "Made", "tone": "info", "icon": "flag", "category": "open"},
    "cta_lists:order": {"kind": "reason", "key": "common"},
    "cta_lists:switch": {"kind": "priority", "key": "common", "verb": "archive"},
    "ctas:bulk": {"ids": Id("cta"), "verb": "assign", "bulk-owner": Id("tom"), "step": "run"},
    "ctas:bulk_tasks": {"ids": Id("task"), "verb": "assign", "bulk-owner": Id("tom"), "step": "run"},
    "ctas:comment": {"body": "They called back"},
    "ctas:edit": {"owner": Id("priya"), "due_on": "2026-12-01"},
    "ctas:edit_task": {"title": "Ring", "description": "Twice", "owner": Id("priya")},
    "ctas:finish": {"stage": "won", "cancel_tasks": "on"},
    "ctas:follow": {"was": Id("tom")},
    "ctas:link_user": {"user": "u-cy"},
    "ctas:move_due": {"due_on": "2026-12-01"},
    "ctas:order_tasks": {"task": Id("second_task")},
    "ctas:repeat": {"every": "2", "unit": "week", "begins": "closed"},
    "ctas:status": {"stage": "in_progress"},
    "ctas:new": {
        "name": "Ring",
        "account": "harbourline-of-orbiton",
        "type": "risk",
        "priority": "high",
        "owner": Id("priya"),
    },
    "ctas:snooze": {"until": "2036-12-01", "reason": "Away"},
    "connectors:detail": {"name": "Renamed", "url": "https://hooks.example.com/other"},
    "connectors:list": {
        "kind": "webhook",
        "name": "Our hook",
        "key": "hook",
        "url": "https://hooks.example.com/in",
        "secret": "",
    },
    "connectors:renew": {"secret": ""},
    "accounts:ae": {"member": Id("priya")},
    "accounts:archive": {"playbooks": "leave"},
    "accounts:assign": {"assignee": Id("tom")},
    "accounts:comment": {"body": "What now?"},
    "accounts:csm": {"member": Id("tom")},
    "accounts:known_cause": {"cause": "They moved house", "until": "2199-01-31"},
    "accounts:note": {"body": "They moved twice"},
    "accounts:parent": {"parent": Id("holding")},
    "accounts:raise": {"kind": "risk", "title": "Quiet", "note": "", "assignee": Id("tom")},
    "accounts:role": {"member": Id("tom")},
    "accounts:trait": {"trait-{stage}": "Kick-off"},
    "accounts:traits": {"trait-{stage}": "Kick-off", "trait-{guide}": Id("priya")},
    "accounts:write": {
        "hand_id": "0198f0a0-0000-7000-8000-000000000001",
        "to": Id("end_user"),
        "sender": Id("priya"),
        "channel": "smtp",
        "subject": "Hello",
        "body": "Shall we talk?",
        "when": "now",
    },
    "accounts:write_note": {"body": "They moved"},
    "traits:column": {"column": "plan"},
    "traits:detail": {"label": "Phase", "description": "How far they are"},
    "traits:new": {"scope": "account", "label": "Size", "key": "size", "type": "number", "choices": ""},
    "traits:rename_role": {"name": "Godmother"},
    "traits:roles": {"name": "Godfather"},
    "traits:type": {"type": "list"},
    "users:trait": {"trait-{mood}": "good"},
    "dashboard:api-keys": {"name": "Nightly sync", "scopes": "read"},
    "dashboard:change-role": {"role": "manager"},
    "dashboard:deactivate-member": {"to": Id("priya")},
    "dashboard:members": {"email": "new@orbiton.example", "role": "csm", "team": Id("team")},
    "dashboard:profile": {"name": "Renamed", "theme": "dark", "density": "compact", "timezone": "Europe/Berlin"},
    "dashboard:team": {"name": "Renamed", "members": Id("priya"), "leads": Id("priya")},
    "dashboard:teams": {"name": "Another team"},
    "dashboard:holidays": {"on": "2027-01-01", "name": "New Year’s Day"},
    "workspace:edit_comment": {"body": "I call tomorrow"},
    "workspace:notification_choices": {"in_app-mention": "on", "mail-mention": "daily"},
    "dashboard:preferences": {"theme": "dark", "density": "compact"},
    "dashboard:edit-view": {"name": "Renamed", "shared": "on"},
    "dashboard:new-view": {"name": "Kept", "shared": "on"},
    "nps:survey": {
        "is_on": "on",
        "question": "Would you?",
        "follow_up": "Why?",
        "thanks": "Thanks",
        "accent": "#aa0011",
        "position": "left",
        "appearance": "dark",
        "origins": "https://app.example.com",
        "min_user_age_days": "1",
        "months_between": "2",
        "max_showings": "3",
    },
    "plan_settings:new_template": _outline("Made"),
    "plan_settings:new_type": _fields("Made"),
    "plan_settings:template": _outline("Renamed"),
    "plan_settings:type": _fields("Renamed"),
    "plans:answer": {"body": "We are on it"},
    "plans:attach": {"files": Upload("goals.txt", b"What they want")},
    "plans:close": {"objectives": "keep"},
    "plans:comment": {"body": "Well done"},
    "plans:edit": {"name": "Renamed", "owner": Id("tom"), "due_on": "2027-01-29"},
    "plans:edit_link": {"name": "Board", "parts": "name"},
    "plans:edit_objective": {"name": "Renamed", "weight": "2", "owner": Id("tom")},
    "plans:give": {"task": Id("objective_task"), "stakeholder": Id("stakeholder")},
    "plans:join": {"cta": Id("cta"), "category": "Adoption"},
    "plans:join_from_cta": {"plan": Id("plan")},
    "plans:new": {"name": "Grow", "account": "harbourline-of-orbiton", "owner": Id("priya")},
    "plans:new_link": {"name": "Ines", "days": "30", "parts": "progress"},
    "plans:new_objective": {"name": "Grow", "weight": "1", "owner": Id("priya")},
    "plans:new_stakeholder": {"end_user": Id("end_user"), "role": "Sponsor"},
    "plans:schedule": {"due_on": "2027-01-08"},
    "plans:schedule_plan": {"due_on": "2027-01-29"},
    "segments:add": {"subject": Id("account")},
    "segments:edit": {"name": "Renamed", "description": ""},
    "segments:new": {"name": "Made", "description": ""},
    "segments:remove": {"subject": Id("account")},
    "health:edit_measure": {"name": "Renamed", "weight": "2", "when_unknown": "poor", **_typed_rule("healthy")},
    "health:edit_score": {"name": "Renamed", "weight": "2"},
    "health:lifecycles": _typed_rule("churned"),
    "health:new_measure": {"name": "Made", "weight": "1", "when_unknown": "leave_out", **_typed_rule("healthy")},
    "health:new_score": {"name": "Made", "weight": "1"},
    "playbooks:approval": {"verb": "approve", "note": "Go on"},
    "playbooks:apply": {"playbook": Id("other_playbook"), "end_user": ""},
    "playbooks:apply_to_cta": {"playbook": Id("task_list")},
    "playbooks:edit_task_list": {"name": "Checklist", "tasks-0-title": "Dial", "tasks-0-day": "3"},
    "playbooks:new_task_list": {"name": "Checklist", "tasks-0-title": "Dial", "tasks-0-day": "3"},
    "playbooks:replace": {"playbook": Id("other_list")},
    "playbooks:draft_actions": {"title": "Else", "step-day": "4"},
    "playbooks:draft_add": {"action": "create_indicator"},
    "playbooks:draft_arrange": {"step": "risk"},
    "playbooks:draft_overview": {"name": "Renamed"},
    "playbooks:draft_publish": {"brake_limit": "40"},
    "playbooks:draft_review": {"brake_limit": "40"},
    "playbooks:draft_rules": _typed_rule("account")
    | _typed_rule("outcome")
    | {"outcome_name": "Renewed", "outcome_days": "30", "holdout": "10"},
    "playbooks:draft_weekends": {"skip_weekends": "on"},
    "playbooks:import": {"text": json.dumps(playbook_json("imported")), "step": "import"},
    "playbooks:new": {"name": "Made"},
    "playbooks:restore": {"version": "1"},
    "playbooks:put_away": {"stop": "on"},
    "traits:sending": {"opens_at": "7", "closes_at": "19", "mails_an_hour": "30", "hours_between": "2"},
    "traits:suppress": {"email": "never@customer.example"},
    "traits:edit_workload": {"capacity": "40"},
    "playbooks:inbox": {"verb": "cancel", "ids": Id("conversation")},
    "playbooks:review": {"subject": "Another subject", "body": "Another text", "verb": "save"},
    "playbooks:stop": {"note": "Enough", "shown": Id("applied_run")},
    "playbooks:stop_all": {"note": "Enough", "ids": Id("enrollment")},
    "playbooks:end_dry_run": {"how": "restart"},
    "playbooks:move": {"passed": "run"},
    "playbooks:zones": {},
    "playbooks:bulk": {"ids": Id("enrollment"), "verb": "retry_failed", "step": "run"},
    "sources:list": {"name": "Another website"},
}

Story = dict[str, Any]
_MANY_USERS = {"field": "user_count", "op": "at_least", "value": 10}


def tell(home: Workspace, *, mark: str) -> Story:
    """Inside the workspace's context. `mark` is in everything a person could read: seeing it elsewhere is a leak."""
    for member in home.people.values():
        Membership.objects.filter(pk=member.pk).update(name=f"{member.name} {mark}")
    traits = {"stage": trait("stage", label=f"Stage {mark}"), "guide": trait("guide", "person", label=f"Guide {mark}")}
    traits["mood"] = trait("mood", scope="user", label=f"Mood {mark}")
    own = trait(f"shoe_of_{home.tenant.slug}", scope="user")
    at = _account(f"Harbourline {mark}", home)
    person = user(f"Ben {mark}", at)
    objects = {"account": at, "end_user": person, **home.people, **traits, "trait_column": f"trait:{own.key}"}
    objects |= {"source": _source(home, mark), "connector": _connector(home, mark)}
    objects |= {"mailbox": _mailbox(home, mark)}
    objects["archived_account"] = account(f"Former {mark}", archived_at=MONDAY)
    objects["archived_user"] = user(f"Gone {mark}", archived_at=MONDAY)
    return (
        objects
        | _playbooks(home, at, mark)
        | _work(home, at, person, mark)
        | _jobs(home, mark)
        | _answers(at, person, mark)
        | _sayings(home, at, mark)
        | _plans(home, at, person, mark)
        | _segments(home, at, mark)
    )


def _source(home: Workspace, mark: str) -> DataSource:
    """With calls that were set aside, and problems of its own and of exports."""
    source, _ = DataSource.open(name=f"Website {mark}", by=home.olga, now=MONDAY)
    kept = {"calls": 1, "body": b"", "failed_at": MONDAY, "error": f"ValueError: {mark}"}
    ReceivedBatch.objects.create(source=source, received_at=MONDAY, **kept)
    wrong = {"scope": "account", "key": "seats", "outcome": "refused", "reason": "not a number", "sample": mark}
    for name in (source.actor, "import"):
        TraitProblem.objects.create(source=name, count=1, first_at=MONDAY, last_at=MONDAY, **wrong)
    return source


def _connector(home: Workspace, mark: str) -> Connector:
    """One that refuses us, so that there is something to try again."""
    parts = {"kind": "webhook", "key": "hooks", "name": f"Hooks {mark}"[:100], "url": "https://hooks.example.com/in"}
    connector, _ = connect(by=home.olga, now=MONDAY, **parts)
    Connector.objects.update(state="needs_reauth", state_reason=f"It said {mark}")
    connector.refresh_from_db()
    return connector


def _mailbox(home: Workspace, mark: str) -> Mailbox:
    said = {"email": f"olga@{mark}.example", "state": "needs_reauth", "state_reason": f"It said {mark}"}
    return Mailbox.objects.create(member=home.olga, sealed="nothing", connected_at=MONDAY, **said)


def _account(name: str, home: Workspace) -> Account:
    facts = {
        "external_id": f"harbourline-of-{home.tenant.slug}",
        "plan": "Pro",
        "csm": home.priya,
        "ae": home.tom,
        "renewal_on": MONDAY.date(),
        "mrr_cents": 100_000,
    }
    return account(name, traits={"stage": name, "guide": home.priya.pk}, t01=name, m01=home.priya.pk, **facts)


def _segments(home: Workspace, at: Account, mark: str) -> Story:
    more = {"scope": "account", "created_at": MONDAY}
    segment = Segment.objects.create(name=f"Strategic {mark}", description=f"Ours {mark}", **more)
    add_by_hand(segment=segment, subjects=[at.pk], by=home.priya, now=MONDAY)
    score = HealthScore.objects.create(name=f"Usage {mark}", created_at=MONDAY)
    return {
        "score": score,
        "measure": HealthMeasure.objects.create(score=score, name=f"Users {mark}", healthy=_MANY_USERS),
        "archived_score": HealthScore.objects.create(name=f"Past {mark}", created_at=MONDAY, archived_at=MONDAY),
        "segment": segment,
        "empty_segment": Segment.objects.create(name=f"Beta {mark}", **more),
        "archived_segment": Segment.objects.create(name=f"Past {mark}", archived_at=MONDAY, **more),
    }


def _playbooks(home: Workspace, at: Account, mark: str) -> Story:
    steps = [
        raise_risk(1, title=f"At risk {mark}"),
        raise_risk(3, key="dead", title=f"Dead {mark}"),
        raise_risk(9, key="later", title=f"Later {mark}"),
        raise_risk(1, key="asks", title=f"Asks {mark}", approval={"by": "csm", "within_days": 9, "otherwise": "skip"}),
    ]
    playbook = live(playbook_json("rescue", name=f"Rescue {mark}", steps=steps), by=home.olga)
    other = live(playbook_json("other", name=f"Other {mark}", steps=[raise_risk(5)]), by=home.olga)
    draft = drafts.revise(other, by=home.olga, now=MONDAY)
    draft.asked_at, draft.asked_by, draft.asked_note = MONDAY, home.maya, f"Asked {mark}"
    draft.save(update_fields=["asked_at", "asked_by", "asked_note"])
    _move_on(home, at, mark)
    dry = import_playbook(playbook_json("dry", name=f"Dry {mark}"), by=home.olga, now=MONDAY)
    start_dry_run(dry, by=home.olga, now=MONDAY)
    enrollment = apply_by_hand(playbook=playbook, account=at, by=home.olga.actor, now=MONDAY)
    Withheld.objects.create(playbook=playbook, version=playbook.version, account=at, matched_at=MONDAY)
    tick(now=MONDAY)
    runs = {run.step.key: run for run in ActionRun.objects.select_related("step").filter(enrollment=enrollment)}
    _kill(runs["dead"])
    held = _held_evaluation(playbook)
    return {
        "playbook": playbook,
        "playbook_column": f"playbook:{playbook.pk}",
        "other_playbook": other,
        "dry_playbook": dry,
        "moved_playbook": Playbook.objects.get(key="moved"),
        "enrollment": Enrollment.objects.get(pk=enrollment.pk),
        "applied_run": runs["risk"],
        "dead_run": runs["dead"],
        "approval": Approval.objects.get(run_id=runs["asks"].pk),
        "evaluation": held,
        "evaluation_run": held.run,
    }


def _jobs(home: Workspace, mark: str) -> Story:
    verb = {"verb": "assign", "config": {"role": "csm", "member": home.tom.pk}, "selection": {"ids": []}}
    common = {"kind": "bulk_edit", "params": verb, "actor": home.priya.actor, "member": home.priya}
    common |= {"created_at": MONDAY, "started_at": MONDAY}
    done = {"state": "done", "finished_at": database_now()}  # lately enough to be undone, and fetched
    job = Job.objects.create(title=f"Make Tom the CSM {mark}", failed=1, **common, **done)
    JobError.objects.create(job=job, position=1, subject=f"Seven {mark}", message=f"Not {mark}")
    export = Job.objects.create(title=f"Export {mark}", **common | {"kind": "export_accounts"}, **done)
    JobFile.objects.create(job=export, position=0, content=f"Name\r\n{mark}\r\n".encode())
    upload = keep_upload(
        [f"id,name\n1,{mark}\n".encode()], scope="account", file_name=f"{mark}.csv", by=home.maya, now=MONDAY
    )
    running = Job.objects.create(title=f"Make Tom the AE {mark}", **common)
    return {"job": job, "export_job": export, "running_job": running, "csv_import": upload}


def _kill(run: ActionRun) -> None:
    rows = ActionRun.objects.filter(pk=run.pk)
    rows.update(state="running", lease_token=uuid4(), lease_until=MONDAY)
    rows.update(state="dead", lease_token=None, lease_until=None, settled_at=MONDAY, reason="It failed.")


def _move_on(home: Workspace, at: Account, mark: str) -> None:
    """It runs on a version that is not the latest, in a time zone that is not the workspace's any more."""
    by: dict[str, Any] = {"by": home.olga, "now": MONDAY}
    versions = [playbook_json("moved", name=f"Moved {mark}", steps=[raise_risk(day)]) for day in (9, 10)]
    moved = live(versions[0], by=home.olga)
    apply_by_hand(playbook=moved, account=at, by=home.olga.actor, now=MONDAY)
    Enrollment.objects.filter(playbook=moved).update(timezone="Asia/Tokyo")
    publish(import_playbook(versions[1], **by), **by)


def _held_evaluation(playbook: Any) -> Evaluation:
    run = EvaluationRun.objects.create(
        trigger="manual", local_date=MONDAY.date(), started_at=MONDAY, finished_at=MONDAY + timedelta(minutes=1)
    )
    counts = {"matched": 900, "would_enroll": 900, "limit": 25}
    return Evaluation.objects.create(run=run, playbook=playbook, version=playbook.version, state="held", **counts)


def _work(home: Workspace, at: Account, person: EndUser, mark: str) -> Story:
    AccountUser.objects.update(is_key_contact=True)
    more = {"account": at, "type": "risk", "by": home.olga, "now": MONDAY, "owner": home.priya, "end_user": person}
    cta = open_cta(name=f"Call {mark}", comment=f"Urgent {mark}", **more)
    closed = open_cta(name=f"Called {mark}", **more)
    closed.close(status="won", by=home.priya, now=MONDAY)
    snoozed = open_cta(name=f"Waits {mark}", **more)
    snoozed.snooze(until=MONDAY.date() + timedelta(days=3650), reason=f"Away {mark}", by=home.priya, now=MONDAY)
    recurring = open_cta(name=f"Again {mark}", **more)
    repeat(recurring, every=1, unit="week", begins="closed", today=MONDAY.date(), by=home.priya, now=MONDAY)
    user(f"Cy {mark}", at, external_id="u-cy")
    link_user(recurring, EndUser.objects.get(external_id="u-cy"), by=home.priya, now=MONDAY)
    for kind, more_of in {
        "type": {"icon": "flag"},
        "reason": {},
        "priority": {},
        "status": {"category": "open"},
    }.items():
        add_entry(kind, name="common", by=home.olga, now=MONDAY, **more_of)
        edit_entry(kind, "common", name=f"Common {mark}", by=home.olga, now=MONDAY)
    lists = _task_lists(home, cta, snoozed, mark)
    write_comment(subject=f"cta:{cta.pk}", body=f"Heard {mark}", by=home.priya, now=MONDAY)
    view = {"page": "accounts", "setup": Setup("csm=me", {}), "owner": home.olga, "is_shared": True, "now": MONDAY}
    deleted = save_view(name=f"Gone {mark}", **view)
    delete_view(deleted, now=MONDAY)
    draft = {"subject": f"Hello {mark}", "body": f"Dear {mark}", "to_email": "ben@customer.example"}
    moments = {"send_at": MONDAY + timedelta(days=9), "created_at": MONDAY}
    return {
        "cta": cta,
        "closed_cta": closed,
        "recurring_cta": recurring,
        "snoozed_cta": snoozed,
        "view": save_view(name=f"Mine {mark}", **view),
        "deleted_view": deleted,
        "task": cta.add_task(title=f"Dial {mark}", by=home.priya, now=MONDAY),
        "second_task": cta.add_task(title=f"Write {mark}", by=home.priya, now=MONDAY),
        "indicator": Indicator.raise_on(at, kind="risk", title=f"Silent {mark}", by=home.priya, now=MONDAY),
        "suppression": Suppression.objects.create(email=f"bounced{mark}@x.example", reason="bounced", since=MONDAY),
        "conversation": Conversation.objects.create(account=at, end_user=person, sender=home.priya, **draft, **moments),
        "letter": Conversation.objects.create(
            account=at,
            end_user=person,
            sender=home.priya,
            hand_id=uuid4(),
            written_by=home.priya.actor,
            **(draft | {"subject": f"By hand {mark}"}),
            **moments,
        ),
        **lists,
    }


def _task_lists(home: Workspace, cta: Any, other: Any, mark: str) -> Story:
    """One is applied to the first CTA, and was removed from the other."""
    lists = {
        name: live(task_list_json(name.replace("_", "-"), name=f"{name} {mark}", tasks=[{"title": mark, "day": 2}]))
        for name in ("task_list", "other_list")
    }
    applied, removed = (apply_to_cta(lists["task_list"], at, by=home.priya, now=MONDAY) for at in (cta, other))
    remove(removed, by=home.priya, now=MONDAY)
    return {**lists, "applied_list": applied, "removed_list": removed}


def _answers(at: Account, person: EndUser, mark: str) -> Story:
    said = {"score": 9, "comment": f"Splendid {mark}", "answered_at": MONDAY, "source": "survey"}
    return {"nps_response": NpsResponse.objects.create(account=at, end_user=person, **said)}


def _plans(home: Workspace, at: Account, person: EndUser, mark: str) -> Story:
    """A draft with everything in it, and one of every other state."""
    by: dict[str, Any] = {"by": home.priya, "now": MONDAY}
    fields = [{"label": f"Wish {mark}"}]
    type = save_type(None, name=f"Type {mark}", formula="tasks", categories=[f"Go {mark}"], fields=fields, **by)
    archived_type = save_type(None, name=f"Old {mark}", formula="tasks", categories=[], fields=[], **by)
    put_away(archived_type, **by)
    definition = {"objectives": [{"name": f"Line {mark}", "tasks": [{"title": f"Step {mark}"}]}]}
    outline = save_template(None, name=f"Template {mark}", type=type, definition=definition, **by)
    made = {"account": at, "type": type, "owner": home.priya, "highlights": f"Well {mark}", **by}
    archived_outline = save_template(None, name=f"Old {mark}", type=type, definition={}, **by)
    put_away(archived_outline, **by)
    plans = {name: create_plan(name=f"Plan {name} {mark}", **made) for name in ("plan", "active", "closed", "archived")}
    own = {"name": f"Objective {mark}", "category": f"Go {mark}", "owner": home.priya, "due_on": MONDAY.date()}
    first, second = (add_objective(plans["plan"], **own, **by) for _ in range(2))
    for name in ("active", "closed"):
        activate(plans[name], **by)
    close_plan(plans["closed"], objectives=OpenObjectives.KEEP, **by)
    archive_plan(plans["archived"], **by)
    write_comment(subject=plans["plan"].subject, body=f"Heard {mark}", **by)
    parts = ["name", "highlights", "stakeholders", "people"]
    return {
        "plan_type": type,
        "archived_plan_type": archived_type,
        "plan_template": outline,
        "archived_plan_template": archived_outline,
        "plan": plans["plan"],
        **{f"{name}_plan": plans[name] for name in ("active", "closed", "archived")},
        "objective": second,
        "first_objective": first,
        "objective_task": second.cta.add_task(title=f"Pack {mark}", **by),
        "stakeholder": add_stakeholder(plans["plan"], name=f"Ines {mark}", role=f"VP {mark}", **by),
        "share_link": make_link(plans["plan"], name=f"Board {mark}", parts=parts, **by)[0],
    }


def _sayings(home: Workspace, at: Account, mark: str) -> Story:
    """What people wrote down, and whom the account belongs to."""
    archived = Note.write(at, body=f"Wrong {mark}", by=home.olga, now=MONDAY)
    archived.archive(now=MONDAY)
    indicator = Indicator.objects.filter(account=at).latest("pk")
    holding, sponsor = account(f"Holding {mark}"), define_role(f"Sponsor {mark}")
    set_parent(at, parent=account(f"Group {mark}"), by=home.olga, now=MONDAY)
    set_key_role(at, sponsor, member=home.priya, by=home.olga, now=MONDAY)
    set_known_cause(at, cause=f"Moving {mark}", until=MONDAY.date(), by=home.olga, now=MONDAY)
    note = Note.write(at, body=f"They moved {mark}", by=home.olga, now=MONDAY)
    said = {"subject": indicator.subject, "about": indicator.title, "url": indicator.get_absolute_url()}
    gone = write_comment(body=f"Wrong {mark}", by=home.olga, now=MONDAY, **said)
    archive_comment(gone, by=home.olga, now=MONDAY)
    notify(members=[home.olga], kind="failure", text=f"Failed {mark}", url=said["url"], by=home.priya, now=MONDAY)
    file = {"name": f"{mark}.txt", "content": mark.encode(), "by": home.olga, "now": MONDAY}
    return {
        "note": note,
        "archived_note": archived,
        "comment": write_comment(body=f"I call @{home.priya.email} {mark}", by=home.olga, now=MONDAY, **said),
        "archived_comment": gone,
        "notification": Notification.objects.get(member=home.olga),
        "attachment": attach(subject=note.subject, **file),
        **_team(home, mark),
        "holiday": add_holiday(on=MONDAY.date(), name=f"Day of {mark}", by=home.olga, now=MONDAY),
        "holding": holding,
        "sponsor": sponsor,
    }


def _team(home: Workspace, mark: str) -> Story:
    """Teams with people whose work reaches no further than before, somebody who left, somebody who may come."""
    gone = User.objects.create_user(email=f"gone@{home.tenant.slug}.example", name=f"Gone {mark}")
    known = {"user": gone, "email": gone.email, "name": gone.name, "role": "csm", "joined_at": MONDAY}
    team, old = (Team.objects.create(name=f"{name} {mark}", created_at=MONDAY) for name in ("North", "South"))
    archive_team(old, by=home.olga, now=MONDAY)
    TeamMember.objects.create(team=team, member=home.omar, is_lead=True)
    invited = {"role": "csm", "team": team, "by": home.jonah, "now": database_now()}
    return {
        "team": team,
        "archived_team": old,
        "left": Membership.objects.create(tenant=home.tenant, deactivated_at=MONDAY, **known),
        "invitation": invite(email=f"{mark}@elsewhere.example", **invited),
        "api_key": issue_key(name=f"Sync {mark}", scopes=["read"], by=home.olga, now=MONDAY)[0],
    }
