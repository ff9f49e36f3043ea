"""Who did something, in words. Actors are stored as "person:7" or "playbook:12"; upper layers name their own."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from accounts.models import CsvImport, DataSource, EndUser, Segment
from cs_platform.tenancy.audit import COMMAND_LINE
from cs_platform.tenancy.context import current_tenant_id
from cs_platform.tenancy.models import ApiKey, Membership


@dataclass(frozen=True, slots=True)
class Actor:
    name: str
    icon: str = ""
    at: datetime | None = None  # when it acted, where the actor itself knows: a playbook's run does


class ActorSource(Protocol):
    def actors(self, wanted: Collection[str]) -> Mapping[str, Actor]:
        """Those it knows among the wanted, in a fixed number of queries."""


def load_actors(wanted: Collection[str]) -> dict[str, Actor]:
    """Everybody wanted gets a name; one that no source knows any more is “somebody”."""
    found: dict[str, Actor] = dict.fromkeys(wanted, Actor("somebody", "user"))
    for source in (Persons(), Segments(), *(import_string(path)() for path in settings.ACTOR_SOURCES)):
        found |= source.actors(wanted)
    return found


class Persons:
    """Team members, API keys, data sources, users who answered something, and the imports nobody signs for."""

    def actors(self, wanted: Collection[str]) -> Mapping[str, Actor]:
        people, keys, users = (ids_after(prefix, wanted) for prefix in ("person:", "key:", "user:"))
        members = Membership.objects.in_tenant(current_tenant_id()).filter(pk__in=people) if people else ()
        known = ApiKey.objects.filter(pk__in=keys).only("tenant_id", "name") if keys else ()
        answering = (
            EndUser.objects.filter(pk__in=users).only("tenant_id", "name", "email", "external_id") if users else ()
        )
        named = {f"user:{user.pk}": Actor(str(user), "user") for user in answering}
        named |= {member.actor: Actor(member.name, "user") for member in members}
        keyed = {f"key:{key.pk}": Actor(f"the API key {key.name}", "key-round") for key in known}
        brought = _sources(ids_after("source:", wanted)) | _files(ids_after("import:", wanted))
        return named | keyed | brought | _SYSTEM_ACTORS


def _sources(wanted: Collection[int]) -> dict[str, Actor]:
    found = DataSource.objects.filter(pk__in=wanted).only("name", "tenant_id") if wanted else ()
    return {source.actor: Actor(f"the data source {source.name}", "download") for source in found}


def _files(wanted: Collection[int]) -> dict[str, Actor]:
    found = CsvImport.objects.filter(pk__in=wanted).values_list("pk", "file_name") if wanted else ()
    return {f"import:{pk}": Actor(f"the import of {name}", "download") for pk, name in found}


class Segments:
    """Rules that let somebody in, or out."""

    def actors(self, wanted: Collection[str]) -> Mapping[str, Actor]:
        ids = ids_after("segment:", wanted)
        found = Segment.objects.filter(pk__in=ids).values_list("pk", "name") if ids else ()
        return {f"segment:{pk}": Actor(f"the rule of {name}", "shapes") for pk, name in found}


def ids_after(prefix: str, wanted: Collection[str]) -> set[int]:
    """The ids of actors of one kind: 7 of "person:7"."""
    parts = (actor.removeprefix(prefix) for actor in wanted if actor.startswith(prefix))
    return {int(part) for part in parts if part.isdecimal()}


_SYSTEM_ACTORS = {
    "import": Actor("an import", "download"),
    "segment": Actor("a Segment export", "download"),
    "lifecycle-rules": Actor("the lifecycle rules", "refresh-cw"),
    "engine": Actor("the engine", "workflow"),
    "handover": Actor("the nightly handover", "users"),
    COMMAND_LINE: Actor("the command line", "settings"),
}
