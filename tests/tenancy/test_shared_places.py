"""Redis, locks and what a process remembers know all workspaces: everything there is kept under the workspace's id."""

from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction
from redis import Redis

from cs_platform.rest.throttling import KEY_BURST, WORKSPACE_BURST, KeyThrottle
from cs_platform.tenancy.context import tenant_context
from tests.rest.client import Api, refill_buckets
from tests.world import Workspace, account, live, playbook_json, trait


@pytest.fixture
def redis() -> Redis:
    refill_buckets()
    return Redis.from_url(settings.REDIS_URL, decode_responses=True)


def test_whatever_the_api_keeps_in_redis_begins_with_its_workspace(
    orbiton: Workspace, halyard: Workspace, redis: Redis
) -> None:
    redis.flushdb()
    for home in (orbiton, halyard):
        assert Api.with_key(home.tenant).get("/accounts/").status == 200

    kept: Any = redis.keys()
    owners = {key: key.split(":")[:2] for key in kept}
    assert len(kept) == 4
    assert {tuple(owner) for owner in owners.values()} == {("rate", str(home.tenant.pk)) for home in (orbiton, halyard)}


def test_one_workspaces_haste_is_not_the_others_limit(orbiton: Workspace, halyard: Workspace, redis: Redis) -> None:
    hasty, calm = Api.with_key(orbiton.tenant), Api.with_key(halyard.tenant)
    buckets = KeyThrottle.buckets()
    assert hasty.key is not None
    for taken in range(0, WORKSPACE_BURST, KEY_BURST):
        buckets.take(tenant_id=orbiton.tenant.pk, key_id=hasty.key.pk + taken, cost=KEY_BURST)

    assert hasty.get("/accounts/").status == 429
    assert calm.get("/accounts/").status == 200
    refill_buckets()


def test_the_same_idempotency_key_means_something_of_its_own_in_each_workspace(
    orbiton: Workspace, halyard: Workspace, redis: Redis
) -> None:
    apis = [Api.with_key(home.tenant) for home in (orbiton, halyard)]
    body = {"external_id": "same", "name": "Same"}
    first = [api.post("/accounts/", body, Idempotency_Key="same").json["id"] for api in apis]
    again = [api.post("/accounts/", body, Idempotency_Key="same").json["id"] for api in apis]

    assert first[0] != first[1]
    assert again == first


def test_names_that_must_be_unique_are_so_within_a_workspace(orbiton: Workspace, halyard: Workspace) -> None:
    """Else a refusal would tell what the others have."""
    made = []
    for home in (orbiton, halyard):
        with tenant_context(home.tenant.pk):
            made.append(account("Harbourline", external_id="same"))
            trait("stage")
            live(playbook_json("rescue"))
            with pytest.raises(IntegrityError), transaction.atomic():
                account("Harbourline", external_id="same")
    assert made[0].pk != made[1].pk
