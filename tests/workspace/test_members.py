"""Who belongs to the workspace: invited, made more or less, leaving, coming back; and how far their role reaches."""

import re
from typing import Any

import pytest
from django.test import Client

from accounts.models import TraitChange
from cs_platform.connectors.base import Sent
from cs_platform.connectors.smtp import Letter
from cs_platform.tenancy.keys import issue_key
from cs_platform.tenancy.models import ApiKey, AuditEntry, Credential, Membership, User, hash_token
from cs_platform.tenancy.roles import MATRIX, WITHIN_REACH, Ability, Role
from cs_platform.workspace.errands import run_errands
from cs_platform.workspace.members import CannotChange, change_role, deactivate
from cs_platform.workspace.models import Invitation, Team
from cs_platform.workspace.teams import create_team, set_team
from ctas.models import Cta
from playbooks.models import Enrollment
from tests.rest.client import Api
from tests.visitor import Visitor, text
from tests.world import MONDAY, PEOPLE, Workspace, account, apply_now, days, live, playbook_json

NEW = "nora@elsewhere.example"
PASSWORD = "a long enough secret"


def mails(now: Any) -> list[Letter]:
    taken: list[Letter] = []

    def send(letter: Letter) -> Sent:
        taken.append(letter)
        return Sent("ok")

    run_errands(clock=lambda: now, send=send)
    return taken


def invited(home: Workspace, **said: str) -> str:
    """The link in the mail."""
    Visitor(home.jonah).submit("settings/members/", **{"email": NEW, "role": "csm", "team": ""} | said)
    made = Invitation.objects.latest("pk")
    letter = next(one for one in mails(made.created_at) if one.to_email == made.email)
    found = re.search(r"https?://[^/]+(/join/\S+)", letter.body)
    assert found
    return found[1]


def test_who_follows_the_link_joins_once_with_that_address_and_role(inside: Workspace) -> None:
    link, client = invited(inside), Client()
    token = link.split("/")[2]
    invitation = Invitation.objects.get()
    assert invitation.token_hash == hash_token(token)
    assert "Jonah Weiss invites nora@elsewhere.example as CSM" in text(client.get(link))

    answer = client.post(link, {"name": "Nora Berg", "password": PASSWORD})

    member = Membership.objects.get(email=NEW)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/w/orbiton/")
    assert (member.name, member.role, member.tenant_id) == ("Nora Berg", "csm", inside.tenant.pk)
    assert client.get("/w/orbiton/profile/").status_code == 200
    assert Client().post(link, {"name": "Twice", "password": PASSWORD}).status_code == 404
    assert not Credential.objects.filter(token_hash=hash_token(token)).exists()
    verbs = AuditEntry.objects.order_by("pk").values_list("verb", flat=True)
    assert list(verbs) == ["invitation.sent", "invitation.accepted"]


def test_a_weak_password_is_refused(inside: Workspace) -> None:
    answer = Client().post(invited(inside), {"name": "Nora", "password": "short"})

    assert answer.status_code == 422
    assert not User.objects.filter(email=NEW).exists()


def test_a_login_that_exists_joins_by_signing_in_and_no_other_login_can(inside: Workspace) -> None:
    link = invited(inside)
    nora = User.objects.create_user(email=NEW, password=PASSWORD, name="Nora")
    assert "Sign in with it" in text(Client().get(link))
    assert "account/login/?next=%2Fjoin%2F" in text(Client().get(link))
    other, client = Visitor(inside.tom).client, Client()
    assert "This invitation is for nora@elsewhere.example" in text(other.get(link))
    assert other.post(link).status_code == 422

    client.force_login(nora)
    assert client.post(link).status_code == 302
    assert Membership.objects.get(email=NEW).user == nora


