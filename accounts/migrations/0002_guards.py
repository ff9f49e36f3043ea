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
        'schemaname', 'public', 'relname', '{}', 'attname', 'tenant_id', 'inherited', false,
        'version', current_setting('server_version_num')::int, 'null_frac', 0::real, 'avg_width', 8, 'n_distinct', 1::real
    )
"""
_FILLED_BY_IMPORTS = ("account", "enduser", "accountuser", "eventcount", "ingestedmessage")


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial"), ("tenancy", "0002_guards")]
    operations = [
        refuse_changes("accounts_timelineentry"),
        migrations.RunSQL(_STORAGE.format("accounts_account"), migrations.RunSQL.noop),
        migrations.RunSQL(_STORAGE.format("accounts_enduser"), migrations.RunSQL.noop),
        *(
            migrations.RunSQL(_FIRST_STATISTICS.format(f"accounts_{table}"), migrations.RunSQL.noop)
            for table in _FILLED_BY_IMPORTS
        ),
    ]
