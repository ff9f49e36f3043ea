"""What PostgreSQL itself says about every table, whoever made it: of the schema as it is, and of wounded ones."""

from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from django.apps import apps
from django.conf import settings
from django.core.checks import run_checks
from django.db import connection, models

from cs_platform.embedded.postgres import APP_ROLE, SUPERUSER
from cs_platform.tenancy.append_only import append_only_tables
from cs_platform.tenancy.base import TenantForeignKey, TenantManager, TenantModel
from cs_platform.tenancy.checks import OUTSIDE, ROLE_RULES, TABLE_RULES, find_faults
from cs_platform.tenancy.models import Membership, Tenant
from tests.databases import servers

# Ids without a foreign key, each with the reason why a row may point at what is not there.
SOFT_REFERENCES = {
    ("playbooks_ledgerentry", "run_id"): "the ledger outlives what it tells of",
    ("playbooks_ledgerentry", "enrollment_id"): "the ledger outlives what it tells of",
    ("playbooks_enrollment", "parent_run_id"): "a run's primary key is a UUID that nobody can guess or reuse",
    ("playbooks_approval", "run_id"): "a run's primary key is a UUID that nobody can guess or reuse",
    ("connectors_retraction", "run_id"): "connectors lies below playbooks and cannot point up",
    ("connectors_retraction", "account_id"): "connectors lies below accounts and cannot point up",
    ("accounts_conversation", "origin_run_id"): "accounts lies below playbooks and cannot point up",
    ("accounts_conversation", "hand_id"): "it points at nothing: a form and its mail are known by it",
    ("ctas_cta", "origin_run_id"): "ctas lies below playbooks and cannot point up",
    ("ctas_task", "origin_run_id"): "ctas lies below playbooks and cannot point up",
    ("success_plans_successplan", "origin_run_id"): "success_plans lies below playbooks and cannot point up",
}


@pytest.fixture
def superuser(django_db_setup: None) -> Iterator[Any]:
    """A cursor whose changes to the schema are taken back."""
    database = servers().postgres.url(SUPERUSER, settings.DATABASES["default"]["NAME"])
    session = psycopg2.connect(database)
    with session.cursor() as cursor:
        yield cursor
    session.rollback()
    session.close()


@pytest.mark.django_db
def test_the_schema_and_the_role_break_no_rule() -> None:
    assert run_checks(tags=["database"], databases=["default"]) == []


@pytest.mark.parametrize(
    ("rule", "wound"),
    [
        ("E001", "ALTER ROLE wounded SUPERUSER"),
        ("E001", "ALTER ROLE wounded BYPASSRLS"),
        ("E001", "ALTER ROLE wounded CREATEROLE"),
        ("E001", "GRANT pg_write_all_data TO wounded"),
        ("E001", "GRANT cs_owner TO wounded"),
        ("E002", "ALTER TABLE ctas_cta OWNER TO wounded"),
        ("E002", "ALTER FUNCTION refuse_change() OWNER TO wounded"),
        ("E003", "GRANT CREATE ON SCHEMA public TO wounded"),
        ("E003", "GRANT CREATE ON SCHEMA public TO PUBLIC"),
        ("E004", "GRANT TRUNCATE ON ctas_cta TO wounded"),
        ("E004", "GRANT TRIGGER ON ctas_cta TO PUBLIC"),
        ("E005", "GRANT UPDATE ON tenancy_auditentry TO wounded"),
        ("E005", "GRANT DELETE ON playbooks_ledgerentry TO PUBLIC"),
        ("E006", "ALTER ROLE wounded SET app.tenant_id = '1'"),
        ("E006", "ALTER ROLE ALL SET row_security = 'off'"),
        ("E006", "GRANT SET ON PARAMETER session_replication_role TO wounded"),
    ],
)
def test_a_role_that_may_too_much_is_found(superuser: Any, rule: str, wound: str) -> None:
    superuser.execute("CREATE ROLE wounded LOGIN")
    assert broken(superuser, ROLE_RULES, role="wounded") == {}

    superuser.execute(wound)

    assert rule in broken(superuser, ROLE_RULES, role="wounded")


