"""Migrate as the owner role, then give the application role what it needs and nothing more. Harmless twice."""

from typing import Any

from django.core.management import BaseCommand, CommandError, call_command
from django.db import connections, transaction
from django.db.backends.utils import CursorWrapper
from psycopg2 import sql

from cs_platform.tenancy.append_only import append_only_tables

ONE_AT_A_TIME = 7_366_001  # an advisory lock: two containers may start at the same moment


class Command(BaseCommand):
    help = "Migrate the database as its owner and grant the application role its rights."
    requires_system_checks = []  # a database can be prepared whatever the URLs are like

    def handle(self, *args: Any, **options: Any) -> None:
        app, owner = connections["default"].settings_dict, connections["owner"].settings_dict
        if app["USER"] == owner["USER"]:
            raise CommandError(
                "DATABASE_URL and DATABASE_OWNER_URL name the same role: the application must not own its tables."
            )
        with connections["owner"].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [ONE_AT_A_TIME])
            call_command("migrate", database="owner", interactive=False, verbosity=options["verbosity"])
            with transaction.atomic(using="owner"):
                ensure_app_role(cursor, name=app["USER"], password=app["PASSWORD"])
                grant_rights(cursor, role=app["USER"], database=owner["NAME"])
            cursor.execute("SELECT pg_advisory_unlock(%s)", [ONE_AT_A_TIME])


def ensure_app_role(cursor: CursorWrapper, *, name: str, password: str) -> None:
    cursor.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = %s", [name])
    found = cursor.fetchone()
    if found and found[0]:
        raise CommandError(f"The application role {name} may pass row-level security: give DATABASE_URL a plain role.")
    if not found:
        _create_role(cursor, name=name, password=password)


def _create_role(cursor: CursorWrapper, *, name: str, password: str) -> None:
    cursor.execute("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
    if not cursor.fetchone()[0]:
        raise CommandError(f"The role {name} does not exist and the owner may not create it: CREATE ROLE {name} LOGIN.")
    rights = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS"
    cursor.execute(sql.SQL(f"CREATE ROLE {{}} {rights} PASSWORD %s").format(sql.Identifier(name)), [password or None])


def grant_rights(cursor: CursorWrapper, *, role: str, database: str) -> None:
    """Rows, yes; tables, no: only temporary ones, which the evaluation works in."""
    statements = [
        "GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {role}",
        "GRANT USAGE ON SCHEMA public TO {role}",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
        "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {role}",
        "REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {role}",
    ]
    names = {"role": sql.Identifier(role), "database": sql.Identifier(database)}
    for statement in statements:
        cursor.execute(sql.SQL(statement).format(**names))
    for table in append_only_tables():
        cursor.execute(sql.SQL("REVOKE UPDATE, DELETE ON {} FROM {}").format(sql.Identifier(table), names["role"]))
