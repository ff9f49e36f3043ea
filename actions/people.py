"""Who a role means on an account at the moment an action runs: only active team members count."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from actions.base import Batch, Receipt
from cs_platform.common.statements import fetch

CSM, AE, MEMBER = "csm", "ae", "member:"
ADMINS, MANAGERS = "team:admin", "team:manager"  # whoever is of that rank in the workspace: asked, never assigned
ROLE_WORDS = {
    CSM: "the account’s CSM",
    AE: "the account’s AE",
    ADMINS: "an owner or admin",
    MANAGERS: "an owner, admin or manager",
}


@dataclass(frozen=True, slots=True)
class Member:
    id: int
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Target:
    """An account that is still there, with the active people on it."""

    account_id: int
    name: str
    csm: Member | None
    ae: Member | None


@dataclass(frozen=True, slots=True)
class Targets:
    """The accounts of a batch. One that was archived meanwhile is absent."""

    accounts: Mapping[int, Target]
    named: Mapping[str, Member]

    def get(self, account_id: int) -> Target | None:
        return self.accounts.get(account_id)

    def person(self, account_id: int, role: str) -> Member | None:
        """The active holder of a role: "csm", "ae", "member:<email>", or nobody for ""."""
        target = self.accounts[account_id]
        if role.startswith(MEMBER):
            return self.named.get(role.removeprefix(MEMBER))
        return {CSM: target.csm, AE: target.ae}.get(role)

    def first(self, account_id: int, *roles: str) -> Member | None:
        """The first of these roles that anybody active holds."""
        return next((found for role in roles if (found := self.person(account_id, role))), None)

    def fell_to(self, account_id: int, role: str, found: Member | None) -> Receipt:
        """For the receipt: who took it because nobody active holds the role that was asked for."""
        return {} if found is None or found == self.person(account_id, role) else {"fell_to": found.name}


def fallback_words(receipt: Receipt, role: str) -> str:
    """Of a receipt that says so, for the end of a sentence."""
    return f"; it fell to {receipt['fell_to']}, as {role_words(role)} is nobody active" if "fell_to" in receipt else ""


def role_words(role: str) -> str:
    return ROLE_WORDS.get(role) or role.removeprefix(MEMBER) or "nobody"


def load_targets(batch: Batch, *, roles: Iterable[str] = (), lock: bool = False) -> Targets:
    """In the order of ids, so that two batches that lock the same accounts never wait for each other in a ring."""
    rows = fetch(
        f"""
        SELECT a.id, a.name, c.id, c.name, c.email, e.id, e.name, e.email
        FROM accounts_account a
        LEFT JOIN tenancy_membership c ON c.tenant_id = a.tenant_id AND c.id = a.csm_id AND c.deactivated_at IS NULL
        LEFT JOIN tenancy_membership e ON e.tenant_id = a.tenant_id AND e.id = a.ae_id AND e.deactivated_at IS NULL
        WHERE a.tenant_id = %(tenant)s AND a.id = ANY(%(ids)s) AND a.archived_at IS NULL
        ORDER BY a.id {"FOR NO KEY UPDATE OF a" if lock else ""}
        """,
        {"tenant": batch.tenant_id, "ids": list({run.account_id for run in batch.runs})},
    )
    return Targets({row[0]: _target(row) for row in rows}, _named(batch.tenant_id, roles))


def _target(row: tuple[Any, ...]) -> Target:
    account_id, name, *people = row
    csm, ae = (Member(*person) if person[0] else None for person in (people[:3], people[3:]))
    return Target(account_id, name, csm, ae)


def _named(tenant_id: int, roles: Iterable[str]) -> dict[str, Member]:
    emails = {role.removeprefix(MEMBER) for role in roles if role.startswith(MEMBER)}
    if not emails:
        return {}
    rows = fetch(
        "SELECT id, name, email FROM tenancy_membership "
        "WHERE tenant_id = %(tenant)s AND lower(email) = ANY(%(emails)s) AND deactivated_at IS NULL",
        {"tenant": tenant_id, "emails": list(emails)},
    )
    return {email.lower(): Member(pk, name, email) for pk, name, email in rows}