@pytest.mark.parametrize("how", ["revoked", "too old", "sent again", "inviter demoted", "guessed"])
def test_a_link_stops_working(inside: Workspace, how: str) -> None:
    link, jonah = invited(inside), Visitor(inside.jonah)
    made = Invitation.objects.get()
    if how == "revoked":
        jonah.submit(f"settings/invitations/{made.pk}/revoke/")
    elif how == "too old":
        Invitation.objects.update(expires_at=MONDAY)
    elif how == "sent again":
        jonah.submit(f"settings/invitations/{made.pk}/again/")
        assert len(mails(made.created_at + days(0.02))) == 1
    elif how == "inviter demoted":
        Membership.objects.filter(pk=inside.jonah.pk).update(role="csm")
    else:
        link = "/join/guessed/"

    answer = Client().post(link, {"name": "Nora", "password": PASSWORD})
    assert answer.status_code == (422 if how == "inviter demoted" else 404)
    assert not Membership.objects.filter(email=NEW).exists()
    assert not User.objects.filter(email=NEW).exists()


def test_nobody_is_invited_twice_or_as_more_than_the_inviter_is(inside: Workspace) -> None:
    invited(inside)
    jonah = Visitor(inside.jonah)

    assert "is invited already" in text(jonah.submit("settings/members/", email=NEW, role="csm"))
    assert "is a member already" in text(jonah.submit("settings/members/", email="TOM@orbiton.example", role="csm"))
    assert jonah.submit("settings/members/", email="a@b.example", role="owner").status_code == 422
    assert Invitation.objects.count() == 1


def test_a_role_changes_with_the_next_request(inside: Workspace) -> None:
    tom = Visitor(inside.tom)
    assert tom.page("settings/audit/").status_code == 403
    Visitor(inside.jonah).submit(f"settings/members/{inside.tom.pk}/role/", role="admin")

    assert tom.page("settings/audit/").status_code == 200
    assert AuditEntry.objects.get(verb="member.role_changed").detail["after"] == {"role": "admin"}


def test_there_is_always_an_owner_and_only_owners_touch_owners(inside: Workspace) -> None:
    with pytest.raises(CannotChange, match="only an owner"):
        change_role(inside.olga, role=Role.CSM, by=inside.jonah, now=MONDAY)
    with pytest.raises(CannotChange, match="the only owner"):
        change_role(inside.olga, role=Role.CSM, by=inside.olga, now=MONDAY)
    with pytest.raises(CannotChange, match="cannot deactivate yourself"):
        deactivate(inside.olga, revoke_keys=False, by=inside.olga, now=MONDAY)
    change_role(inside.jonah, role=Role.OWNER, by=inside.olga, now=MONDAY)
    inside.jonah.refresh_from_db()

    assert change_role(inside.olga, role=Role.CSM, by=inside.jonah, now=MONDAY)


def test_somebody_who_leaves_is_out_at_once_and_a_colleague_has_their_work(inside: Workspace, cta: Cta) -> None:
    held = account("Calyx", csm=inside.tom, ae=inside.tom)
    key, _ = issue_key(name="Toms", scopes=["read"], by=inside.tom, now=MONDAY)
    tom, jonah = Visitor(inside.tom), Visitor(inside.jonah)
    page = text(jonah.page(f"settings/members/{inside.tom.pk}/"))
    assert "1 accounts as CSM" in page
    assert "1 open CTAs" in page
    jonah.submit(f"settings/members/{inside.tom.pk}/deactivate/", to=inside.maya.pk, revoke_keys="on")

    assert tom.page("accounts/").status_code == 404
    held.refresh_from_db()
    cta.refresh_from_db()
    assert (held.csm_id, held.ae_id, cta.owner_id) == (inside.maya.pk, inside.maya.pk, inside.maya.pk)
    assert TraitChange.objects.filter(account=held, field="csm").get().after == inside.maya.pk
    assert ApiKey.objects.get(pk=key.pk).revoked_at is not None
    jonah.submit(f"settings/members/{inside.tom.pk}/reactivate/")
    assert tom.page("accounts/").status_code == 200


# --- how far a role reaches -------------------------------------------------------------------------------------------


