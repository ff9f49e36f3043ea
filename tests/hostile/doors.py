"""Every way in over the API: a whole body for each endpoint that takes one, with its free texts marked.

Forms of pages need no table here: tests/tenancy/story.py has a body for each, and the walk of tests/test_isolation.py
fails when one is missing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from tests.tenancy.routes import id_of
from tests.tenancy.story import Id, Story
from tests.world import playbook_json, raise_risk

Body = dict[str, Any]


class Free(str):
    """Any text may stand here."""


def _rule() -> Body:
    return {"all": [{"field": "name", "op": "contains", "value": Free("Harbour")}]}


def _account() -> Body:
    return {"name": Free("A"), "plan": Free("Pro"), "traits": {"stage": Free("x")}}


def _user() -> Body:
    return {"name": Free("Ann"), "email": Free("ann@customer.example"), "traits": {"mood": Free("good")}}


def _playbook() -> Body:
    steps = [raise_risk(title=Free("At risk"))]
    steps[0]["config"]["note"] = Free("Look at it")
    texts: Body = {"name": Free("Hostile"), "description": Free("Why")}
    outcome = {"name": Free("Renewed"), "rule": _rule(), "days": 30}
    return playbook_json(Free("hostile"), rules={"account": _rule()}, outcome=outcome, holdout=10, steps=steps, **texts)


API_DOORS: Final[dict[str, Body]] = {
    "post /accounts/": {
        "external_id": Free("a-1"),
        "name": Free("A"),
        "plan": Free("Pro"),
        "traits": {"stage": Free("x")},
    },
    "patch /accounts/{pk}/": {
        "traits": {"stage": Free("x")},
        "known_cause": Free("They move"),
        "known_cause_until": "2199-01-31",
    },
    "post /accounts/bulk/": {
        "items": [{"external_id": Free("a-2"), "name": Free("A"), "traits": {"stage": Free("x")}}]
    },
    "post /accounts/bulk-edit/": {
        "query": Free("plan=Pro"),
        "verb": "set_trait",
        "config": {"trait": "stage", "value": Free("x")},
    },
    "put /accounts/by-external-id/{external_id}/": {
        "name": Free("A"),
        "plan": Free("Pro"),
        "traits": {"stage": Free("x")},
    },
    "post /accounts/export/": {"query": Free("plan=Pro"), "bom": True},
    "post /attachments/": {"subject": Id("subject"), "name": Free("a.txt"), "content": "aGVsbG8="},
    "patch /comments/{pk}/": {"body": Free("They moved")},
    "post /connectors/": {
        "kind": "webhook",
        "key": Free("hook"),
        "name": Free("Our hook"),
        "url": Free("https://hooks.example.com/in"),
    },
    "patch /connectors/{pk}/": {"name": Free("Our hook"), "url": Free("https://hooks.example.com/in")},
    "post /connectors/{pk}/renew/": {"secret": Free("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz")},
    "post /approvals/{pk}/approve/": {"note": Free("Go on")},
    "post /approvals/{pk}/reject/": {"note": Free("Not now")},
    "post /approvals/decide/": {"ids": [Id("approval")], "verdict": "approve", "note": Free("Go on")},
    "post /accounts/{account_id}/conversations/": {
        "user": Id("end_user"),
        "sender": Id("priya"),
        "subject": Free("Hello"),
        "body": Free("Dear Ben"),
        "connector": Free(""),
        "send_at": "2026-11-03T09:00:00Z",
    },
    "post /conversations/decide/": {"ids": [Id("conversation")], "verdict": "cancel"},
    "patch /sending-policy/": {"opens_at": 7, "closes_at": 19},
    "post /suppressions/": {"email": Free("never@customer.example")},
    "patch /workload/{pk}/": {"capacity": 40, "away_until": "2199-01-31"},
    "patch /conversations/{pk}/": {"subject": Free("Hello"), "body": Free("Dear Ben")},
    "post /ctas/": {"account": Id("account"), "type": "risk", "name": Free("Ring"), "comment": Free("Soon")},
    "patch /ctas/{pk}/": {"name": Free("Ring"), "comment": Free("Soon")},
    "post /ctas/{pk}/close/": {"status": "won", "cancel_tasks": True},
    "post /ctas/{pk}/comment/": {"body": Free("They rang")},
    "post /ctas/{pk}/snooze/": {"until": "2199-01-31", "reason": Free("Away")},
    "post /ctas/bulk-edit/": {"ids": [Id("cta")], "verb": "set_priority", "config": {"priority": "high"}},
    "post /members/{pk}/change-role/": {"role": "csm", "by": Id("olga")},
    "post /members/{pk}/deactivate/": {"by": Id("olga"), "to": Id("tom"), "revoke_keys": True},
    "post /members/{pk}/reactivate/": {"by": Id("olga")},
    "post /teams/": {"name": Free("West")},
    "patch /teams/{pk}/": {"name": Free("West"), "members": [{"member": Id("priya"), "is_lead": True}]},
    "post /tasks/bulk-edit/": {"ids": [Id("task")], "verb": "set_due", "config": {"due_on": "2199-01-31"}},
    "post /ctas/{pk}/link-user/": {"user": Id("end_user")},
    "post /ctas/{pk}/unlink-user/": {"user": Id("end_user")},
    "post /ctas/{pk}/order-tasks/": {"tasks": [Id("task")]},
    "post /ctas/{pk}/repeat/": {"every": 2, "unit": "week"},
    "post /ctas/{pk}/set-status/": {"stage": Free("in_progress")},
    "patch /cta-lists/": {"reason": [{"name": Free("Price")}]},
    "post /objectives/": {"plan": Id("plan"), "name": Free("Adopt"), "category": Free(""), "comment": Free("Soon")},
    "patch /objectives/{pk}/": {"name": Free("Adopt"), "comment": Free("Soon")},
    "post /plan-types/": {"name": Free("Growth"), "categories": [Free("Use")]},
    "patch /plan-types/{pk}/": {"name": Free("Growth")},
    "post /plan-templates/": {"name": Free("Roll-out"), "type": Id("plan_type"), "description": Free("How")},
    "patch /plan-templates/{pk}/": {"name": Free("Roll-out"), "description": Free("How")},
    "post /share-links/": {"plan": Id("plan"), "name": Free("For Ann"), "days": 30},
    "patch /share-links/{pk}/": {"name": Free("For Ann")},
    "post /success-plans/": {
        "account": Id("account"),
        "type": Id("plan_type"),
        "name": Free("Grow"),
        "metric": Free("Seats"),
    },
    "patch /success-plans/{pk}/": {"name": Free("Grow"), "highlights": Free("All well")},
    "post /success-plans/start/": {"template": Id("plan_template"), "account": Id("account"), "name": Free("Grow")},
    "post /success-plans/{pk}/add-stakeholder/": {
        "name": Free("Ann"),
        "email": Free("ann@x.example"),
        "role": Free("CTO"),
    },
    "post /success-plans/{pk}/remove-stakeholder/": {"id": Id("stakeholder")},
    "post /success-plans/{pk}/answer/": {"body": Free("We are on it")},
    "post /success-plans/{pk}/comment/": {"body": Free("Well done")},
    "post /playbooks/begin/": {"name": Free("Idea")},
    "post /playbooks/import-plan/": {"playbooks": [_playbook()]},
    "post /playbooks/{pk}/draft/": {},
    "post /playbooks/{pk}/draft/ask/": {"note": Free("Have a look")},
    "post /playbooks/{pk}/draft/not-yet/": {"note": Free("Next week")},
    "post /playbooks/{pk}/draft/try/": {"account": Id("account")},
    "post /data-sources/": {"name": Free("Website")},
    "patch /data-sources/{pk}/": {"name": Free("Website")},
    "post /enrollments/bulk-edit/": {"ids": [Id("enrollment")], "verb": "retry_failed", "config": {}},
    "post /enrollments/": {"playbook": Id("other_playbook"), "account": Id("holding")},
    "post /enrollments/{pk}/stop/": {"note": Free("Enough"), "keep": []},
    "post /health-scores/": {"name": Free("Use"), "measures": [{"name": Free("Plan"), "healthy": _rule()}]},
    "patch /health-scores/{pk}/": {"name": Free("Use"), "measures": [{"name": Free("Plan"), "healthy": _rule()}]},
    "post /holidays/": {"on": "2199-01-01", "name": Free("New Year")},
    "post /imports/": {"scope": "account", "file_name": Free("a.csv"), "content": Free("id,name\n1,A\n")},
    "post /imports/{pk}/mapping/": {"columns": {"0": "external_id", "1": Free("fact:name")}},
    "post /indicators/": {"account": Id("account"), "kind": "risk", "title": Free("Quiet"), "note": Free("Very")},
    "post /indicators/{indicator_id}/comments/": {"body": Free("Still quiet")},
    "post /invitations/": {"email": Free("ann@orbiton.example"), "role": "csm", "invited_by": Id("olga")},
    "post /key-roles/": {"name": Free("Godmother")},
    "patch /key-roles/{pk}/": {"name": Free("Godmother")},
    "put /lifecycle-rules/": {"churned": _rule(), "trialing": None, "ignored": None},
    "post /notes/": {"account": Id("account"), "body": Free("They moved")},
    "patch /notes/{pk}/": {"body": Free("They moved")},
    "post /nps/responses/": {
        "external_id": Free("r-1"),
        "user": Id("user_id"),
        "score": 9,
        "comment": Free("Fine"),
        "answered_at": "2026-11-01T09:00:00Z",
    },
    "post /nps/responses/bulk/": {
        "items": [
            {
                "external_id": Free("r-2"),
                "user": Id("user_id"),
                "score": 9,
                "comment": Free("Fine"),
                "answered_at": "2026-11-01T09:00:00Z",
            }
        ]
    },
    "patch /nps/survey/": {"question": Free("Would you?"), "follow_up": Free("Why?"), "thanks": Free("Thanks")},
    "post /nps/tokens/": {"user": Id("user_id"), "expires_in": 600},
    "post /playbooks/import/": _playbook(),
    "post /playbooks/{pk}/explain/": {"account": Id("account")},
    "post /playbooks/{pk}/archive/": {"stop": True},
    "post /playbooks/{pk}/set-live/": {"expected_count": 1},
    "post /playbooks/{pk}/dry-run/": {"expected_count": 1},
    "post /playbooks/{pk}/resume/": {"missed": "skip"},
    "post /playbooks/{pk}/publish/": {"running": "move", "passed": "run"},
    "post /playbooks/{pk}/move/": {"passed": "run"},
    "post /playbooks/{pk}/promote/": {"restart": True},
    "post /playbooks/{pk}/stop-preview/": {"enrollments": [Id("enrollment")]},
    "post /playbooks/{pk}/stop/": {"enrollments": [Id("enrollment")], "note": Free("Enough")},
    "post /rules/check/": {"rules": {"account": _rule()}},
    "post /rules/explain/": {"rules": {"account": _rule()}, "account": Id("account")},
    "post /segments/": {"scope": "account", "name": Free("Beta"), "description": Free("Early"), "rule": _rule()},
    "patch /segments/{pk}/": {"name": Free("Beta"), "description": Free("Early")},
    "post /segments/{segment_id}/members/add/": {"items": [{"external_id": Free("a-1")}]},
    "post /segments/{segment_id}/members/remove/": {"items": [{"external_id": Free("a-1")}]},
    "post /tasks/": {"cta": Id("cta"), "title": Free("Dial"), "description": Free("Slowly")},
    "patch /tasks/{pk}/": {"title": Free("Dial"), "description": Free("Slowly")},
    "post /tasks/{pk}/cancel/": {"reason": Free("No need")},
    "post /traits/": {"scope": "account", "key": Free("size"), "label": Free("Size"), "type": "text"},
    "patch /traits/{pk}/": {"label": Free("Size"), "description": Free("How big")},
    "post /traits/{pk}/field/": {"field": Free("plan")},
    "post /traits/{pk}/speed/": {"fast": True},
    "post /traits/{pk}/type/": {"type": "list", "preview": True},
    "post /users/": {"external_id": Free("u-9"), "name": Free("Ann"), "email": Free("ann@customer.example")},
    "patch /users/{pk}/": {"traits": {"mood": Free("good")}},
    "post /accounts/{pk}/archive/": {"playbooks": "leave"},
    "post /users/{pk}/archive/": {"playbooks": "leave"},
    "post /users/{pk}/key-contact/": {"account": Id("account"), "is_key_contact": True},
    "post /users/{pk}/leave/": {"account": Id("account")},
    "post /users/bulk-edit/": {
        "query": Free("q=Ben"),
        "verb": "set_trait",
        "config": {"trait": "mood", "value": Free("good")},
    },
    "post /users/export/": {"query": Free("q=Ben"), "bom": True},
    "post /users/bulk/": {
        "items": [{"external_id": Free("u-8"), "name": Free("Ann"), "traits": {"mood": Free("good")}}]
    },
    "put /users/by-external-id/{external_id}/": _user(),
    "post /views/": {
        "page": "accounts",
        "owner": Id("olga"),
        "name": Free("Mine"),
        "params": Free("q=x"),
        "widths": {},
    },
    "patch /views/{pk}/": {"name": Free("Mine"), "params": Free("q=x")},
}


# Of which object, where not of the first of its kind.
OF: Final[dict[str, str]] = {
    "post /playbooks/{pk}/draft/ask/": "other_playbook",
    "post /playbooks/{pk}/draft/not-yet/": "other_playbook",
    "post /playbooks/{pk}/draft/try/": "other_playbook",
    "post /playbooks/{pk}/dry-run/": "other_playbook",
    "post /playbooks/{pk}/move/": "moved_playbook",
    "post /playbooks/{pk}/promote/": "dry_playbook",
}
# What takes a body, but nothing that anybody types, in a state that the story is not in.
NOTHING_TYPED: Final = {
    "post /objectives/{pk}/give-tasks/": "ids only, of tasks and stakeholders of one plan",
    "post /success-plans/{pk}/close/": "two choices, of a plan that is under way",
    "post /enrollments/{pk}/replace/": "ids only, of a list of tasks in a CTA",
    "put /playbooks/{pk}/draft/": "the body of POST /playbooks/import/, of a draft whose revision is known",
}


def filled(body: Any, story: Story, text: Callable[[Free], Any] = str) -> Any:
    """The body with objects' ids, and with another value wherever a free text stands."""
    if isinstance(body, dict):
        return {key: filled(value, story, text) for key, value in body.items()}
    if isinstance(body, list):
        return [filled(value, story, text) for value in body]
    if isinstance(body, Id):
        return story[body] if isinstance(story[body], str) else int(id_of(story[body]))
    return text(body) if isinstance(body, Free) else body


def one_at_a_time(body: Body, story: Story, value: Any) -> Iterator[Any]:
    """As many bodies as there are free texts."""
    for wanted in range(_count(body)):
        yield filled(body, story, _Only(wanted, value))


@dataclass(slots=True)
class _Only:
    """Puts the value in one place, and leaves the others as they are."""

    wanted: int
    value: Any
    seen: int = -1

    def __call__(self, free: Free) -> Any:
        self.seen += 1
        return self.value if self.seen == self.wanted else str(free)


def _count(body: Any) -> int:
    if isinstance(body, dict | list):
        return sum(map(_count, body.values() if isinstance(body, dict) else body))
    return int(isinstance(body, Free))
