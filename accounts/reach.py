"""Which accounts a team member's role reaches: their own, those of their teams, and those nobody looks after.

A role that acts everywhere reaches all; roles.WITHIN_REACH says which acts only so far. Asked where one is loaded.
"""

from django.core.exceptions import PermissionDenied
from django.db.models import Q

from accounts.models import Account, AccountRole
from cs_platform.tenancy.models import Membership
from cs_platform.tenancy.roles import Ability, Role, is_bound_to_reach
from cs_platform.workspace.teams import colleagues_of

OUT_OF_REACH = "This account is looked after by another team."


def reached_by(member: Membership, ability: Ability) -> Q:
    """A condition on accounts; empty for who reaches all."""
    if not is_bound_to_reach(Role(member.role), ability):
        return Q()
    held = AccountRole.objects.filter(member=member).values("account")
    return Q(csm=None) | Q(csm__in=colleagues_of(member)) | Q(ae=member) | Q(pk__in=held)


def reaches(member: Membership, ability: Ability, account: Account) -> bool:
    if not member.can(ability):
        return False
    if not is_bound_to_reach(Role(member.role), ability):
        return True
    if account.csm_id in (None, member.pk) or account.ae_id == member.pk:
        return True
    return Account.objects.filter(reached_by(member, ability), pk=account.pk).exists()


def refuse_beyond(member: Membership, ability: Ability, account: Account) -> None:
    if not reaches(member, ability, account):
        raise PermissionDenied(OUT_OF_REACH)