def team_of(home: Workspace, name: str, *members: Membership) -> Team:
    team = create_team(name=name, by=home.olga, now=MONDAY)
    set_team(team, name=name, members=members, leads=[members[0].pk], by=home.olga, now=MONDAY)
    return team


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("whose", ["own", "of the team", "nobody's", "of another team"])
def test_playbooks_are_applied_and_stopped_as_far_as_the_matrix_says(
    inside: Workspace, person: str, whose: str
) -> None:
    """Every role, on every kind of account, on the page, the fragment and the form."""
    north = [inside.people[person]] + ([inside.tom] if person != "tom" else [inside.priya])
    other = inside.maya if person != "maya" else inside.priya
    team_of(inside, "North", *north)
    team_of(inside, "South", other)
    csm = {"own": north[0], "of the team": north[1], "nobody's": None, "of another team": other}[whose]
    at, playbook = account("Calyx", csm=csm), live(playbook_json())
    role, visitor = PEOPLE[person][1], Visitor(inside.people[person])
    may = role in MATRIX[Ability.RUN_PLAYBOOKS]
    if role in WITHIN_REACH[Ability.RUN_PLAYBOOKS]:
        may = may and whose != "of another team"

    apply = f"playbooks/apply/{at.pk}/"
    answers = [visitor.page(apply), visitor.fragment(apply, "dialog"), visitor.submit(apply, playbook=playbook.pk)]
    assert [one.status_code for one in answers] == ([200, 200, 302] if may else [403] * 3)
    assert Enrollment.objects.exists() == may
    assert ("Apply playbook" in text(visitor.page(f"accounts/{at.pk}/"))) == may
    enrollment = Enrollment.objects.first() or apply_now(playbook, at, now=MONDAY)
    stop = f"playbooks/enrollments/{enrollment.pk}/stop/"
    assert visitor.page(stop).status_code == visitor.fragment(stop, "dialog").status_code == (200 if may else 403)
    assert ("Stop playbook" in text(visitor.page(f"accounts/{at.pk}/?history={enrollment.pk}"))) == may


def test_without_teams_everybody_reaches_everything(inside: Workspace, priya: Visitor) -> None:
    at = account("Calyx", csm=inside.tom)

    assert priya.page(f"playbooks/apply/{at.pk}/").status_code == 200


def test_teams_are_named_once_changed_archived_and_brought_back(inside: Workspace) -> None:
    jonah = Visitor(inside.jonah)
    jonah.submit("settings/teams/", name="North")
    team = Team.objects.get()
    assert "There is a team called “North” already." in text(jonah.submit("settings/teams/", name="North"))
    jonah.submit(f"settings/teams/{team.pk}/", name="Nordics", members=[inside.tom.pk], leads=[inside.maya.pk])

    listed = text(jonah.page("settings/teams/"))
    assert "Nordics" in listed
    assert "Maya Osei (lead), Tom Lindqvist" in listed
    jonah.submit(f"settings/teams/{team.pk}/archive/")
    assert "No teams yet" in text(jonah.page("settings/teams/"))
    jonah.submit(f"settings/teams/{team.pk}/restore/")
    assert Team.objects.get().archived_at is None
    verbs = AuditEntry.objects.order_by("pk").values_list("verb", flat=True)
    assert list(verbs) == ["team.created", "team.changed", "team.archived", "team.restored"]


# --- oneself, and keys ------------------------------------------------------------------------------------------------


def test_a_profile_is_ones_own(inside: Workspace, priya: Visitor) -> None:
    said = {"name": "Priya R.", "timezone": "Asia/Kolkata", "theme": "dark", "density": "compact", "role": "owner"}
    priya.submit("profile/", **said)
    inside.priya.refresh_from_db()

    assert (inside.priya.name, inside.priya.timezone, inside.priya.role) == ("Priya R.", "Asia/Kolkata", "csm")
    assert inside.priya.single_keys is False
    assert 'data-single-keys="off"' in text(priya.page("profile/"))
    assert priya.submit("profile/", **said | {"timezone": "Mars/Base"}).status_code == 422


