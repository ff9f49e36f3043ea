"""The workspace of a request: around the whole response, rolled back with whatever is refused, gone afterwards."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.http import HttpResponse
from django.test import Client

from accounts.models import EventType
from cs_platform.tenancy.context import NoTenant, tenant_context
from cs_platform.tenancy.models import Membership, User
from tests.tenancy.pages import ERRORS, STATUSES
from tests.tenancy.test_context import NOTHING, in_force
from tests.world import MONDAY, Workspace, workspace

Sql = Callable[..., list[Any]]

pytestmark = pytest.mark.urls("tests.tenancy.pages")


@pytest.fixture
def client(orbiton: Workspace) -> Client:
    with tenant_context(orbiton.tenant.pk):
        EventType.objects.create(name="logged in")
    client = Client(raise_request_exception=False)
    client.force_login(orbiton.olga.user)
    return client


def event_names(home: Workspace) -> list[str]:
    with tenant_context(home.tenant.pk):
        return list(EventType.objects.order_by("name").values_list("name", flat=True))


def test_a_page_rendered_after_its_view_still_sees_its_workspace(client: Client, halyard: Workspace) -> None:
    with tenant_context(halyard.tenant.pk):
        EventType.objects.create(name="theirs")

    assert client.get("/w/orbiton/lazy/").content == b"logged in,"


def test_what_runs_after_rendering_does_too(client: Client) -> None:
    assert client.get("/w/orbiton/callback/")["X-Rows"] == "1"


def test_a_stream_that_outlives_the_transaction_is_an_error_and_not_an_empty_file(client: Client) -> None:
    response: Any = client.get("/w/orbiton/streaming/")
    with pytest.raises((NoTenant, DatabaseError)), transaction.atomic():
        list(response.streaming_content)


def test_a_stream_with_a_context_of_its_own_is_whole(client: Client, sql: Sql) -> None:
    response: Any = client.get("/w/orbiton/streaming-alone/")

    assert b"".join(response.streaming_content) == b"logged in,"
    assert in_force(sql) == NOTHING


@pytest.mark.parametrize("status", STATUSES)
def test_only_success_leaves_something_behind(client: Client, orbiton: Workspace, status: int) -> None:
    assert client.post(f"/w/orbiton/answers/{status}/").status_code == status

    assert ("half done" in event_names(orbiton)) == (status < 400)


@pytest.mark.parametrize("error", ERRORS)
def test_a_view_that_raises_leaves_nothing_behind(client: Client, orbiton: Workspace, error: str) -> None:
    assert client.post(f"/w/orbiton/raises/{error}/").status_code >= 400

    assert event_names(orbiton) == ["logged in"]


def test_a_template_that_raises_leaves_nothing_behind(client: Client, orbiton: Workspace) -> None:
    assert client.post("/w/orbiton/failing-template/").status_code == 500

    assert event_names(orbiton) == ["logged in"]


@pytest.mark.parametrize("path", ["lazy/", "answers/422/", "answers/500/", "raises/value/", "raises/missing/"])
def test_after_any_answer_no_workspace_is_in_force(client: Client, sql: Sql, path: str) -> None:
    client.get(f"/w/orbiton/{path}")

    assert in_force(sql) == NOTHING


@pytest.mark.parametrize("slug", ["halyard", "nowhere", "Orbiton", "ORBITON", "orbiton_", "_", "-", "0"])
def test_a_workspace_one_is_no_member_of_is_not_there(client: Client, halyard: Workspace, slug: str) -> None:
    answer = client.get(f"/w/{slug}/lazy/")
    unknown = client.get("/w/unheard-of/lazy/")

    assert answer.status_code == 404
    assert answer.content.replace(f"/w/{slug}/".encode(), b"/w/unheard-of/") == unknown.content


@pytest.mark.parametrize("path", ["//w/orbiton/lazy/", "/w//lazy/", "/w/orbiton%00/lazy/", "/w/orb%2Fiton/lazy/"])
def test_a_crooked_address_is_not_found(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_deactivated_member_is_out_with_the_next_request(client: Client, orbiton: Workspace) -> None:
    Membership.objects.filter(pk=orbiton.olga.pk).update(deactivated_at=MONDAY)
    assert client.get("/w/orbiton/lazy/").status_code == 404


def test_a_deactivated_login_is_signed_out_with_the_next_request(client: Client, orbiton: Workspace) -> None:
    User.objects.filter(pk=orbiton.olga.user_id).update(is_active=False)
    assert client.get("/w/orbiton/lazy/").status_code == 302


def test_a_role_taken_away_counts_from_the_next_request(client: Client, orbiton: Workspace) -> None:
    Membership.objects.filter(pk=orbiton.olga.pk).update(role="observer")
    response: Any = client.get("/w/orbiton/lazy/")

    assert response.wsgi_request.membership.role == "observer"


def test_one_person_in_two_workspaces_sees_each_by_itself_on_one_connection(transactional_db: None, sql: Sql) -> None:
    homes = workspace("orbiton"), workspace("halyard")
    Membership.objects.filter(pk=homes[1].olga.pk).update(user=homes[0].olga.user)
    client = Client()
    client.force_login(homes[0].olga.user)
    for home in homes:
        with tenant_context(home.tenant.pk):
            EventType.objects.create(name=f"of {home.tenant.slug}")
    backend = sql("SELECT pg_backend_pid()")

    for _ in range(25):
        for home in homes:
            answer: HttpResponse = client.get(f"/w/{home.tenant.slug}/lazy/")  # type: ignore[assignment]
            assert answer.content.decode() == f"of {home.tenant.slug},"
            assert in_force(sql) == NOTHING
    assert not connection.in_atomic_block
    assert sql("SELECT pg_backend_pid()") == backend
