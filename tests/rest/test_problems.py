from unittest.mock import patch

import pytest
from django.db import DataError, InterfaceError, OperationalError, connection
from django.test import Client

from accounts.models import Account
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant
from tests.rest.client import Api
from tests.world import MONDAY, Workspace

VIEW = "accounts.api.views.AccountViewSet.rows"


def test_an_unknown_address_is_a_problem_without_and_with_a_key(db: None, api: Api) -> None:
    for path in ("/nothing/", "/accounts/1/nothing/", "/../../etc/"):
        for asked in (Api(), api):
            answer = asked.get(path)
            assert (answer.status, answer["Content-Type"]) == (404, "application/problem+json")
            assert answer.json["code"] == "not_found"


def test_every_problem_names_the_request(api: Api) -> None:
    answer = api.get("/accounts/9/")

    assert answer.json["request_id"] == answer["X-Request-Id"] != ""
    assert set(answer.json) == {"type", "title", "status", "code", "detail", "request_id"}


@pytest.mark.parametrize("verb", ["delete", "patch", "put", "options", "trace", "brew"])
def test_a_verb_nobody_knows_is_405(api: Api, verb: str) -> None:
    answer = api.ask(verb, "/accounts/")

    assert (answer.status, answer.json["code"]) == (405, "method_not_allowed")
    assert answer["Allow"]


def test_a_crash_says_nothing_but_its_number(api: Api) -> None:
    api.raise_exceptions = False
    with patch(VIEW, side_effect=RuntimeError("secret of the inside")):
        answer = api.get("/accounts/")

    assert (answer.status, answer.json["code"], answer.json["detail"]) == (500, "internal", "Internal Server Error.")
    assert b"secret" not in answer.response.content


@pytest.mark.parametrize(
    ("error", "status"), [(OperationalError("gone"), 503), (InterfaceError("gone"), 503), (DataError("big"), 400)]
)
def test_trouble_with_the_database_is_answered(api: Api, error: Exception, status: int) -> None:
    with patch(VIEW, side_effect=error):
        answer = api.get("/accounts/")

    assert answer.status == status
    assert ("Retry-After" in answer.response.headers) is (status == 503)


def test_a_database_that_is_away_before_the_view_is_503(db: None, api: Api) -> None:
    with patch("cs_platform.rest.middleware.tenant_of", side_effect=OperationalError("gone")):
        answer = api.get("/accounts/")

    assert (answer.status, answer.json["code"], answer["Retry-After"]) == (503, "unavailable", "2")


def test_a_connection_that_breaks_within_a_request_is_503_and_the_next_one_works(transactional_db: None) -> None:
    api = Api.with_key(Tenant.objects.create(slug="shared", name="Shared", created_at=MONDAY))

    def broken(view: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with patch(VIEW, broken):
        assert api.get("/accounts/").status == 503
    assert api.get("/accounts/").status == 200


def test_a_refused_host_is_a_problem(api: Api) -> None:
    response = Client(SERVER_NAME="evil.example").get("/api/v1/accounts/")

    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")


def test_any_answer_from_400_up_leaves_nothing_behind(api: Api, orbiton: Workspace) -> None:
    """The second trait is refused after the first was written."""
    api.post("/traits/", {"scope": "account", "key": "stage", "label": "Stage", "type": "text"})
    account = api.post("/accounts/", {"external_id": "acme"}).json
    answer = api.patch(f"/accounts/{account['id']}/", {"traits": {"stage": "A", "unknown": 1}})

    assert answer.errors == {"/traits/unknown": "invalid"}
    with tenant_context(orbiton.tenant.pk):
        assert Account.objects.get().traits == {}


def test_answers_are_never_stored_by_a_cache(api: Api) -> None:
    assert api.get("/accounts/")["Cache-Control"] == "no-store"


def test_moments_are_in_utc_whatever_the_workspaces_zone(api: Api) -> None:
    created = api.post("/accounts/", {"external_id": "acme"}).json

    assert created["created_at"].endswith("Z")


def test_a_slash_at_the_end_is_free(api: Api) -> None:
    assert api.get("/accounts").status == api.get("/accounts/").status == 200
    assert api.post("/accounts", {"external_id": "acme"}).status == 201