def test_a_key_is_shown_once_and_revoked_at_once(inside: Workspace) -> None:
    jonah = Visitor(inside.jonah)
    page = text(jonah.submit("settings/api-keys/", name="Sync", scopes=["read"], days="30"))
    found = re.search(r"cs_live_[\w-]+", page)
    assert found
    api = Api(found[0])

    assert api.get("/members/").status == 200
    again = text(jonah.page("settings/api-keys/"))
    assert found[0] not in again
    assert "last used" in again
    jonah.submit(f"settings/api-keys/{ApiKey.objects.get().pk}/revoke/")
    assert api.get("/members/").status == 401
    assert Visitor(inside.maya).page("settings/api-keys/").status_code == 403


def test_a_key_invites_in_a_members_name_and_reads_teams(inside: Workspace) -> None:
    team, api = team_of(inside, "North", inside.maya, inside.tom), Api.with_key(inside.tenant, "members")
    said = {"email": NEW, "role": "csm", "team": team.pk, "invited_by": inside.jonah.pk}
    made = api.post("/invitations/", said).json

    assert (made["email"], made["team"]) == (NEW, team.pk)
    assert api.post("/invitations/", said | {"email": "a@b.example", "role": "owner"}).errors == {"/email": "invalid"}
    assert api.post(f"/invitations/{made['id']}/revoke/").json["revoked_at"]
    listed = api.get("/teams/").results[0]["members"]
    assert listed == [{"member": inside.maya.pk, "is_lead": True}, {"member": inside.tom.pk, "is_lead": False}]


def test_a_key_changes_roles_and_lets_people_go_and_come_back_in_a_members_name(inside: Workspace) -> None:
    api, by = Api.with_key(inside.tenant, "members"), {"by": inside.jonah.pk}
    tom = f"/members/{inside.tom.pk}/"
    cta = Cta.objects.create(account=account(), name="Call", type="risk", owner=inside.tom, created_at=MONDAY)

    assert api.post(f"{tom}change-role/", by | {"role": "manager"}).json["role"] == "manager"
    assert api.post(f"{tom}change-role/", by | {"role": "owner"}).errors == {"/role": "invalid"}
    assert api.post(f"{tom}deactivate/", by | {"to": inside.tom.pk}).errors == {"/to": "invalid"}
    assert api.post(f"{tom}deactivate/", by | {"to": inside.priya.pk}).json["deactivated_at"]
    cta.refresh_from_db()
    assert cta.owner == inside.priya
    assert api.post(f"{tom}reactivate/", by).json["deactivated_at"] is None
    assert Api.with_key(inside.tenant, "read").post(f"{tom}reactivate/", by).status == 403


def test_a_key_ranks_no_higher_than_who_issued_it(inside: Workspace) -> None:
    key, token = issue_key(name="Sync", scopes=["members"], by=inside.jonah, now=MONDAY)
    api = Api(token, key, inside.tenant.pk)

    assert api.post(f"/members/{inside.jonah.pk}/change-role/", {"role": "owner", "by": inside.olga.pk}).errors == {
        "/by": "invalid"
    }
    said = {"email": NEW, "role": "owner", "invited_by": inside.olga.pk}
    assert api.post("/invitations/", said).errors == {"/invited_by": "invalid"}


def test_a_key_makes_and_changes_teams(inside: Workspace) -> None:
    api = Api.with_key(inside.tenant, "members")
    made = api.post("/teams/", {"name": "North"}).json
    at, people = f"/teams/{made['id']}/", [{"member": inside.maya.pk, "is_lead": True}, {"member": inside.tom.pk}]

    assert api.patch(at, {"members": people}).json["members"] == [
        {"member": inside.maya.pk, "is_lead": True},
        {"member": inside.tom.pk, "is_lead": False},
    ]
    renamed = api.patch(at, {"name": "South"}).json
    assert (renamed["name"], len(renamed["members"])) == ("South", 2)
    assert api.post("/teams/", {"name": "South"}).errors == {"/name": "invalid"}
    assert api.post(f"{at}archive/").json["archived_at"]
    assert api.patch(at, {"name": "West"}).status == 409
    assert api.post(f"{at}restore/").json["archived_at"] is None
