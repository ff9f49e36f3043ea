"""Roles of the workspace's own beside CSM and AE, and who holds them at which account."""

from django.db import models

from accounts.models.account import Account
from cs_platform.tenancy.base import TenantForeignKey, TenantModel
from cs_platform.tenancy.models import Membership


class KeyRole(TenantModel):
    key = models.CharField(max_length=60)
    name = models.CharField(max_length=100)
    position = models.PositiveSmallIntegerField(default=0)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="accounts_keyrole_key")]

    def __str__(self) -> str:
        return self.name


class RoleTurn(TenantModel):
    """When a member was last given an account in a role, by whomever: round robin asks for the one longest ago.

    It only moves forward; taking an assignment back gives nobody their turn again.
    """

    is_referenced = False

    role = models.CharField(max_length=70)  # as rules name it: "csm", "role:onboarding"
    member = TenantForeignKey(Membership, on_delete=models.CASCADE, related_name="+")
    assigned_at = models.DateTimeField()
    place = models.PositiveIntegerField(default=0)  # among those of one moment

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant", "role", "member"], name="accounts_roleturn_once")]

    def __str__(self) -> str:
        return f"{self.member_id} as {self.role}"


class Workload(TenantModel):
    """What a member can take on: no row, or nothing in it, is no limit."""

    is_referenced = False

    member = TenantForeignKey(Membership, on_delete=models.CASCADE, related_name="+")
    # Accounts they hold at most, counted per role.
    capacity = models.PositiveIntegerField(null=True, blank=True)
    away_until = models.DateField(null=True, blank=True)  # the last day on which nothing new is given to them

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant", "member"], name="accounts_workload_once")]

    def __str__(self) -> str:
        return f"workload of {self.member_id}"


class AccountRole(TenantModel):
    """The one member who holds a key role at an account."""

    is_referenced = False

    account = TenantForeignKey(Account, on_delete=models.CASCADE, related_name="key_roles")
    role = TenantForeignKey(KeyRole, on_delete=models.CASCADE, related_name="+")
    member = TenantForeignKey(Membership, on_delete=models.CASCADE, related_name="+")
    since_at = models.DateTimeField()
    assigned_by = models.CharField(max_length=100)  # "person:7", "run:0198…", "import:3"

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant", "account", "role"], name="accounts_accountrole_once")]
        # Read by rules and table filters: whose accounts are these?
        indexes = [models.Index(fields=["tenant", "role", "member", "account"], name="accounts_accountrole_rule")]

    def __str__(self) -> str:
        return f"{self.member_id} as {self.role_id} of {self.account_id}"
