"""Leave no trace of the plain tokens in the log of SQLite and in the dead rows of the admin's history."""

from django.db import migrations


def rewrite(apps, schema_editor):
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            # What was deleted is overwritten (secure_delete), but not in the log.
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        elif connection.vendor == "postgresql":
            cursor.execute("VACUUM FULL django_admin_log")


class Migration(migrations.Migration):
    # Neither is possible within a transaction.
    atomic = False

    dependencies = [("rest", "0002_hash_old_tokens")]

    operations = [migrations.RunPython(rewrite, migrations.RunPython.noop)]
