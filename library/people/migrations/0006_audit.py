from django.db import migrations, models


_REFUSAL = "The audit log is append-only: entries are neither changed nor deleted."

_TRIGGERS = {
    "sqlite": (
        [
            f"""CREATE TRIGGER people_auditentry_{kind} BEFORE {kind} ON people_auditentry
            BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"""
            for kind in ("update", "delete")
        ]
        # REPLACE deletes without asking the trigger.
        + [
            f"""CREATE TRIGGER people_auditentry_replace BEFORE INSERT ON people_auditentry
            WHEN EXISTS (SELECT 1 FROM people_auditentry WHERE id = NEW.id)
            BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"""
        ],
        [f"DROP TRIGGER people_auditentry_{kind}" for kind in ("update", "delete", "replace")],
    ),
    "postgresql": (
        [
            f"""CREATE FUNCTION people_auditentry_refuse() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$""",
            # A statement that meets no row is refused too, and TRUNCATE has no rows.
            """CREATE TRIGGER people_auditentry_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON people_auditentry
            FOR EACH STATEMENT EXECUTE FUNCTION people_auditentry_refuse()""",
        ],
        [
            "DROP TRIGGER people_auditentry_refuse ON people_auditentry",
            "DROP FUNCTION people_auditentry_refuse()",
        ],
    ),
}


def add_triggers(apps, schema_editor):
    for statement in _TRIGGERS[schema_editor.connection.vendor][0]:
        schema_editor.execute(statement)


def drop_triggers(apps, schema_editor):
    for statement in _TRIGGERS[schema_editor.connection.vendor][1]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):

    dependencies = [
        ('people', '0005_forget_plain_names'),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(db_index=True, verbose_name='time')),
                ('user_key', models.CharField(blank=True, max_length=40, verbose_name='user key')),
                ('user_name', models.CharField(blank=True, db_index=True, max_length=150, verbose_name='user')),
                ('action', models.CharField(choices=[('viewed', 'viewed'), ('searched', 'searched'), ('changed', 'changed'), ('exported', 'exported'), ('login', 'signed in'), ('refused', 'refused')], max_length=10, verbose_name='action')),
                ('object_type', models.CharField(blank=True, help_text='Such as people.borrower.', max_length=100, verbose_name='kind of record')),
                ('object_key', models.CharField(blank=True, max_length=40, verbose_name='record')),
                ('listed', models.TextField(blank=True, help_text='The keys of the records that a list showed, with spaces around each.', verbose_name='records listed')),
                ('path', models.CharField(blank=True, max_length=500, verbose_name='address')),
            ],
            options={
                'verbose_name': 'audit entry',
                'verbose_name_plural': 'audit log',
                'ordering': ['-at', '-id'],
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['object_type', 'object_key'], name='audit_object')],
            },
        ),
        migrations.RunPython(add_triggers, drop_triggers, elidable=False),
    ]
