"""Row-level security holds only for a role it binds and on tables that have it: both are looked up in the catalogue.

Web, worker and beat refuse to start as a role that could pass it. `manage.py check --database default` also looks at
every table; the tests do on each new schema.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from .append_only import append_only_tables

# Read before a workspace is known, or holding nothing of one. A name added here is a decision about isolation.
OUTSIDE = frozenset(
    {
        "account_emailaddress",
        "account_emailconfirmation",
        "auth_group",
        "auth_group_permissions",
        "auth_permission",
        "django_content_type",
        "django_migrations",
        "django_session",
        "mfa_authenticator",
        "tenancy_credential",
        "tenancy_heartbeat",
        "tenancy_membership",
        "tenancy_tenant",
        "tenancy_user",
        "tenancy_workdue",
        "usersessions_usersession",
    }
)


NAMED = 5  # offenders in a message


@dataclass(frozen=True, slots=True)
class Rule:
    """`sql` finds what breaks it: one text per offender."""

    id: str
    says: str
    sql: str


ROLE_RULES = (
    Rule(
        "E001",
        "the application's role must be bound by row-level security and manage nothing",
        """
        SELECT word FROM pg_roles, LATERAL (VALUES
            ('SUPERUSER', rolsuper), ('BYPASSRLS', rolbypassrls), ('CREATEROLE', rolcreaterole),
            ('CREATEDB', rolcreatedb), ('REPLICATION', rolreplication)) AS may (word, granted)
        WHERE rolname = %(role)s AND granted
        UNION ALL
        SELECT 'member of ' || pg_get_userbyid(roleid) FROM pg_auth_members
        WHERE member = quote_ident(%(role)s)::regrole
        """,
    ),
    Rule(
        "E002",
        "the application's role must own nothing: policies of its own tables it could switch off",
        """
        SELECT pg_describe_object(classid, objid, objsubid) FROM pg_shdepend
        WHERE refclassid = 'pg_authid'::regclass AND refobjid = quote_ident(%(role)s)::regrole AND deptype = 'o'
          AND dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
          AND NOT (classid = 'pg_class'::regclass AND objid IN (
              SELECT oid FROM pg_class WHERE relpersistence = 't'))
        """,
    ),
    Rule(
        "E003",
        "the application's role must create nothing but temporary tables",
        """
        SELECT 'schema ' || nspname FROM pg_namespace
        WHERE nspname NOT LIKE 'pg\\_%%' AND has_schema_privilege(%(role)s, oid, 'CREATE')
        UNION ALL
        SELECT 'database ' || datname FROM pg_database
        WHERE datname = current_database() AND has_database_privilege(%(role)s, oid, 'CREATE')
        """,
    ),
    Rule(
        "E004",
        "the application's role may read and write rows, nothing else: TRUNCATE asks no policy",
        """
        SELECT oid::regclass::text FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')
          AND has_table_privilege(%(role)s, oid, 'TRUNCATE, REFERENCES, TRIGGER, MAINTAIN')
        """,
    ),
    Rule(
        "E005",
        "tables that only grow must not be granted UPDATE or DELETE",
        """
        SELECT oid::regclass::text FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relname = ANY(%(append_only)s)
          AND has_table_privilege(%(role)s, oid, 'UPDATE, DELETE')
        """,
    ),
    Rule(
        "E006",
        "no session may begin inside a workspace, or without triggers and foreign keys",
        """
        SELECT DISTINCT split_part(setting, '=', 1) FROM pg_db_role_setting, unnest(setconfig) AS setting
        WHERE setrole IN (0, quote_ident(%(role)s)::regrole)
          AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
          AND split_part(setting, '=', 1) IN ('app.tenant_id', 'session_replication_role', 'row_security')
        UNION ALL
        SELECT 'may SET session_replication_role'
        WHERE has_parameter_privilege(%(role)s, 'session_replication_role', 'SET')
        """,
    ),
)

_TENANT_TABLES = """
    SELECT oid, relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname <> ALL(%(outside)s)
