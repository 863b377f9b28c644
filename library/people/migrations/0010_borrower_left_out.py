from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('people', '0009_forgetting'),
    ]

    operations = [
        migrations.AddField(
            model_name='borrower',
            name='left_out',
            field=models.BooleanField(db_default=False, default=False, help_text="If so, this borrower's loans count for nothing that is learned or recommended, and no recommendations are made for this borrower.", verbose_name='left out of statistics'),
        ),
    ]
