"""Rewrite the table's file: databases leave what was overwritten in free pages and dead rows."""

from django.db import migrations


def rewrite(apps, schema_editor):
    connection = schema_editor.connection
    Borrower = apps.get_model('people', 'Borrower')
    if not Borrower.objects.using(connection.alias).exclude(name='').exists():
        return
    with connection.cursor() as cursor:
        if connection.vendor == 'sqlite':
            cursor.execute('VACUUM')
            cursor.execute('PRAGMA wal_checkpoint(TRUNCATE)')
        elif connection.vendor == 'postgresql':
            cursor.execute('VACUUM FULL people_borrower')


class Migration(migrations.Migration):

    # Neither database vacuums within a transaction.
    atomic = False

    dependencies = [
        ('people', '0004_encrypt_names'),
    ]

    operations = [
        migrations.RunPython(rewrite),
    ]
