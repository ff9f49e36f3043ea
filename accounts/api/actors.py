"""The names of API keys, where something says who did it."""

from collections.abc import Collection, Mapping

from accounts.actors import Actor
from cs_platform.tenancy.models import ApiKey


class KeyActors:
    def actors(self, wanted: Collection[str]) -> Mapping[str, Actor]:
        ids = [int(pk) for actor in wanted if (pk := actor.removeprefix("key:")) != actor and pk.isdecimal()]
        found = ApiKey.objects.filter(pk__in=ids) if ids else ()
        return {key.actor: Actor(f"{key.name} (API)", "braces") for key in found}