@pytest.mark.parametrize(
    ("rule", "offender", "wound"),
    [
        ("E101", "forgotten", "CREATE TABLE forgotten (id bigint PRIMARY KEY)"),
        ("E101", "forgotten", "CREATE TABLE forgotten (tenant_id integer NOT NULL)"),
        ("E101", "ctas_cta", "ALTER TABLE ctas_cta ALTER tenant_id DROP NOT NULL"),
        ("E102", "ctas_cta", "ALTER TABLE ctas_cta NO FORCE ROW LEVEL SECURITY"),
        ("E102", "ctas_cta", "ALTER TABLE ctas_cta DISABLE ROW LEVEL SECURITY"),
        ("E102", "forgotten", "CREATE TABLE forgotten (tenant_id bigint NOT NULL)"),
        ("E103", "ctas_cta", "DROP POLICY tenant ON ctas_cta"),
        ("E103", "ctas_cta", "CREATE POLICY support ON ctas_cta FOR SELECT USING (true)"),
        ("E103", "ctas_cta", "ALTER POLICY tenant ON ctas_cta WITH CHECK (true)"),
        ("E103", "ctas_cta", "ALTER POLICY tenant ON ctas_cta TO cs_owner"),
        (
            "E103",
            "ctas_cta",
            "ALTER POLICY tenant ON ctas_cta"
            " USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint)",
        ),
        ("E104", "oracle", "CREATE UNIQUE INDEX oracle ON ctas_cta (name)"),
        ("E104", "oracle", "CREATE INDEX oracle ON ctas_cta (account_id, tenant_id)"),
        ("E104", "oracle", "CREATE INDEX oracle ON ctas_cta (lower(name))"),
        ("E105", "accounts_suppression", "ALTER TABLE accounts_suppression DROP CONSTRAINT accounts_suppression_email"),
        ("E106", "accounts_account", "ALTER TABLE accounts_account DROP CONSTRAINT accounts_account_tenant_id_fkey"),
        (
            "E106",
            "playbooks_ledgerentry",
            "ALTER TABLE playbooks_ledgerentry DROP CONSTRAINT playbooks_ledgerentry_tenant_id_fkey",
        ),
        # Whose key is implied by what it must point at: the proof ends with any link of the chain.
        ("E106", "ctas_cta", "ALTER TABLE ctas_cta DROP CONSTRAINT ctas_cta_account_id_tenant_fk"),
        ("E106", "ctas_cta", "ALTER TABLE ctas_cta ALTER account_id DROP NOT NULL"),
        ("E106", "ctas_cta", "ALTER TABLE ctas_cta ALTER CONSTRAINT ctas_cta_account_id_tenant_fk NOT ENFORCED"),
        ("E106", "ctas_task", "ALTER TABLE accounts_account DROP CONSTRAINT accounts_account_tenant_id_fkey"),
        (
            "E107",
            "ctas_cta.plain",
            "ALTER TABLE ctas_cta ADD CONSTRAINT plain FOREIGN KEY (account_id) REFERENCES accounts_account (id)",
        ),
        (
            "E107",
            "ctas_cta.plain",
            "ALTER TABLE ctas_cta ADD CONSTRAINT plain FOREIGN KEY (id) REFERENCES tenancy_user",
        ),
        (
            "E107",
            "playbooks_enrollment.plain",
            "ALTER TABLE playbooks_enrollment ADD CONSTRAINT plain"
            " FOREIGN KEY (tenant_id, playbook_id, steps_total) REFERENCES playbooks_playbookversion"
            " (tenant_id, playbook_id, number)",
        ),
        (
            "E107",
            "ctas_task.ctas_task_cta_id_tenant_fk",
            "ALTER TABLE ctas_task ALTER CONSTRAINT ctas_task_cta_id_tenant_fk NOT ENFORCED",
        ),
        ("E108", "peek", "CREATE VIEW peek AS SELECT * FROM ctas_cta"),
        ("E108", "peek", "CREATE MATERIALIZED VIEW peek AS SELECT 1 AS one FROM tenancy_tenant"),
        ("E109", "peek()", "CREATE FUNCTION peek() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'"),
        (
            "E110",
            "tenancy_auditentry.tenancy_auditentry_append_only",
            "ALTER TABLE tenancy_auditentry DISABLE TRIGGER USER",
        ),
        ("E111", "tenancy_auditentry", "DROP TRIGGER tenancy_auditentry_append_only ON tenancy_auditentry"),
    ],
)
def test_a_wound_in_the_schema_is_found(superuser: Any, rule: str, offender: str, wound: str) -> None:
    superuser.execute(wound)

    assert offender in broken(superuser, TABLE_RULES).get(rule, [])


