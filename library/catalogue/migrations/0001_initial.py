"""Books, copies and categories, and the table of the search index."""

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models
from library.catalogue.search import create_table, drop_table

def create_search_table(apps, schema_editor):
    create_table(connection=schema_editor.connection)


def drop_search_table(apps, schema_editor):
    drop_table(connection=schema_editor.connection)


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Book',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('control_number', models.CharField(max_length=100, unique=True, verbose_name='control number')),
                ('title', models.CharField(max_length=1000, verbose_name='title')),
                ('subtitle', models.CharField(blank=True, max_length=1000, verbose_name='subtitle')),
                ('authors', models.CharField(blank=True, max_length=1000, verbose_name='authors')),
                ('publisher', models.CharField(blank=True, max_length=500, verbose_name='publisher')),
                ('year', models.SmallIntegerField(blank=True, null=True, verbose_name='year')),
                ('language', models.CharField(blank=True, db_index=True, max_length=12, verbose_name='language')),
                ('isbn', models.CharField(blank=True, db_index=True, max_length=13, verbose_name='ISBN')),
                ('description', models.TextField(blank=True, verbose_name='description')),
                ('cover', models.ImageField(blank=True, upload_to='covers/', verbose_name='cover')),
                ('audio', models.FileField(blank=True, help_text='Audiobook sample or spoken description: WAV, FLAC or OGG, up to 50 MB.', upload_to='audio/', validators=[django.core.validators.FileExtensionValidator(['wav', 'flac', 'ogg'])], verbose_name='audio')),
                ('category_source', models.CharField(choices=[('none', 'none'), ('imported', 'imported'), ('librarian', 'librarian'), ('model', 'model')], default='none', max_length=10, verbose_name='category source')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='created at')),
            ],
            options={
                'verbose_name': 'book',
                'verbose_name_plural': 'books',
                'ordering': ['control_number'],
            },
        ),
        migrations.CreateModel(
            name='Branch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.SlugField(unique=True, verbose_name='code')),
                ('name', models.CharField(max_length=200, verbose_name='name')),
            ],
            options={
                'verbose_name': 'branch',
                'verbose_name_plural': 'branches',
                'ordering': ['code'],
            },
        ),
        migrations.CreateModel(
            name='ItemType',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.SlugField(unique=True, verbose_name='code')),
                ('name', models.CharField(max_length=200, verbose_name='name')),
            ],
            options={
                'verbose_name': 'item type',
                'verbose_name_plural': 'item types',
                'ordering': ['code'],
            },
        ),
        migrations.CreateModel(
            name='Category',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('scheme', models.CharField(default='local', max_length=40, verbose_name='scheme')),
                ('notation', models.CharField(max_length=200, verbose_name='notation')),
                ('label_en', models.CharField(blank=True, max_length=200, verbose_name='English label')),
                ('label_zh', models.CharField(blank=True, max_length=200, verbose_name='Chinese label')),
                ('retired_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='retired at')),
                ('parent', models.ForeignKey(blank=True, limit_choices_to={'retired_at__isnull': True}, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='children', to='catalogue.category', verbose_name='parent')),
                ('replaced_by', models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalogue.category', verbose_name='replaced by')),
            ],
            options={
                'verbose_name': 'category',
                'verbose_name_plural': 'categories',
                'ordering': ['scheme', 'notation'],
            },
        ),
        migrations.AddField(
            model_name='book',
            name='category',
            field=models.ForeignKey(blank=True, limit_choices_to={'retired_at__isnull': True}, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='books', to='catalogue.category', verbose_name='category'),
        ),
        migrations.CreateModel(
            name='Copy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('barcode', models.CharField(max_length=100, unique=True, verbose_name='barcode')),
                ('shelf_location', models.CharField(blank=True, max_length=100, verbose_name='shelf location')),
                ('call_number', models.CharField(blank=True, max_length=100, verbose_name='call number')),
                ('status', models.CharField(choices=[('available', 'available'), ('on_loan', 'on loan'), ('on_hold_shelf', 'on hold shelf'), ('in_transit', 'in transit'), ('lost', 'lost'), ('withdrawn', 'withdrawn')], db_default='available', default='available', max_length=20, verbose_name='status')),
                ('last_seen_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='last seen')),
                ('checkouts', models.PositiveIntegerField(db_default=0, default=0, editable=False, verbose_name='checkouts')),
                ('renewals', models.PositiveIntegerField(db_default=0, default=0, editable=False, verbose_name='renewals')),
                ('book', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='copies', to='catalogue.book', verbose_name='book')),
                ('branch', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='copies', to='catalogue.branch', verbose_name='branch')),
                ('item_type', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='copies', to='catalogue.itemtype', verbose_name='item type')),
            ],
            options={
                'verbose_name': 'copy',
                'verbose_name_plural': 'copies',
                'ordering': ['barcode'],
            },
        ),
        migrations.CreateModel(
            name='TaxonomyChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('merge', 'Merge'), ('split', 'Split'), ('retire', 'Retire'), ('move', 'Move')], max_length=10, verbose_name='type')),
                ('summary', models.CharField(blank=True, max_length=1000, verbose_name='change details')),
                ('parameters', models.JSONField(verbose_name='parameters')),
                ('before', models.JSONField(default=list, verbose_name='categories before the change')),
                ('created_categories', models.JSONField(default=list, verbose_name='categories created')),
                ('books', models.PositiveIntegerField(default=0, verbose_name='books moved')),
                ('undecided', models.PositiveIntegerField(default=0, verbose_name='undecided books')),
                ('created_at', models.DateTimeField(verbose_name='created at')),
                ('undone_at', models.DateTimeField(blank=True, null=True, verbose_name='undone at')),
                ('kept', models.PositiveIntegerField(default=0, verbose_name='books not moved back')),
                ('category', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalogue.category', verbose_name='category')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='created by')),
                ('undone_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='undone by')),
            ],
            options={
                'verbose_name': 'category change',
                'verbose_name_plural': 'category changes',
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='RefiledBook',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('from_source', models.CharField(choices=[('none', 'none'), ('imported', 'imported'), ('librarian', 'librarian'), ('model', 'model')], max_length=10, verbose_name='previous category source')),
                ('to_source', models.CharField(choices=[('none', 'none'), ('imported', 'imported'), ('librarian', 'librarian'), ('model', 'model')], max_length=10, verbose_name='category source')),
                ('book', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalogue.book', verbose_name='book')),
                ('from_category', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalogue.category', verbose_name='previous category')),
                ('to_category', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalogue.category', verbose_name='new category')),
                ('change', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='refiled', to='catalogue.taxonomychange', verbose_name='category change')),
            ],
            options={
                'verbose_name': 'refiled book',
                'verbose_name_plural': 'refiled books',
                'ordering': ['change', 'book'],
            },
        ),
        migrations.AddConstraint(
            model_name='category',
            constraint=models.UniqueConstraint(fields=('scheme', 'notation'), name='category_scheme_notation'),
        ),
        migrations.AddConstraint(
            model_name='category',
            constraint=models.CheckConstraint(condition=models.Q(('parent', models.F('id')), _negated=True), name='category_not_own_parent', violation_error_message='A category cannot be its own parent.'),
        ),
        migrations.AddConstraint(
            model_name='category',
            constraint=models.CheckConstraint(condition=models.Q(('replaced_by', None), models.Q(('retired_at__isnull', False), models.Q(('replaced_by', models.F('id')), _negated=True)), _connector='OR'), name='category_replaced_is_retired'),
        ),
        migrations.AddIndex(
            model_name='book',
            index=models.Index(fields=['created_at', 'id'], name='book_created'),
        ),
        migrations.AddIndex(
            model_name='book',
            index=models.Index(django.db.models.functions.text.Left('title', 100), name='book_title_start'),
        ),
        migrations.AddConstraint(
            model_name='book',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('category__isnull', True), ('category_source', 'none')), models.Q(('category__isnull', False), models.Q(('category_source', 'none'), _negated=True)), _connector='OR'), name='book_category_has_source', violation_error_message='Set a category and its source together, or neither.'),
        ),
        migrations.AddIndex(
            model_name='copy',
            index=models.Index(fields=['shelf_location', 'call_number', 'barcode'], name='copy_shelf'),
        ),
        migrations.AddConstraint(
            model_name='refiledbook',
            constraint=models.UniqueConstraint(fields=('change', 'book'), name='refiled_once_a_change'),
        ),
        # Last: an operation that rebuilds the book table on SQLite would drop its triggers.
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(create_search_table, drop_search_table, elidable=False)],
            state_operations=[
                migrations.CreateModel(
                    name='SearchEntry',
                    fields=[
                        ('book', models.OneToOneField(db_column='rowid', on_delete=django.db.models.deletion.DO_NOTHING, primary_key=True, related_name='+', serialize=False, to='catalogue.book', verbose_name='book')),
                    ],
                    options={
                        'verbose_name': 'search index entry',
                        'verbose_name_plural': 'search index entries',
                        'default_permissions': (),
                    },
                ),
            ],
        ),
    ]
