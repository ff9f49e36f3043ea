"""The scopes of a key decide what it may do: each action of a view names the ability it needs."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from cs_platform.rest.authentication import call_of
from cs_platform.tenancy.roles import SCOPES, Ability, scopes_allow


class HasScope(BasePermission):
    message = "This key lacks the scope for that."

    def has_permission(self, request: Request, view: Any) -> bool:
        key = call_of(request).key
        if key is None:
            return False
        if view.action is None:  # a method this address does not know: answered with 405
            return True
        ability = view.ability
        self.message = f"This key needs one of these scopes: {', '.join(scopes_with(ability))}."
        return scopes_allow(key.scopes, ability)


def scopes_with(ability: Ability) -> list[str]:
    return [scope for scope, abilities in SCOPES.items() if ability in abilities]
