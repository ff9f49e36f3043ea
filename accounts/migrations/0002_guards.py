from django.db import migrations

from cs_platform.tenancy.append_only import refuse_changes

# Wide `traits` documents stay in line (a compressed one is unpacked again by every condition), and updates of
# unindexed columns find room in their own page.
_STORAGE = "ALTER TABLE {} SET (toast_tuple_target = 8160, fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05)"

# What ANALYZE would find in a first workspace. Until it has run, the planner takes a workspace for a two-hundredth of the
# table and would rather read all of it than reach for the few keys a statement asks for: a first import cost the
# database 1.6 times the work with 50,000 users, and more with every further one.
_FIRST_STATISTICS = """
    SELECT pg_restore_attribute_stats(
        'schemaname', 'public', 'relname', '{}', 'attname', '{}', 'inherited', false,
        'version', current_setting('server_version_num')::int, 'null_frac', {}::real, 'avg_width', 8, 'n_distinct', {}::real
    )
"""
_FILLED_BY_IMPORTS = ("account", "enduser", "accountuser", "eventcount", "ingestedmessage")
# Hardly anything is archived: else an index of what is present looks two hundred times smaller than it is.
_ARCHIVED = ("account", "enduser")


def _first_statistics(table: str, column: str, *, null_share: int, values: int) -> migrations.RunSQL:
    sql = _FIRST_STATISTICS.format(f"accounts_{table}", column, null_share, values)
    return migrations.RunSQL(sql, migrations.RunSQL.noop)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial"), ("tenancy", "0002_guards")]
    operations = [
        refuse_changes("accounts_timelineentry"),
        migrations.RunSQL(_STORAGE.format("accounts_account"), migrations.RunSQL.noop),
        migrations.RunSQL(_STORAGE.format("accounts_enduser"), migrations.RunSQL.noop),
        *(_first_statistics(table, "tenant_id", null_share=0, values=1) for table in _FILLED_BY_IMPORTS),
        *(_first_statistics(table, "archived_at", null_share=1, values=0) for table in _ARCHIVED),
    ]
