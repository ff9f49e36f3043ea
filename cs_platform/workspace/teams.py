"""Teams: people who look after accounts together, and whose accounts each of them therefore reaches."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from cs_platform.tenancy.audit import record
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import Doer, Membership
from cs_platform.workspace.models import Team, TeamMember

MOST_TEAMS = 200


class CannotSave(Exception):
    """The text says why."""


def create_team(*, name: str, by: Doer, now: datetime) -> Team:
    if Team.objects.filter(archived_at=None).count() >= MOST_TEAMS:
        raise CannotSave(f"There are {MOST_TEAMS} teams already.")
    team = _kept(Team(name=name, created_at=now))
    _record("team.created", team, by=by, now=now)
    return team


def set_team(
    team: Team, *, name: str, members: Collection[Membership], leads: Collection[int], by: Doer, now: datetime
) -> None:
    """Its name and all its people. Who leads a team is in it."""
    before = _said(team)
    with transaction.atomic():
        team.name = name
        _kept(team)
        TeamMember.objects.filter(team=team).delete()
        places = [TeamMember(team=team, member=one, is_lead=one.pk in leads) for one in members]
        TeamMember.objects.bulk_create(places)
        _record("team.changed", team, before=before, after=_said(team), by=by, now=now)


def archive_team(team: Team, *, by: Doer, now: datetime) -> bool:
    if not Team.objects.filter(pk=team.pk, archived_at=None).update(archived_at=now):
        return False
    _record("team.archived", team, by=by, now=now)
    return True


def restore_team(team: Team, *, by: Doer, now: datetime) -> bool:
    if team.archived_at is None:
        return False
    team.archived_at = None
    _kept(team)
    _record("team.restored", team, by=by, now=now)
    return True


def colleagues_of(member: Membership) -> set[int]:
    """Ids of those in the same teams. Whoever is in none belongs with all the others who are in none."""
    places = TeamMember.objects.filter(team__archived_at=None)
    mine = set(places.filter(member=member).values_list("team", flat=True))
    if mine:
        return {member.pk, *places.filter(team__in=mine).values_list("member", flat=True)}
    teamed = set(places.values_list("member", flat=True))
    everybody = Membership.objects.in_tenant(current_tenant_id()).values_list("pk", flat=True)
    return set(everybody) - teamed


def _kept(team: Team) -> Team:
    try:
        with transaction.atomic():
            team.save()
    except IntegrityError as taken:
        raise CannotSave(f"There is a team called “{team.name}” already.") from taken
    return team


def _said(team: Team) -> dict[str, Any]:
    places = TeamMember.objects.filter(team=team).select_related("member").order_by("member__name", "pk")
    people = [f"{one.member.name} (lead)" if one.is_lead else one.member.name for one in places]
    return {"name": team.name, "members": people}


def _record(verb: str, team: Team, *, by: Doer, now: datetime, **said: Any) -> None:
    record(verb=verb, subject_type="team", subject_id=team.pk, name=team.name, by=by, now=now, **said)
