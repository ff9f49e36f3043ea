"""Generated over all routes: no key is 401, no scope 403, another workspace's id 404 like one that never was."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from accounts.csv_import.files import keep_upload
from accounts.key_roles import define_role
from accounts.models import (
    Account,
    Conversation,
    CsvImport,
    DataSource,
    EventType,
    HealthScore,
    Indicator,
    Note,
    NpsResponse,
    Segment,
    Suppression,
    TimelineEntry,
    TraitProblem,
)
from cs_platform.connectors.managing import connect
from cs_platform.connectors.models import Mailbox
from cs_platform.jobs.models import Job
from cs_platform.rest.filters import NumberInFilter
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.roles import SCOPES
from cs_platform.workspace.attachments import attach
from cs_platform.workspace.comments import write_comment
from cs_platform.workspace.holidays import add_holiday
from cs_platform.workspace.invitations import invite
from cs_platform.workspace.models import Notification, Team
from cs_platform.workspace.saved_views import Setup, save_view
from ctas.opening import open_cta
from playbooks.enrollment import apply_by_hand
from playbooks.models import Approval, Enrollment, Evaluation
from success_plans.defining import save_template, save_type
from success_plans.planning import add_objective, create_plan
from success_plans.sharing import make_link
from tests.rest.client import Answer, Api, refill_buckets
from tests.rest.routes import Route, routes
from tests.world import MONDAY, Workspace, account, evaluate, live, playbook_json, trait, user

pytestmark = pytest.mark.walk

ROUTES = list(routes())
KEY = {"Idempotency_Key": "k"}
# Addressed by an id the caller chooses: another workspace's is simply free here.
BY_CHOICE = {"put_by_external_id"}


@pytest.fixture
def foreign(halyard: Workspace) -> dict[str, Any]:
    """One of everything, in the other workspace, by the basename of its route."""
    with tenant_context(halyard.tenant.pk):
        return _everything(halyard)


def _everything(home: Workspace) -> dict[str, Any]:
    at = account("Foreign Freight", plan="Pro")
    person = user("Fay Foreign", at)
    playbook = live(playbook_json())
    cta = open_cta(account=at, name="Foreign", type="risk", by=home.olga, now=MONDAY, owner=home.priya)
    task = cta.add_task(title="Foreign", by=home.olga, now=MONDAY)
    enrollment = apply_by_hand(playbook=playbook, account=at, by=home.olga.actor, now=MONDAY)
    run = evaluate(home.tenant, now=MONDAY)
    draft = {"account": at, "end_user": person, "subject": "Hi", "body": "Hi", "to_email": "fay@foreign.example"}
    EventType.objects.create(name="Foreign event")
    TimelineEntry.objects.create(account=at, at=MONDAY, kind="note", actor="import", text="Foreign")
    problem = {"scope": "account", "key": "x", "outcome": "refused", "reason": "no", "sample": "1", "count": 1}
    TraitProblem.objects.create(source="test", first_at=MONDAY, last_at=MONDAY, **problem)
    said = write_comment(subject=f"cta:{cta.pk}", body="Foreign", by=home.olga, now=MONDAY)
    file = attach(subject=f"cta:{cta.pk}", name="foreign.txt", content=b"Foreign", by=home.olga, now=MONDAY)
    told = {"member": home.tom, "kind": "job", "text": "Foreign", "url": "/", "at": MONDAY}
    view = {"page": "accounts", "setup": Setup("", {}), "owner": home.olga, "is_shared": True, "now": MONDAY}
    return {
        "api-account": at.pk,
        "api-user": person.pk,
        "api-team": (north := Team.objects.create(name="Foreign", created_at=MONDAY)).pk,
        "api-invitation": invite(email="f@foreign.example", role="csm", team=north, by=home.olga, now=MONDAY).pk,
        "api-attachment": file.pk,
        "api-comment": said.pk,
        "api-holiday": add_holiday(on=MONDAY.date(), name="Foreign", by=home.olga, now=MONDAY).pk,
        "api-notification": Notification.objects.create(**told).pk,
        "api-trait": trait("foreign").pk,
        "api-indicator": Indicator.raise_on(at, kind="risk", title="Foreign", by=home.olga, now=MONDAY).pk,
        "api-conversation": Conversation.objects.create(send_at=MONDAY, created_at=MONDAY, **draft).pk,
        "api-suppression": Suppression.objects.create(email="f@foreign.example", reason="manual", since=MONDAY).pk,
        "api-workload": home.tom.pk,
        "api-cta": cta.pk,
        "api-connector": connect(
            kind="segment", key="seg", name="Foreign", secret="write-key-1", by=home.olga, now=MONDAY
        )[0].pk,
        "api-mailbox": Mailbox.objects.create(member=home.priya, sealed="nothing", connected_at=MONDAY).pk,
        "api-nps-response": NpsResponse.objects.create(
            end_user=person, account=at, score=9, answered_at=MONDAY, source="survey"
        ).pk,
        "api-segment": Segment.objects.create(scope="account", name="Foreign", created_at=MONDAY).pk,
        "api-health-score": HealthScore.objects.create(name="Foreign", created_at=MONDAY).pk,
        "api-task": task.pk,
        "api-approval": _approval(enrollment).pk,
        "api-playbook": playbook.pk,
        "api-enrollment": enrollment.pk,
        "api-run": enrollment.runs.get().pk,
        "api-evaluation": Evaluation.objects.get(run=run).pk,
        "api-import": _upload(home).pk,
        "api-job": Job.objects.create(kind="counting", title="Foreign", actor=home.olga.actor, created_at=MONDAY).pk,
        "api-key-role": define_role("Foreign").pk,
        "api-note": Note.write(at, body="Foreign", by=home.olga, now=MONDAY).pk,
        "api-member": home.priya.pk,
        "api-data-source": DataSource.open(name="Foreign", by=home.olga, now=MONDAY)[0].pk,
        "api-view": save_view(name="Foreign", **view).pk,
        "external_id": at.external_id,
        "api-evaluation-run": run.pk,
        **_plan(home, at),
    }


def _approval(enrollment: Enrollment) -> Approval:
    asked = {"asks": "csm", "otherwise": "skip", "asked_at": MONDAY, "expires_at": MONDAY}
    return Approval.objects.create(run_id=enrollment.runs.get().pk, enrollment=enrollment, **asked)


def _plan(home: Workspace, at: Account) -> dict[str, Any]:
    by: dict[str, Any] = {"by": home.olga, "now": MONDAY}
    type = save_type(None, name="Foreign", formula="tasks", categories=[], fields=[], **by)
    plan = create_plan(account=at, type=type, name="Foreign", owner=home.olga, **by)
    return {
        "api-plan-type": type.pk,
        "api-plan-template": save_template(None, name="Foreign", type=type, definition={}, **by).pk,
        "api-plan": plan.pk,
        "api-objective": add_objective(plan, name="Foreign", owner=home.olga, **by).pk,
        "api-share-link": make_link(plan, name="Foreign", parts=["progress"], **by)[0].pk,
    }


def _upload(home: Workspace) -> CsvImport:
    return keep_upload([b"id,name\n1,Foreign\n"], scope="account", file_name="a.csv", by=home.maya, now=MONDAY)


def ids_for(route: Route, foreign: dict[str, Any]) -> dict[str, Any]:
    return {
        "pk": foreign.get(route.basename),
        "account_id": foreign["api-account"],
        "user_id": foreign["api-user"],
        "indicator_id": foreign["api-indicator"],
        "segment_id": foreign["api-segment"],
        "job_id": foreign["api-job"],
        "source_id": foreign["api-data-source"],
        "conversation_id": foreign["api-conversation"],
        "playbook_id": foreign["api-playbook"],
        "before": 1,
        "after": 1,
        "external_id": foreign["external_id"],
    }


def ask(api: Api, route: Route, address: str) -> Answer:
    return api.ask(route.verb, f"/{address.strip('/')}/", None if route.verb == "get" else {}, **KEY)


def test_nothing_is_answered_without_a_key(db: None) -> None:
    answers = {
        str(route): ask(
            Api(),
            route,
            route.address(
                pk=1,
                account_id=1,
                user_id=1,
                indicator_id=1,
                job_id=1,
                source_id=1,
                conversation_id=1,
                playbook_id=1,
                before=1,
                after=1,
                segment_id=1,
                external_id="x",
            ),
        )
        for route in ROUTES
    }

    # 404: an address whose shape of id it is not.
    assert {name: answer.status for name, answer in answers.items() if answer.status not in (401, 404)} == {}


def test_a_key_without_the_scope_is_refused(api_with: Callable[..., Api], foreign: dict[str, Any]) -> None:
    wrong = {}
    for route in ROUTES:
        lacking = route.scopes(allowing=False)
        if lacking:  # everybody may read
            answer = ask(api_with(*lacking), route, route.address(**ids_for(route, foreign)))
            if (answer.status, answer.json["code"]) != (403, "not_allowed"):
                wrong[str(route)] = answer.status

    assert wrong == {}


def test_each_scope_that_names_the_ability_is_enough(api_with: Callable[..., Api], foreign: dict[str, Any]) -> None:
    keys = {scope: api_with(scope) for scope in SCOPES}
    wrong = []
    for route in (route for route in ROUTES if route.verb != "get"):
        for scope in route.scopes(allowing=True):
            refill_buckets()
            if ask(keys[scope], route, route.address(**ids_for(route, foreign))).status in (401, 403):
                wrong.append(f"{route} with {scope}")

    assert wrong == []


def test_another_workspaces_id_is_as_unknown_as_one_that_never_was(api: Api, foreign: dict[str, Any]) -> None:
    wrong = {}
    for route in (route for route in ROUTES if "{" in route.path and route.action not in BY_CHOICE):
        refill_buckets()
        ids = ids_for(route, foreign)
        assert None not in [ids[name] for name in ids if f"{{{name}}}" in route.path], f"add {route.basename} above"
        never = {name: uuid4() if route.basename == "api-run" else "999999999" for name in ids}
        theirs, nobodys = (ask(api, route, route.address(**which)) for which in (ids, never))
        if (theirs.status, theirs.json | {"request_id": ""}) != (404, nobodys.json | {"request_id": ""}):
            wrong[str(route)] = theirs.status

    assert wrong == {}


def test_a_list_shows_nothing_of_another_workspace(api: Api, foreign: dict[str, Any]) -> None:
    """Asked plainly, and asked for its ids by every filter that takes ids."""
    known = [value for value in foreign.values() if isinstance(value, int)]
    for route in (route for route in ROUTES if route.is_list and "{" not in route.path):
        if route.basename == "api-action":
            continue  # what the product can do, the same for everybody
        path = f"/{route.path.strip('/')}/"
        for query in ("", *(f"?{name}={','.join(map(str, known))}" for name in _id_filters(route.view))):
            refill_buckets()
            answer = api.get(path + query)
            assert answer.status == 200, path + query
            assert not {row["id"] for row in answer.results} & {foreign.get(route.basename)}, path + query
            assert not (query and answer.results), path + query


def _id_filters(view: Any) -> list[str]:
    filterset = getattr(view, "filterset_class", None)
    found = filterset.base_filters.items() if filterset else ()
    return [name for name, field in found if isinstance(field, NumberInFilter)]


# Every id a body may hold, with the rest of the body valid. `mine` is filled in from the caller's own workspace.
BODIES: list[tuple[str, str, dict[str, Any]]] = [
    ("/ctas/", "account", {"name": "x", "type": "risk"}),
    ("/ctas/", "user", {"name": "x", "type": "risk", "account": "mine"}),
    ("/ctas/", "owner", {"name": "x", "type": "risk", "account": "mine"}),
    ("/tasks/", "cta", {"title": "x"}),
    ("/indicators/", "account", {"kind": "risk", "title": "x"}),
    ("/indicators/", "assignee", {"kind": "risk", "title": "x", "account": "mine"}),
    ("/enrollments/", "playbook", {"account": "mine"}),
    ("/enrollments/", "account", {}),
    ("/enrollments/", "user", {"account": "mine"}),
    ("/accounts/", "csm", {"external_id": "new"}),
    ("/accounts/", "ae", {"external_id": "new"}),
    ("/rules/explain/", "account", {"rules": {"account": {"field": "plan", "op": "set"}}}),
    ("/rules/explain/", "user", {"rules": {"user": {"field": "role", "op": "set"}}, "account": "mine"}),
]
KINDS = dict.fromkeys(("owner", "assignee", "csm", "ae"), "api-member")


@pytest.mark.parametrize(("path", "name", "rest"), BODIES, ids=[f"{path}{name}" for path, name, _ in BODIES])
def test_a_body_cannot_point_into_another_workspace(
    api: Api, orbiton: Workspace, foreign: dict[str, Any], path: str, name: str, rest: dict[str, Any]
) -> None:
    with tenant_context(orbiton.tenant.pk):
        mine = account("Mine").pk
        playbook = live(playbook_json()).pk
    body = {key: mine if value == "mine" else value for key, value in rest.items()}
    if path == "/enrollments/":
        body = {"playbook": playbook} | body
    answer = api.post(path, body | {name: foreign[KINDS.get(name, f"api-{name}")]}, **KEY)

    assert answer.status == 400
    assert f"/{name}" in answer.errors


def test_a_bulk_cannot_tie_a_user_to_another_workspaces_account(api: Api, foreign: dict[str, Any]) -> None:
    items = [{"external_id": "u1", "accounts": [{"external_id": foreign["external_id"]}]}]

    (result,) = api.post("/users/bulk/", {"items": items}, **KEY).json["results"]

    assert result["outcome"] == "refused"
    assert result["errors"][0]["pointer"] == "/accounts/0/external_id"


def test_the_same_external_id_lives_once_in_each_workspace(
    api: Api, halyard: Workspace, foreign: dict[str, Any]
) -> None:
    answer = api.put(f"/accounts/by-external-id/{foreign['external_id']}/", {"name": "Ours"})

    assert (answer.status, answer.json["id"] != foreign["api-account"]) == (201, True)
    theirs = Api.with_key(halyard.tenant).get(f"/accounts/{foreign['api-account']}/").json
    assert theirs["name"] == "Foreign Freight"
