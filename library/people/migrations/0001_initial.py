"""Borrowers and the audit log, which the database keeps append-only.

Entries and the records they list cannot be changed. They can be deleted once the entry is 180 days old by the
database's own clock; `prune_audit` decides which of these go, and when. A switch (a session setting, a row in a
table) would protect nothing: a client that can send the DELETE can also set the switch.
"""

import django.core.validators
import django.db.models.deletion
import library.people.encryption.fields
from django.db import migrations, models
from library.people.encryption import blind_index

_REFUSED = "The audit log is append-only: entries are neither changed nor deleted."
_TOO_YOUNG = "The audit log is append-only: entries younger than 180 days are not deleted."

_CREATE_TRIGGERS = {
    "sqlite": [
        f"""CREATE TRIGGER people_auditentry_update BEFORE UPDATE ON people_auditentry
        BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END""",
        # REPLACE deletes a row without firing the delete trigger.
        f"""CREATE TRIGGER people_auditentry_replace BEFORE INSERT ON people_auditentry
        WHEN EXISTS (SELECT 1 FROM people_auditentry WHERE id = NEW.id)
        BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END""",
        f"""CREATE TRIGGER people_auditentry_delete BEFORE DELETE ON people_auditentry
        WHEN OLD.created_at > strftime('%Y-%m-%d %H:%M:%f', 'now', '-180 days')
        BEGIN SELECT RAISE(ABORT, '{_TOO_YOUNG}'); END""",
        f"""CREATE TRIGGER people_auditedrecord_update BEFORE UPDATE ON people_auditedrecord
        BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END""",
        f"""CREATE TRIGGER people_auditedrecord_replace BEFORE INSERT ON people_auditedrecord
        WHEN EXISTS (SELECT 1 FROM people_auditedrecord WHERE id = NEW.id)
        OR EXISTS (SELECT 1 FROM people_auditedrecord WHERE entry_id = NEW.entry_id AND key = NEW.key)
        BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END""",
        f"""CREATE TRIGGER people_auditedrecord_delete BEFORE DELETE ON people_auditedrecord
        WHEN EXISTS (
            SELECT 1 FROM people_auditentry WHERE id = OLD.entry_id
            AND created_at > strftime('%Y-%m-%d %H:%M:%f', 'now', '-180 days')
        )
        BEGIN SELECT RAISE(ABORT, '{_TOO_YOUNG}'); END""",
    ],
    "postgresql": [
        f"""CREATE FUNCTION people_audit_refuse() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION '{_REFUSED}'; END $$""",
        # An UPDATE that matches no row is refused too, and TRUNCATE has no rows.
        """CREATE TRIGGER people_auditentry_refuse BEFORE UPDATE OR TRUNCATE ON people_auditentry
        FOR EACH STATEMENT EXECUTE FUNCTION people_audit_refuse()""",
        """CREATE TRIGGER people_auditedrecord_refuse BEFORE UPDATE OR TRUNCATE ON people_auditedrecord
        FOR EACH STATEMENT EXECUTE FUNCTION people_audit_refuse()""",
        f"""CREATE FUNCTION people_auditentry_young() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION '{_TOO_YOUNG}'; END $$""",
        """CREATE TRIGGER people_auditentry_young BEFORE DELETE ON people_auditentry
        FOR EACH ROW WHEN (OLD.created_at > clock_timestamp() - interval '180 days')
        EXECUTE FUNCTION people_auditentry_young()""",
        # A condition of a trigger cannot read another table, so the function does.
        f"""CREATE FUNCTION people_auditedrecord_young() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN
            IF EXISTS (
                SELECT 1 FROM people_auditentry WHERE id = OLD.entry_id
                AND created_at > clock_timestamp() - interval '180 days'
            ) THEN RAISE EXCEPTION '{_TOO_YOUNG}'; END IF;
            RETURN OLD;
        END $$""",
        """CREATE TRIGGER people_auditedrecord_young BEFORE DELETE ON people_auditedrecord
        FOR EACH ROW EXECUTE FUNCTION people_auditedrecord_young()""",
    ],
}
_DROP_TRIGGERS = {
    "sqlite": [
        f"DROP TRIGGER people_{table}_{kind}"
        for table in ("auditentry", "auditedrecord")
        for kind in ("update", "replace", "delete")
    ],
    "postgresql": [
        "DROP FUNCTION people_auditedrecord_young() CASCADE",
        "DROP FUNCTION people_auditentry_young() CASCADE",
        "DROP FUNCTION people_audit_refuse() CASCADE",
    ],
}


