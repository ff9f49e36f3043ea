"""What a PATCH says about an account beside its traits: people, parent, known cause."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from rest_framework import serializers

from accounts.api.serializers import TraitEditsSerializer, TraitsField
from accounts.facts import CannotBeParent, set_key_role, set_known_cause, set_parent, set_person
from accounts.holders import PERSONS
from accounts.models import Account, KeyRole
from cs_platform.rest.fields import IdField, MemberField
from cs_platform.rest.problems import Fault, Invalid
from cs_platform.tenancy.models import Doer


class RolesField(serializers.DictField):
    child = MemberField(allow_null=True)


class AccountEditsSerializer(TraitEditsSerializer):
    """As a person does it: each change is in the history and on the timeline, and no playbook takes it back."""

    traits = TraitsField(required=False, help_text="Custom traits only; null clears one.")
    csm = MemberField(required=False, allow_null=True)
    ae = MemberField(required=False, allow_null=True)
    roles = RolesField(required=False, help_text="Members' ids by the key of the role; null: nobody.")
    parent = IdField(  # type: ignore[assignment]  # Field has an attribute of that name
        lambda: Account.objects.present(), required=False, allow_null=True
    )
    known_cause = serializers.CharField(max_length=300, required=False, allow_blank=True)
    known_cause_until = serializers.DateField(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        cause, until = attrs.get("known_cause"), attrs.get("known_cause_until")
        if bool(cause) != bool(until) or ("known_cause" in attrs) != ("known_cause_until" in attrs):
            name = "known_cause_until" if cause else "known_cause"
            raise serializers.ValidationError({name: ["Send the cause and its last day together, or neither."]})
        return attrs


def edit_facts(account: Account, checked: Mapping[str, Any], *, by: Doer, now: datetime) -> None:
    """Everything but traits."""
    for role in PERSONS:
        if role in checked:
            set_person(account, role, member=checked[role], by=by, now=now)
    for own, member in _roles(checked.get("roles", {})):
        set_key_role(account, own, member=member, by=by, now=now)
    if "parent" in checked:
        _or_invalid("parent", lambda: set_parent(account, parent=checked["parent"], by=by, now=now))
    if "known_cause" in checked:
        cause, until = checked["known_cause"], checked["known_cause_until"]
        set_known_cause(account, cause=cause, until=until, by=by, now=now)


def _roles(given: Mapping[str, Any]) -> list[tuple[KeyRole, Any]]:
    known = {one.key: one for one in KeyRole.objects.filter(key__in=list(given), archived_at=None)}
    unknown = [Fault(f"/roles/{key}", "There is no such key role.") for key in given if key not in known]
    if unknown:
        raise Invalid(faults=unknown)
    return [(known[key], member) for key, member in given.items()]


def _or_invalid(name: str, act: Callable[[], object]) -> None:
    try:
        act()
    except CannotBeParent as refusal:
        raise Invalid(faults=[Fault(f"/{name}", str(refusal))]) from None
