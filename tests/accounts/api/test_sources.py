"""Data sources over the API."""

import pytest

from accounts.models import DataSource, ReceivedBatch, TraitProblem
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import hash_token
from tests.rest.client import Api
from tests.world import MONDAY, Workspace


@pytest.fixture
def source(orbiton: Workspace) -> DataSource:
    with tenant_context(orbiton.tenant.pk):
        return DataSource.open(name="Website", by=orbiton.olga, now=MONDAY)[0]


def test_a_new_source_comes_with_its_key_and_never_again(api: Api, orbiton: Workspace) -> None:
    made = api.post("/data-sources/", {"name": "Website"})
    assert made.status == 201
    key = made.json["write_key"]
    with tenant_context(orbiton.tenant.pk):
        assert DataSource.objects.get().token_hash == hash_token(key)
    assert "write_key" not in api.get(f"/data-sources/{made.json['id']}/").json
    assert [row["last_four"] for row in api.get("/data-sources/").results] == [key[-4:]]


def test_its_name_and_its_key_can_be_changed(api: Api, source: DataSource) -> None:
    at = f"/data-sources/{source.pk}/"
    assert api.patch(at, {"name": "App"}).json["name"] == "App"
    assert api.patch(at, {"name": ""}).status == 400
    assert hash_token(api.post(f"{at}rotate-key/", {}).json["write_key"]) != source.token_hash


def test_a_closed_one_stays_closed(api: Api, source: DataSource) -> None:
    at = f"/data-sources/{source.pk}/"
    for _ in range(2):
        assert api.post(f"{at}close/", {}).json["revoked_at"]
    assert api.post(f"{at}rotate-key/", {}).status == 409


def test_its_standing_and_problems_can_be_read_cleared_and_retried(
    api: Api, source: DataSource, orbiton: Workspace
) -> None:
    at = f"/data-sources/{source.pk}/"
    with tenant_context(orbiton.tenant.pk):
        for failed_at in (None, MONDAY):
            kept = {"calls": 4, "body": b"", "received_at": MONDAY, "failed_at": failed_at}
            ReceivedBatch.objects.create(source=source, **kept)
        wrong = {"scope": "account", "key": "seats", "outcome": "refused", "reason": "not a number", "sample": "x"}
        for name in (source.actor, "import"):
            TraitProblem.objects.create(source=name, count=2, first_at=MONDAY, last_at=MONDAY, **wrong)

    assert api.get(f"{at}standing/").json == {"waiting": 4, "set_aside": 1, "refused": 2, "coerced": 0}
    assert [row["source"] for row in api.get(f"{at}problems/").results] == [source.actor]
    assert api.post(f"{at}retry/", {}).status == 200
    assert api.post(f"{at}clear-problems/", {}).status == 200
    assert api.get(f"{at}standing/").json == {"waiting": 8, "set_aside": 0, "refused": 0, "coerced": 0}
    assert len(api.get("/ingest-problems/").results) == 1
