import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalogue', '0004_taxonomy_changes'),
        ('classifier', '0007_taxonomy_changes'),
        ('people', '0010_borrower_left_out'),
    ]

    operations = [
        migrations.CreateModel(
            name='Feedback',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('verdict', models.CharField(choices=[('not_this', 'not this'), ('liked', 'liked')], max_length=10, verbose_name='verdict')),
                ('at', models.DateTimeField(verbose_name='at')),
                ('book', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalogue.book', verbose_name='book')),
                ('borrower', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='feedback', to='people.borrower', verbose_name='borrower')),
            ],
            options={
                'verbose_name': 'feedback',
                'verbose_name_plural': 'feedback',
                'ordering': ['-at', '-id'],
                'constraints': [models.UniqueConstraint(fields=('borrower', 'book'), name='feedback_once_a_title'), models.CheckConstraint(condition=models.Q(('verdict__in', ['not_this', 'liked'])), name='feedback_known_verdict')],
            },
        ),
    ]
