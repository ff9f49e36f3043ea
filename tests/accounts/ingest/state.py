"""What is in the database, as something that can be compared."""

from typing import Any

from django.db import connection

from accounts.models import Account, AccountUser, EndUser, EventCount, TraitDefinition
from cs_platform.tenancy.context import tenant_context
from cs_platform.tenancy.models import Tenant

TABLES = (
    "accounts_account",
    "accounts_enduser",
    "accounts_accountuser",
    "accounts_traitdefinition",
    "accounts_eventtype",
    "accounts_eventcount",
    "accounts_ingestedmessage",
    "accounts_traitproblem",
)


def hashes(tenant: Tenant) -> dict[str, str]:
    """Every column of every row: a second run must leave them alike to the last microsecond."""
    with tenant_context(tenant.pk), connection.cursor() as cursor:
        found = {}
        for table in TABLES:
            cursor.execute(f"SELECT md5(string_agg(t::text, chr(10) ORDER BY t.id)) FROM {table} t")
            found[table] = cursor.fetchone()[0]
        return found


def facts(tenant: Tenant) -> dict[str, Any]:
    """The same without ids and slots, which depend on the order of arrival."""
    with tenant_context(tenant.pk):
        return {
            "accounts": _rows(
                Account,
                *("external_id", "name", "plan", "lifecycle", "mrr_cents", "renewal_on", "trial_end_on", "created_at"),
                *("health", "last_seen_at", "user_count", "traits", "trait_moments", "csm__email", "ae__email"),
            ),
            "users": _rows(
                EndUser,
                *("external_id", "name", "email", "created_at", "last_seen_at", "unsubscribed_at"),
                *("traits", "trait_moments"),
            ),
            "ties": _rows(
                AccountUser, "account__external_id", "end_user__external_id", "role", "role_at", "last_seen_at"
            ),
            "events": _rows(
                EventCount,
                *("event_type__name", "day", "account__external_id", "end_user__external_id", "count", "last_at"),
            ),
            "definitions": _rows(TraitDefinition, "scope", "key", "type", "column"),
        }


def wrong_mirrors(tenant: Tenant) -> list[str]:
    """Traits whose slot does not hold what the document says."""
    with tenant_context(tenant.pk), connection.cursor() as cursor:
        found = []
        for definition in TraitDefinition.objects.exclude(slot=None):
            table = "accounts_account" if definition.scope == "account" else "accounts_enduser"
            stored = f"to_jsonb({definition.slot})"
            if definition.slot.startswith("s"):
                stored = f"""to_jsonb(to_char({definition.slot} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))"""
            cursor.execute(
                f"SELECT count(*) FROM {table} WHERE {stored} IS DISTINCT FROM traits -> %s", [definition.key]
            )
            found += [definition.key] * cursor.fetchone()[0]
        return found


def _rows(model: Any, *names: str) -> list[tuple[Any, ...]]:
    return sorted(model.objects.values_list(*names), key=repr)
