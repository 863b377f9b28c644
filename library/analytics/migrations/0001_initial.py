import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('catalogue', '0001_initial'),
        ('people', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='BorrowerMonth',
            fields=[
                ('month', models.DateField(primary_key=True, serialize=False, verbose_name='month')),
                ('new', models.PositiveIntegerField(verbose_name='new borrowers')),
                ('returning', models.PositiveIntegerField(verbose_name='returning borrowers')),
                ('checkouts', models.PositiveIntegerField(verbose_name='checkouts')),
                ('unattributed', models.PositiveIntegerField(verbose_name='unattributed checkouts')),
            ],
            options={
                'verbose_name': 'monthly borrower count',
                'verbose_name_plural': 'monthly borrower counts',
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='CountedDay',
            fields=[
                ('day', models.DateField(primary_key=True, serialize=False, verbose_name='day')),
                ('events', models.PositiveIntegerField(verbose_name='events')),
                ('with_category', models.PositiveIntegerField(verbose_name='events with a borrower category')),
                ('with_loan', models.PositiveIntegerField(verbose_name='events linked to a loan')),
            ],
            options={
                'verbose_name': 'daily event count',
                'verbose_name_plural': 'daily event counts',
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='HoldingCount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('decade', models.SmallIntegerField(null=True, verbose_name='publication decade')),
                ('copies', models.PositiveIntegerField(verbose_name='copies')),
                ('titles', models.PositiveIntegerField(verbose_name='titles')),
                ('borrowed', models.PositiveIntegerField(verbose_name='titles borrowed at least once')),
                ('rarely_borrowed', models.PositiveIntegerField(verbose_name='rarely borrowed titles')),
                ('year_sum', models.BigIntegerField(null=True, verbose_name='sum of publication years')),
                ('branch', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalogue.branch', verbose_name='branch')),
                ('category', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalogue.category', verbose_name='category')),
            ],
            options={
                'verbose_name': 'holdings count',
                'verbose_name_plural': 'holdings counts',
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='ScheduledReport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('page', models.CharField(choices=[('overview', 'Overview'), ('titles', 'Top and bottom titles'), ('collection', 'Collection use'), ('returns', 'Returns'), ('borrowers', 'Borrower activity'), ('forecast', 'Demand forecast'), ('purchase', 'Purchase suggestions'), ('weeding', 'Weeding candidates')], max_length=20, verbose_name='report')),
                ('email', models.EmailField(max_length=254, verbose_name='email')),
                ('frequency', models.CharField(choices=[('week', 'week'), ('month', 'month')], help_text='Sent at the end of each week or month.', max_length=5, verbose_name='reporting period')),
                ('language', models.CharField(choices=[('en', 'English'), ('zh-hans', '简体中文')], default='en', max_length=7, verbose_name='language')),
                ('last_period_sent', models.DateField(editable=False, null=True, verbose_name='last period sent')),
                ('delivery_error', models.CharField(blank=True, editable=False, max_length=100, verbose_name='delivery error')),
                ('branch', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalogue.branch', verbose_name='branch')),
                ('category', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalogue.category', verbose_name='category')),
            ],
            options={
                'verbose_name': 'scheduled report',
                'verbose_name_plural': 'scheduled reports',
                'ordering': ['email', 'page', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='Statistics',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('refreshed_at', models.DateTimeField(null=True, verbose_name='last updated')),
            ],
            options={
                'verbose_name': 'statistics',
                'verbose_name_plural': 'statistics',
                'default_permissions': ('view',),
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='statistics_only_one')],
            },
        ),
        migrations.CreateModel(
            name='TitleUse',
            fields=[
                ('book', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='use', serialize=False, to='catalogue.book', verbose_name='book')),
                ('checkouts', models.PositiveIntegerField(verbose_name='checkouts')),
                ('last_checkout', models.DateField(db_index=True, null=True, verbose_name='last checkout')),
                ('category', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='catalogue.category', verbose_name='category')),
            ],
            options={
                'verbose_name': 'title usage record',
                'verbose_name_plural': 'title usage records',
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='BorrowerCategoryDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(verbose_name='day')),
                ('checkouts', models.PositiveIntegerField(verbose_name='checkouts')),
                ('renewals', models.PositiveIntegerField(verbose_name='renewals')),
                ('checkins', models.PositiveIntegerField(verbose_name='checkins')),
                ('late', models.PositiveIntegerField(verbose_name='late checkins')),
                ('holds', models.PositiveIntegerField(verbose_name='holds placed')),
                ('borrower_category', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='people.borrowercategory', verbose_name='borrower category')),
                ('branch', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalogue.branch', verbose_name='branch')),
            ],
            options={
                'verbose_name': 'daily total by borrower category',
                'verbose_name_plural': 'daily totals by borrower category',
                'abstract': False,
                'default_permissions': (),
                'indexes': [models.Index(fields=['day'], name='borrower_category_day_day')],
            },
        ),
        migrations.CreateModel(
            name='CategoryDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(verbose_name='day')),
                ('checkouts', models.PositiveIntegerField(verbose_name='checkouts')),
                ('renewals', models.PositiveIntegerField(verbose_name='renewals')),
                ('checkins', models.PositiveIntegerField(verbose_name='checkins')),
                ('late', models.PositiveIntegerField(verbose_name='late checkins')),
                ('holds', models.PositiveIntegerField(verbose_name='holds placed')),
                ('branch', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalogue.branch', verbose_name='branch')),
                ('category', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalogue.category', verbose_name='category')),
            ],
            options={
                'verbose_name': 'daily total by category',
                'verbose_name_plural': 'daily totals by category',
                'abstract': False,
                'default_permissions': (),
                'indexes': [models.Index(fields=['day'], name='category_day_day')],
            },
        ),
        migrations.CreateModel(
            name='CategoryMonth',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('month', models.DateField(verbose_name='month')),
                ('checkouts', models.PositiveIntegerField(verbose_name='checkouts')),
                ('branch', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalogue.branch', verbose_name='branch')),
                ('category', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalogue.category', verbose_name='category')),
            ],
            options={
                'verbose_name': 'monthly total by category',
                'verbose_name_plural': 'monthly totals by category',
                'default_permissions': (),
                'indexes': [models.Index(fields=['month'], name='category_month_month')],
            },
        ),
        migrations.CreateModel(
            name='ItemTypeDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(verbose_name='day')),
                ('checkouts', models.PositiveIntegerField(verbose_name='checkouts')),
                ('renewals', models.PositiveIntegerField(verbose_name='renewals')),
                ('checkins', models.PositiveIntegerField(verbose_name='checkins')),
                ('late', models.PositiveIntegerField(verbose_name='late checkins')),
                ('holds', models.PositiveIntegerField(verbose_name='holds placed')),
                ('branch', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalogue.branch', verbose_name='branch')),
                ('item_type', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalogue.itemtype', verbose_name='item type')),
            ],
            options={
                'verbose_name': 'daily total by item type',
                'verbose_name_plural': 'daily totals by item type',
                'abstract': False,
                'default_permissions': (),
                'indexes': [models.Index(fields=['day'], name='item_type_day_day')],
            },
        ),
    ]
