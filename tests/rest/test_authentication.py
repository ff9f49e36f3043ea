from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import ApiKey, Credential
from tests.rest.client import Api
from tests.world import MONDAY, Workspace


def test_a_key_opens_its_own_workspace(api: Api) -> None:
    assert api.get("/accounts/").status == 200


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer nonsense", "Basic cs_live_x", "Bearer cs_live_ü", "Bearer cs_live_" + "a" * 51],
)
def test_without_a_good_key_nothing_is_shown_and_the_keys_are_not_even_asked(db: None, header: str) -> None:
    with CaptureQueriesContext(connection) as queries:
        answer = Api().get("/accounts/", Authorization=header)

    assert (answer.status, answer.json["code"]) == (401, "not_authenticated")
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert not queries.captured_queries


def test_a_genuine_looking_key_nobody_issued_is_refused(api: Api, orbiton: Workspace) -> None:
    Credential.objects.filter(tenant=orbiton.tenant).delete()

    assert api.get("/accounts/").status == 401


@pytest.mark.parametrize("change", [{"revoked_at": MONDAY}, {"expires_at": MONDAY - timedelta(days=1)}])
def test_a_revoked_or_expired_key_is_refused_at_once(api: Api, orbiton: Workspace, change: dict[str, object]) -> None:
    with tenant_context(orbiton.tenant.pk):
        ApiKey.objects.update(**change)

    assert api.get("/accounts/").status == 401


def test_a_write_key_is_no_api_key(api: Api) -> None:
    Credential.objects.update(kind=Credential.Kind.WRITE_KEY)

    assert api.get("/accounts/").status == 401


def test_a_session_does_not_authenticate_the_api(orbiton: Workspace) -> None:
    client = Client()
    client.force_login(orbiton.olga.user)

    assert client.get("/api/v1/accounts/").status_code == 401


def test_use_is_remembered_once_a_minute(api: Api, orbiton: Workspace) -> None:
    api.get("/accounts/")
    first = last_used(orbiton)
    api.get("/accounts/")
    assert last_used(orbiton) == first

    with tenant_context(orbiton.tenant.pk):
        ApiKey.objects.update(last_used_at=first - timedelta(minutes=2))
    api.get("/accounts/")
    assert last_used(orbiton) > first - timedelta(minutes=1)


def test_refused_requests_count_as_use(api_with: Callable[..., Api], orbiton: Workspace) -> None:
    assert api_with("read").post("/traits/", {}).status == 403

    assert last_used(orbiton) is not None


def last_used(home: Workspace) -> datetime:
    with tenant_context(home.tenant.pk):
        at: datetime = ApiKey.objects.get().last_used_at
    return at
