import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalogue', '0004_taxonomy_changes'),
        ('circulation', '0009_checkouts_of_told_loans'),
    ]

    operations = [
        migrations.CreateModel(
            name='LeftOutLoans',
            fields=[
                ('book', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='catalogue.book', verbose_name='book')),
                ('count', models.PositiveIntegerField(verbose_name='forgotten loans')),
            ],
            options={
                'verbose_name': 'forgotten loans left out of statistics',
                'verbose_name_plural': 'forgotten loans left out of statistics',
                'ordering': ['book'],
                'default_permissions': (),
                'constraints': [models.CheckConstraint(condition=models.Q(('count__gte', 1)), name='left_out_loans_of_someone')],
            },
        ),
    ]
