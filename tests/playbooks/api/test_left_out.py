"""Those a playbook leaves out to compare, and what reached its outcome, over REST."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cs_platform.tenancy.context import tenant_context
from playbooks.models import Enrollment, Playbook, Withheld
from tests.rest.client import Api
from tests.world import Workspace, account, apply_now, live, playbook_json

NOW = datetime.now(UTC)
GROWN: dict[str, Any] = {"name": "Grown", "rule": {"field": "mrr", "op": "more", "value": 100_000}, "days": 30}


@pytest.fixture
def comparing(orbiton: Workspace) -> Playbook:
    with tenant_context(orbiton.tenant.pk):
        playbook = live(playbook_json(outcome=GROWN, holdout=20), by=orbiton.jonah, now=NOW)
        for ago, name in enumerate(("Ada", "Bo")):
            made = {"playbook": playbook, "version": playbook.version, "account": account(name)}
            reached = NOW if name == "Bo" else None
            Withheld.objects.create(matched_at=NOW - timedelta(days=9 + ago), outcome_at=reached, **made)
        return playbook


def names(api: Api, orbiton: Workspace, path: str) -> list[str]:
    rows = api.get(path).results
    with tenant_context(orbiton.tenant.pk):
        of = dict(Withheld.objects.values_list("account_id", "account__name"))
    return [of[row["account"]] for row in rows]


def test_those_left_out_are_listed_with_when_they_matched_and_what_they_reached(
    api: Api, orbiton: Workspace, comparing: Playbook
) -> None:
    bo, ada = api.get(f"/playbooks/{comparing.pk}/left-out/").results

    assert (ada["playbook"], ada["version"], ada["user"], ada["outcome_at"]) == (comparing.pk, 1, None, None)
    assert datetime.fromisoformat(bo["outcome_at"]) == NOW
    path = f"/playbooks/{comparing.pk}/left-out/"
    assert names(api, orbiton, f"{path}?ordering=-matched_at") == ["Ada", "Bo"]
    assert names(api, orbiton, f"{path}?outcome_reached=true") == ["Bo"]
    assert names(api, orbiton, f"{path}?outcome_reached=false") == ["Ada"]
    assert names(api, orbiton, f"{path}?account={ada['account']}") == ["Ada"]
    recent = (NOW - timedelta(days=1)).isoformat().replace("+", "%2B")
    assert names(api, orbiton, f"{path}?updated_since={recent}") == ["Bo"]
    assert names(api, orbiton, f"{path}?matched_since={recent}") == []


def test_another_workspaces_playbook_has_no_such_list(api: Api, halyard: Workspace) -> None:
    with tenant_context(halyard.tenant.pk):
        theirs = live(playbook_json(outcome=GROWN, holdout=20), by=halyard.jonah, now=NOW)

    assert api.get(f"/playbooks/{theirs.pk}/left-out/").status == 404


def test_an_enrollment_says_when_it_reached_its_outcome_and_is_found_by_that(
    api: Api, orbiton: Workspace, comparing: Playbook
) -> None:
    with tenant_context(orbiton.tenant.pk):
        reached, other = (apply_now(comparing, account(name), now=NOW - timedelta(days=3)) for name in ("Cy", "Di"))
        Enrollment.objects.filter(pk=reached.pk).update(outcome_at=NOW)

    assert [row["id"] for row in api.get("/enrollments/?outcome_reached=true").results] == [reached.pk]
    assert [row["id"] for row in api.get("/enrollments/?outcome_reached=false").results] == [other.pk]
    assert datetime.fromisoformat(api.get(f"/enrollments/{reached.pk}/").json["outcome_at"]) == NOW
    recent = (NOW - timedelta(hours=1)).isoformat().replace("+", "%2B")
    assert [row["id"] for row in api.get(f"/enrollments/?updated_since={recent}").results] == [reached.pk]
