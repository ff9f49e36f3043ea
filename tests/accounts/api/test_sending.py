"""The settings of sending and of workload over REST."""

from datetime import date

from accounts.conversations.sending import the_policy
from accounts.models import Suppression, Workload
from cs_platform.tenancy.context import tenant_context
from tests.rest.client import Api
from tests.world import MONDAY, Workspace, account


def test_when_messages_leave_is_read_and_changed_in_part(api: Api, orbiton: Workspace) -> None:
    assert api.get("/sending-policy/").json["closes_at"] == 18

    assert api.patch("/sending-policy/", {"opens_at": 7, "mails_an_hour": 30}).json["opens_at"] == 7
    refused = api.patch("/sending-policy/", {"opens_at": 18})

    assert (refused.status, refused.json["errors"][0]["pointer"]) == (400, "/closes_at")
    with tenant_context(orbiton.tenant.pk):
        policy = the_policy()
    assert (policy.opens_at, policy.closes_at, policy.mails_an_hour) == (7, 18, 30)


def test_an_address_is_listed_once_and_taken_off_unless_its_owner_unsubscribed(api: Api, orbiton: Workspace) -> None:
    added = [api.post("/suppressions/", {"email": "Ben@Customer.example"}) for _ in range(2)]
    assert [one.status for one in added] == [201, 200]
    assert {one.json["id"] for one in added} == {added[0].json["id"]}
    assert api.post("/suppressions/", {"email": "nobody"}).status == 400
    with tenant_context(orbiton.tenant.pk):
        left = Suppression.objects.create(email="left@customer.example", reason="unsubscribed", since=MONDAY).pk

    assert [row["id"] for row in api.get("/suppressions/?reason=unsubscribed").results] == [left]
    assert api.ask("delete", f"/suppressions/{left}/").status == 409
    assert api.ask("delete", f"/suppressions/{added[0].json['id']}/").status == 204
    assert [row["email"] for row in api.get("/suppressions/").results] == ["left@customer.example"]


def test_what_members_look_after_and_can_take_on(api: Api, orbiton: Workspace) -> None:
    with tenant_context(orbiton.tenant.pk):
        account("Harbour", csm=orbiton.priya, ae=orbiton.tom)
        account("Gone", csm=orbiton.priya, lifecycle="churned")
    path = f"/workload/{orbiton.priya.pk}/"

    api.patch(path, {"capacity": 40, "away_until": "2027-01-08"})
    held = api.patch(path, {"capacity": None}).json

    assert (held["as_csm"], held["as_ae"], held["capacity"], held["away_until"]) == (1, 0, None, "2027-01-08")
    assert {row["name"]: row["as_ae"] for row in api.get("/workload/").results}["Tom Lindqvist"] == 1
    with tenant_context(orbiton.tenant.pk):
        assert Workload.objects.get().away_until == date(2027, 1, 8)
