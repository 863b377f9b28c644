"""The table that books are found by, filled with the books there are."""

import django.db.models.deletion
from django.db import migrations, models

from library.catalogue.search import COLUMNS, BookText, create_table, drop_table, write_entries

BATCH = 1_000


def create(apps, schema_editor):
    create_table(connection=schema_editor.connection)


def drop(apps, schema_editor):
    drop_table(connection=schema_editor.connection)


def fill(apps, schema_editor):
    Book = apps.get_model('catalogue', 'Book')
    books = Book.objects.using(schema_editor.connection.alias).order_by('pk').values_list(*COLUMNS)
    last = 0
    while batch := [BookText(*row) for row in books.filter(pk__gt=last)[:BATCH]]:
        write_entries(texts=batch, connection=schema_editor.connection)
        last = batch[-1].id


class Migration(migrations.Migration):

    dependencies = [
        ('catalogue', '0004_taxonomy_changes'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(create, drop)],
            state_operations=[
                migrations.CreateModel(
                    name='SearchEntry',
                    fields=[
                        ('book', models.OneToOneField(db_column='rowid', on_delete=django.db.models.deletion.DO_NOTHING, primary_key=True, related_name='+', serialize=False, to='catalogue.book', verbose_name='book')),
                    ],
                    options={
                        'verbose_name': 'search entry',
                        'verbose_name_plural': 'search entries',
                        'default_permissions': (),
                    },
                ),
            ],
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