def broken(cursor: Any, rules: Any, *, role: str = APP_ROLE) -> dict[str, list[str]]:
    return {rule.id: offenders for rule, offenders in find_faults(cursor, rules, role=role)}


# --- the models and the catalogue know the same tables, in both directions -------------------------------------------


@pytest.mark.django_db
def test_every_table_belongs_to_a_model_and_every_model_has_its_table() -> None:
    assert tables() == {model._meta.db_table for model in every_model()} | {"django_migrations"}


@pytest.mark.django_db
def test_a_table_has_a_key_to_its_workspace_of_its_own_only_where_nothing_implies_it() -> None:
    """Each key is a look-up for every row that is ever inserted."""
    sql = "SELECT conrelid::regclass::text FROM pg_constraint WHERE conname LIKE %s"
    direct = rows(sql, "%tenant\\_id\\_fkey")
    assert {("accounts_account",), ("playbooks_ledgerentry",)} <= direct
    assert direct.isdisjoint({("playbooks_actionrun",), ("playbooks_enrollment",), ("accounts_timelineentry",)})


def test_a_model_is_a_tenants_or_its_table_stands_on_the_list() -> None:
    outside = {model._meta.db_table for model in every_model() if not issubclass(model, TenantModel)}
    assert outside | {"django_migrations"} == OUTSIDE


@pytest.mark.django_db
def test_every_reference_of_a_model_is_a_composite_key_and_there_are_no_others() -> None:
    in_models = {(model._meta.db_table, field.column) for model in tenant_models() for field in references(model)}

    assert in_models == rows(
        """
        SELECT conrelid::regclass::text, attname FROM pg_constraint
        JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY(conkey[2:])
        WHERE contype = 'f' AND confrelid <> 'tenancy_tenant'::regclass AND conrelid::regclass::text <> ALL(%s)
        """,
        sorted(OUTSIDE),
    )


@pytest.mark.parametrize("model", [m for m in apps.get_models() if issubclass(m, TenantModel)], ids=str)
def test_a_models_references_stay_inside_its_tenant(model: type[TenantModel]) -> None:
    for field in references(model):
        assert isinstance(field, TenantForeignKey), f"{field} must be a TenantForeignKey"
        assert issubclass(field.related_model, TenantModel | Membership), f"{field} points outside the workspace"


@pytest.mark.django_db
def test_an_id_without_a_foreign_key_has_a_reason() -> None:
    loose = rows(
        """
        SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> ALL(%s)
          AND a.attname LIKE '%%\\_id' AND a.attname <> 'tenant_id'
          AND a.atttypid IN ('bigint'::regtype, 'integer'::regtype, 'uuid'::regtype)
          AND NOT EXISTS (SELECT FROM pg_constraint
                          WHERE contype = 'f' AND conrelid = c.oid AND a.attnum = ANY(conkey))
        """,
        sorted(OUTSIDE),
    )
    assert loose == set(SOFT_REFERENCES)


@pytest.mark.django_db
def test_append_only_tables_and_their_triggers_are_the_same() -> None:
    triggers = rows(
        """
        SELECT tgrelid::regclass::text FROM pg_trigger JOIN pg_proc p ON p.oid = tgfoid
        WHERE proname = 'refuse_change' AND %s IS NOT NULL
        """,
        "",
    )
    assert triggers == {(table,) for table in append_only_tables()}


@pytest.mark.parametrize("model", [m for m in apps.get_models() if issubclass(m, TenantModel)], ids=str)
def test_no_manager_of_a_model_is_unscoped(model: type[TenantModel]) -> None:
    managers = [*model._meta.managers, model._default_manager, model._base_manager]
    assert [manager for manager in managers if not isinstance(manager, TenantManager)] == []


def every_model() -> list[type[models.Model]]:
    return [model for model in apps.get_models(include_auto_created=True) if model._meta.managed]


def tenant_models() -> list[type[TenantModel]]:
    return [model for model in every_model() if issubclass(model, TenantModel)]


def references(model: type[models.Model]) -> list[Any]:
    """All but the one to the workspace itself."""
    fields = [field for field in model._meta.get_fields() if isinstance(field, models.ForeignKey)]
    return [field for field in fields if field.related_model is not Tenant]


def tables() -> set[str]:
    sql = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = ANY(%s)"
    return {name for (name,) in rows(sql, ["r", "p", "f"])}


def rows(sql: str, parameter: Any) -> set[tuple[str, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [parameter])
        return set(cursor.fetchall())
