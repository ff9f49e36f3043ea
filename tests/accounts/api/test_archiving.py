"""Archiving over the API; a key stops playbooks only where it may."""

import pytest

from accounts.models import Account
from cs_platform.tenancy.context import tenant_context
from playbooks.models import Enrollment
from tests.rest.client import Api
from tests.world import Workspace, account, apply_now, live, playbook_json, raise_risk, user


@pytest.mark.parametrize("path", ["accounts", "users"])
def test_archived_it_is_listed_apart_and_restored_it_is_back(api: Api, orbiton: Workspace, path: str) -> None:
    with tenant_context(orbiton.tenant.pk):
        at = account()
        pk = at.pk if path == "accounts" else user("Ben Novak", at).pk
    archived = api.post(f"/{path}/{pk}/archive/", {})
    listed = [[one["id"] for one in api.get(f"/{path}/?archived={word}").results] for word in ("false", "true")]
    restored = api.post(f"/{path}/{pk}/restore/")

    assert (archived.status, archived.json["archived_by"]) == (200, api.key.actor)  # type: ignore[union-attr]
    assert listed == [[], [pk]]
    assert (restored.json["archived_at"], restored.json["archived_by"]) == (None, "")


def test_stopping_playbooks_takes_the_scope_for_it(orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        at = account()
        apply_now(live(playbook_json(steps=[raise_risk(1), raise_risk(9, key="later")])), at, now=at.created_at)
    body = {"playbooks": "stop"}
    refused = Api.with_key(orbiton.tenant, "write").post(f"/accounts/{at.pk}/archive/", body)
    done = Api.with_key(orbiton.tenant, "write", "playbooks:run").post(f"/accounts/{at.pk}/archive/", body)

    assert (refused.status, done.status) == (403, 200)
    with tenant_context(orbiton.tenant.pk):
        assert (Enrollment.objects.get().state, Account.objects.present().count()) == ("stopped", 0)
