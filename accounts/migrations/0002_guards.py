from django.db import migrations

from cs_platform.tenancy.append_only import refuse_changes

# Wide `traits` documents stay in line (a compressed one is unpacked again by every condition), and updates of
# unindexed columns find room in their own page.
_STORAGE = "ALTER TABLE {} SET (toast_tuple_target = 8160, fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05)"


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial"), ("tenancy", "0002_guards")]
    operations = [
        refuse_changes("accounts_timelineentry"),
        migrations.RunSQL(_STORAGE.format("accounts_account"), migrations.RunSQL.noop),
        migrations.RunSQL(_STORAGE.format("accounts_enduser"), migrations.RunSQL.noop),
    ]
