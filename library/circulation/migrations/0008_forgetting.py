"""Room to forget who borrowed what.

The triggers of the events are made anew: the category may go where the borrower goes, and PostgreSQL's TRUNCATE is
refused too. A later migration that alters a column of the events makes SQLite build the table anew, without its
triggers: run `create` again then (tests/library/circulation/test_events.py fails until it does).
"""

import importlib

import django.db.models.deletion
from django.db import migrations, models

#: The triggers before, and how they are run.
before = importlib.import_module('library.circulation.migrations.0005_loan_events_kept')

KEPT = tuple(column for column in before.KEPT if column != "borrower_category_id")


def condition(differs):
    """Return when an update is refused; `differs` is the operator that takes two nulls for the same."""
    changed = [f"NEW.{column} {differs} OLD.{column}" for column in KEPT]
    set_anew = [
        f"(NEW.{column} {differs} OLD.{column} AND NEW.{column} IS NOT NULL)" for column in before.CUT
    ]
    cut_with_the_borrower = (
        "(NEW.borrower_category_id IS NULL AND NEW.borrower_id IS NULL AND OLD.borrower_id IS NOT NULL)"
    )
    category = (
        f"(NEW.borrower_category_id {differs} OLD.borrower_category_id AND NOT {cut_with_the_borrower})"
    )
    return " OR ".join([*changed, *set_anew, category])


POSTGRESQL = (
    "DROP TRIGGER circulation_loanevent_no_update ON circulation_loanevent",
    f"""
    CREATE TRIGGER circulation_loanevent_no_update BEFORE UPDATE ON circulation_loanevent
    FOR EACH ROW WHEN ({condition("IS DISTINCT FROM")}) EXECUTE FUNCTION circulation_loanevent_refuse()
    """,
    # It has no rows, so the triggers above are not asked.
    """
    CREATE TRIGGER circulation_loanevent_no_truncate BEFORE TRUNCATE ON circulation_loanevent
    FOR EACH STATEMENT EXECUTE FUNCTION circulation_loanevent_refuse()
    """,
)

SQLITE = (
    "DROP TRIGGER circulation_loanevent_no_update",
    f"""
    CREATE TRIGGER circulation_loanevent_no_update BEFORE UPDATE ON circulation_loanevent
    WHEN {condition("IS NOT")} BEGIN SELECT RAISE(ABORT, '{before.REFUSAL}'); END
    """,
)


def create(apps, schema_editor):
    before.execute(schema_editor, postgresql=POSTGRESQL, sqlite=SQLITE)


def drop(apps, schema_editor):
    before.drop(apps, schema_editor)
    before.create(apps, schema_editor)


class Migration(migrations.Migration):

    dependencies = [
        ('catalogue', '0003_circulation_of_copies'),
        ('circulation', '0007_open_loans_indexed'),
        ('people', '0009_forgetting'),
    ]

    operations = [
        migrations.CreateModel(
            name='CoBorrowing',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('count', models.PositiveIntegerField(verbose_name='forgotten borrowers')),
            ],
            options={
                'verbose_name': 'titles borrowed together',
                'verbose_name_plural': 'titles borrowed together',
                'ordering': ['book', 'other'],
                'default_permissions': (),
            },
        ),
        migrations.AddField(
            model_name='loan',
            name='in_pairs',
            field=models.BooleanField(db_default=False, default=False, editable=False, verbose_name='counts for pairs'),
        ),
        migrations.AlterField(
            model_name='hold',
            name='borrower',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='holds', to='people.borrower', verbose_name='borrower'),
        ),
        migrations.AlterField(
            model_name='loan',
            name='borrower',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='loans', to='people.borrower', verbose_name='borrower'),
        ),
        migrations.AddIndex(
            model_name='loan',
            index=models.Index(condition=models.Q(('borrower__isnull', False)), fields=['returned_at'], name='loan_not_forgotten'),
        ),
        migrations.AddConstraint(
            model_name='hold',
            constraint=models.CheckConstraint(condition=models.Q(('borrower__isnull', False), models.Q(('status__in', ['waiting', 'ready', 'suspended']), _negated=True), _connector='OR'), name='hold_active_has_borrower', violation_error_message='A hold in the queue has a borrower.'),
        ),
        migrations.AddConstraint(
            model_name='loan',
            constraint=models.CheckConstraint(condition=models.Q(('borrower__isnull', False), ('returned_at__isnull', False), _connector='OR'), name='loan_open_has_borrower', violation_error_message='A loan that is out has a borrower.'),
        ),
        migrations.AddField(
            model_name='coborrowing',
            name='book',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalogue.book', verbose_name='book'),
        ),
        migrations.AddField(
            model_name='coborrowing',
            name='other',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalogue.book', verbose_name='other book'),
        ),
        migrations.AddConstraint(
            model_name='coborrowing',
            constraint=models.UniqueConstraint(fields=('book', 'other'), name='co_borrowing_once'),
        ),
        migrations.AddConstraint(
            model_name='coborrowing',
            constraint=models.CheckConstraint(condition=models.Q(('book__lt', models.F('other'))), name='co_borrowing_in_order'),
        ),
        migrations.AddConstraint(
            model_name='coborrowing',
            constraint=models.CheckConstraint(condition=models.Q(('count__gte', 1)), name='co_borrowing_of_someone'),
        ),
        migrations.RunPython(create, drop),
    ]
