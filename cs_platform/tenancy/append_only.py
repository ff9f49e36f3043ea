"""Tables that only grow: a trigger refuses change even where a grant would allow it."""

from django.apps import apps
from django.db.migrations import RunSQL


def append_only_tables() -> list[str]:
    models = (model for model in apps.get_models() if getattr(model, "append_only", False))
    return sorted({model._meta.db_table for model in models if not model._meta.proxy})


def refuse_changes(table: str) -> RunSQL:
    """A migration operation; `prepare_database` also withdraws the grants."""
    return RunSQL(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
        f"DROP TRIGGER {table}_append_only ON {table}",
    )


CREATE_FUNCTION = RunSQL(
    """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'TRUNCATE' AND current_user = (
            SELECT tableowner FROM pg_tables WHERE schemaname = TG_TABLE_SCHEMA AND tablename = TG_TABLE_NAME) THEN
            RETURN NULL;  -- the owner may empty a workspace-less database (tests, purge jobs)
        END IF;
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
    END $$
    """,
    "DROP FUNCTION refuse_change()",
)
