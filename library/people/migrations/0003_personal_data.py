"""Room for encrypted personal data; the names are still plain text here."""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import library.people.encryption.fields


class Migration(migrations.Migration):

    dependencies = [
        ('people', '0002_borrower_categories'),
    ]

    operations = [
        migrations.AddField(
            model_name='borrower',
            name='address',
            field=library.people.encryption.fields.EncryptedTextField(blank=True, max_length=1000, verbose_name='address'),
        ),
        migrations.AddField(
            model_name='borrower',
            name='email',
            field=library.people.encryption.fields.EncryptedTextField(blank=True, max_length=254, validators=[django.core.validators.EmailValidator()], verbose_name='e-mail'),
        ),
        migrations.AddField(
            model_name='borrower',
            name='phone',
            field=library.people.encryption.fields.EncryptedTextField(blank=True, max_length=50, verbose_name='phone'),
        ),
        migrations.AlterField(
            model_name='borrower',
            name='name',
            field=models.TextField(blank=True, verbose_name='name'),
        ),
        migrations.CreateModel(
            name='KeyCanary',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', library.people.encryption.fields.EncryptedTextField(default='canary', max_length=20, verbose_name='text')),
                ('digest', models.CharField(max_length=32, verbose_name='digest')),
            ],
            options={
                'verbose_name': 'key canary',
                'verbose_name_plural': 'key canaries',
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='key_canary_only_one')],
            },
        ),
        migrations.CreateModel(
            name='BorrowerTerm',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('card', 'card number'), ('email', 'e-mail'), ('phone', 'phone'), ('name', 'name')], max_length=5, verbose_name='kind')),
                ('digest', models.CharField(max_length=32, verbose_name='digest')),
                ('borrower', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='terms', to='people.borrower', verbose_name='borrower')),
            ],
            options={
                'verbose_name': 'search term of a borrower',
                'verbose_name_plural': 'search terms of borrowers',
                'indexes': [models.Index(fields=['digest', 'borrower'], name='borrower_term_digest')],
                'constraints': [models.UniqueConstraint(fields=('borrower', 'kind', 'digest'), name='borrower_term_once')],
            },
        ),
    ]
