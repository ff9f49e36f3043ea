from django.db import migrations

from cs_platform.tenancy.append_only import CREATE_FUNCTION, refuse_changes


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0001_initial")]
    operations = [CREATE_FUNCTION, refuse_changes("tenancy_auditentry")]