def create_triggers(apps, schema_editor):
    for statement in _CREATE_TRIGGERS[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


def drop_triggers(apps, schema_editor):
    for statement in _DROP_TRIGGERS[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


def record_keys(apps, schema_editor):
    # From the first migration on, keys that do not fit this database stop every command.
    canaries = apps.get_model("people", "KeyCanary").objects.using(schema_editor.connection.alias)
    canaries.create(pk=1, digest=blind_index.digest(blind_index.NAME, "canary"))


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='BorrowerCategory',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.SlugField(unique=True, verbose_name='code')),
                ('name', models.CharField(max_length=200, verbose_name='name')),
            ],
            options={
                'verbose_name': 'borrower category',
                'verbose_name_plural': 'borrower categories',
                'ordering': ['code'],
            },
        ),
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(db_index=True, verbose_name='time')),
                ('user_key', models.CharField(blank=True, max_length=40, verbose_name='user ID')),
                ('user_name', models.CharField(blank=True, db_index=True, max_length=150, verbose_name='user')),
                ('action', models.CharField(choices=[('viewed', 'viewed'), ('searched', 'searched'), ('changed', 'changed'), ('exported', 'exported'), ('login', 'signed in'), ('refused', 'access denied')], max_length=10, verbose_name='action')),
                ('object_type', models.CharField(blank=True, help_text='For example, people.borrower.', max_length=100, verbose_name='record type')),
                ('object_key', models.CharField(blank=True, max_length=40, verbose_name='record ID')),
                ('path', models.CharField(blank=True, max_length=500, verbose_name='path')),
            ],
            options={
                'verbose_name': 'audit log entry',
                'verbose_name_plural': 'audit log',
                'ordering': ['-created_at', '-id'],
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['object_key', 'object_type'], name='audit_object')],
            },
        ),
        migrations.CreateModel(
            name='Borrower',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('card_number', models.CharField(max_length=100, unique=True, verbose_name='card number')),
                ('name', library.people.encryption.fields.EncryptedTextField(blank=True, max_length=200, verbose_name='name')),
                ('email', library.people.encryption.fields.EncryptedTextField(blank=True, max_length=254, validators=[django.core.validators.EmailValidator()], verbose_name='email')),
                ('phone', library.people.encryption.fields.EncryptedTextField(blank=True, max_length=50, verbose_name='phone')),
                ('address', library.people.encryption.fields.EncryptedTextField(blank=True, max_length=1000, verbose_name='address')),
                ('blocked', models.CharField(blank=True, help_text='Leave blank if not blocked.', max_length=200, verbose_name='block reason')),
                ('retention', models.CharField(choices=[('default', 'Library default'), ('keep', 'Keep'), ('anonymise', 'Anonymise on return')], db_default='default', default='default', help_text='How long the library keeps this borrower’s borrowing history.', max_length=10, verbose_name='borrowing history')),
                ('excluded_from_statistics', models.BooleanField(db_default=False, default=False, help_text='If selected, this borrower’s loans are not used for training or recommendations, and no recommendations are created for this borrower.', verbose_name='exclude from statistics and recommendations')),
                ('has_anonymised_loans', models.BooleanField(db_default=False, default=False, editable=False, verbose_name='has anonymised loans')),
                ('category', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='borrowers', to='people.borrowercategory', verbose_name='borrower category')),
            ],
            options={
                'verbose_name': 'borrower',
                'verbose_name_plural': 'borrowers',
                'ordering': ['card_number'],
                'permissions': [('export_borrower', 'Can export all that is kept of a borrower')],
            },
        ),
        migrations.CreateModel(
            name='BorrowerTerm',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('card', 'card number'), ('email', 'email'), ('phone', 'phone'), ('name', 'name')], max_length=5, verbose_name='type')),
                ('digest', models.CharField(max_length=32, verbose_name='digest')),
                ('borrower', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='terms', to='people.borrower', verbose_name='borrower')),
            ],
            options={
                'verbose_name': 'borrower search term',
                'verbose_name_plural': 'borrower search terms',
            },
        ),
        migrations.CreateModel(
            name='KeyCanary',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', library.people.encryption.fields.EncryptedTextField(default='canary', max_length=20, verbose_name='text')),
                ('digest', models.CharField(max_length=32, verbose_name='digest')),
            ],
            options={
                'verbose_name': 'key check value',
                'verbose_name_plural': 'key check values',
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='key_canary_only_one')],
            },
        ),
        migrations.CreateModel(
            name='AuditedRecord',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=40, verbose_name='record ID')),
                ('entry', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='records', to='people.auditentry', verbose_name='audit log entry')),
            ],
            options={
                'verbose_name': 'audited record',
                'verbose_name_plural': 'audited records',
                'ordering': ['id'],
                'default_permissions': (),
                'indexes': [models.Index(fields=['key', 'entry'], name='audited_record_key')],
                'constraints': [models.UniqueConstraint(fields=('entry', 'key'), name='audited_record_once')],
            },
        ),
        migrations.AddIndex(
            model_name='borrower',
            index=models.Index(condition=models.Q(('excluded_from_statistics', True)), fields=['id'], name='borrower_excluded'),
        ),
        migrations.AddIndex(
            model_name='borrowerterm',
            index=models.Index(fields=['digest', 'borrower'], name='borrower_term_digest'),
        ),
        migrations.AddConstraint(
            model_name='borrowerterm',
            constraint=models.UniqueConstraint(fields=('borrower', 'kind', 'digest'), name='borrower_term_once'),
        ),
        migrations.RunPython(create_triggers, drop_triggers, elidable=False),
        migrations.RunPython(record_keys, migrations.RunPython.noop, elidable=False),
    ]