"""

TABLE_RULES = (
    Rule(
        "E101",
        "every table has tenant_id bigint NOT NULL, or its name stands in OUTSIDE (cs_platform/tenancy/checks.py)",
        f"""
        SELECT relname FROM ({_TENANT_TABLES}) t WHERE NOT EXISTS (
            SELECT FROM pg_attribute
            WHERE attrelid = t.oid AND attname = 'tenant_id' AND attnotnull AND atttypid = 'bigint'::regtype)
        """,
    ),
    Rule(
        "E102",
        "row-level security must be enabled and forced",
        f"""
        SELECT relname FROM ({_TENANT_TABLES}) t JOIN pg_class c USING (oid, relname)
        WHERE NOT (relrowsecurity AND relforcerowsecurity)
        """,
    ),
    Rule(
        "E103",
        "there must be the one policy, for reading and writing, and no other",
        f"""
        SELECT relname FROM ({_TENANT_TABLES}) t LEFT JOIN pg_policy p ON p.polrelid = t.oid
        GROUP BY relname HAVING count(*) <> 1 OR NOT COALESCE(bool_and(
            polpermissive AND polcmd = '*' AND polroles = '{{0}}'
            AND pg_get_expr(polqual, polrelid) = %(mine)s AND pg_get_expr(polwithcheck, polrelid) = %(mine)s), false)
        """,
    ),
    Rule(
        "E104",
        "every unique constraint and index begins with tenant_id, the surrogate primary key apart",
        f"""
        SELECT i.indexrelid::regclass::text FROM ({_TENANT_TABLES}) t
        JOIN pg_index i ON i.indrelid = t.oid
        LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = i.indkey[0]
        WHERE a.attname IS DISTINCT FROM 'tenant_id' AND NOT (i.indisprimary AND i.indnatts = 1 AND a.attname = 'id')
        """,
    ),
    Rule(
        "E105",
        "a whole index must begin with tenant_id, or the policy would read every workspace's rows",
        f"""
        SELECT relname FROM ({_TENANT_TABLES}) t WHERE NOT EXISTS (
            SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = i.indkey[0]
            WHERE i.indrelid = t.oid AND i.indpred IS NULL AND i.indisvalid AND a.attname = 'tenant_id')
        """,
    ),
    Rule(
        "E106",
        "tenant_id must reference the workspace, itself or through rows that must exist and do",
        f"""
        WITH RECURSIVE keys AS (
            SELECT conrelid, confrelid, pg_get_constraintdef(oid) AS says, NOT EXISTS (
                SELECT FROM pg_attribute
                WHERE attrelid = conrelid AND attnum = ANY(conkey) AND NOT attnotnull) AS always
            FROM pg_constraint WHERE contype = 'f' AND convalidated AND conenforced
        ), guarded AS (
            SELECT conrelid AS oid FROM keys
            WHERE always AND says LIKE 'FOREIGN KEY (tenant_id) REFERENCES tenancy_tenant(id)%%'
            UNION
            SELECT conrelid FROM keys JOIN guarded ON guarded.oid = confrelid
            WHERE always AND says LIKE 'FOREIGN KEY (tenant_id, %%) REFERENCES %%(tenant_id, id)%%'
        )
        SELECT relname FROM ({_TENANT_TABLES}) t WHERE oid NOT IN (SELECT oid FROM guarded)
        """,
    ),
    Rule(
        "E107",
        "a foreign key must be (tenant_id, …, column) to (tenant_id, …, id): a plain one accepts another workspace's",
        rf"""
        SELECT conrelid::regclass || '.' || conname FROM pg_constraint
        WHERE contype = 'f' AND confrelid <> 'tenancy_tenant'::regclass
          AND (conrelid IN (SELECT oid FROM ({_TENANT_TABLES}) t)
               OR confrelid IN (SELECT oid FROM ({_TENANT_TABLES}) t))
          AND NOT (convalidated AND conenforced AND pg_get_constraintdef(oid) ~
                   '^FOREIGN KEY \(tenant_id, (\w+, )?\w+\) REFERENCES \w+\(tenant_id, (\w+, )?id\)')
        """,
    ),
    Rule(
        "E108",
        "views must run with the reader's rights, and nothing may keep copies of rows",
        """
        SELECT relname::text FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND (relkind IN ('m', 'f') OR (relkind = 'v'
              AND NOT COALESCE('security_invoker=true' = ANY(reloptions), false)))
        """,
    ),
    Rule(
        "E109",
        "no function of ours may run with its owner's rights",
        """
        SELECT oid::regprocedure::text FROM pg_proc
        WHERE prosecdef AND pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
        """,
    ),
    Rule(
        "E110",
        "a trigger that is switched off guards nothing",
        """
        SELECT tgrelid::regclass || '.' || tgname FROM pg_trigger WHERE tgenabled NOT IN ('O', 'A')
        """,
    ),
    Rule(
        "E111",
        "tables that only grow need their trigger: grants alone do not bind the owner",
        """
        SELECT relname::text FROM pg_class c
        WHERE relnamespace = 'public'::regnamespace AND relname = ANY(%(append_only)s) AND NOT EXISTS (
            SELECT FROM pg_trigger g JOIN pg_proc p ON p.oid = g.tgfoid
            -- BEFORE (2) DELETE (8), UPDATE (16) or TRUNCATE (32), FOR EACH STATEMENT
            WHERE g.tgrelid = c.oid AND p.proname = 'refuse_change' AND g.tgtype = 58)
        """,
    ),
)


def find_faults(cursor: Any, rules: Iterable[Rule], *, role: str) -> Iterator[tuple[Rule, list[str]]]:
    """The rules that are broken, each with who breaks it. Any role may ask: the catalogue is open to all."""
    for rule in rules:
        cursor.execute(rule.sql, _names() | {"role": role})
        if offenders := sorted(name for (name,) in cursor.fetchall()):
            yield rule, offenders


def _names() -> dict[str, Any]:
    mine = "(tenant_id = (current_setting('app.tenant_id'::text))::bigint)"
    return {"outside": sorted(OUTSIDE), "append_only": append_only_tables(), "mine": mine}


def refuse_unsafe_role() -> None:
    """Once in each process, before it serves anybody. Leaves no connection behind: the caller may fork."""
    connection = connections["default"]
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            (role,) = cursor.fetchone()
            faults = [_in_words(rule, who) for rule, who in find_faults(cursor, ROLE_RULES, role=role)]
    finally:
        connection.close()
    if faults:
        why = "; ".join(faults)
        raise ImproperlyConfigured(f"DATABASE_URL names the role {role}, and workspaces would not be safe: {why}.")


@register(Tags.database)
def isolation(*, databases: Sequence[str] | None, **_: Any) -> list[CheckMessage]:
    """Of the application's database, when asked for by name; `migrate` asks for the owner's."""
    if "default" not in (databases or ()):
        return []
    connection = connections["default"]
    with connection.cursor() as cursor:
        faults = find_faults(cursor, (*ROLE_RULES, *TABLE_RULES), role=connection.settings_dict["USER"])
        return [Error(_in_words(rule, who), id=f"tenancy.{rule.id}") for rule, who in faults]


def _in_words(rule: Rule, offenders: Sequence[str]) -> str:
    more = f" and {len(offenders) - NAMED} more" if len(offenders) > NAMED else ""
    return f"{rule.says} ({', '.join(offenders[:NAMED])}{more})"
