"""Encrypt the names there are, index all borrowers, and remember the keys by a canary."""

from django.db import migrations

from library.people.encryption import index
from library.people.encryption.fields import EncryptedTextField
from library.people.encryption.keys import key_ring

BATCH = 500


def encrypt_names(apps, schema_editor):
    Borrower = apps.get_model('people', 'Borrower')
    BorrowerTerm = apps.get_model('people', 'BorrowerTerm')
    KeyCanary = apps.get_model('people', 'KeyCanary')
    database = schema_editor.connection.alias
    ring = key_ring()
    last = 0
    while batch := list(
        # The columns by name: later migrations of other branches may add some.
        Borrower.objects.using(database).only('pk', 'card_number', 'name').filter(pk__gt=last).order_by('pk')[:BATCH]
    ):
        BorrowerTerm.objects.using(database).bulk_create(
            BorrowerTerm(borrower=borrower, kind=kind, digest=digest)
            for borrower in batch
            for kind, digest in index.terms_of(card_number=borrower.card_number, name=borrower.name)
        )
        named = [borrower for borrower in batch if borrower.name]
        for borrower in named:
            borrower.name = ring.encrypt(borrower.name)
        Borrower.objects.using(database).bulk_update(named, ['name'])
        last = batch[-1].pk
    KeyCanary.objects.using(database).create(pk=1, digest=index.digest(index.NAME, 'canary'))


class Migration(migrations.Migration):

    dependencies = [
        ('people', '0003_personal_data'),
    ]

    operations = [
        migrations.RunPython(encrypt_names),
        # The column stays as it is: only what Python makes of it changes.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name='borrower',
                    name='name',
                    field=EncryptedTextField(blank=True, max_length=200, verbose_name='name'),
                ),
            ],
        ),
    ]
