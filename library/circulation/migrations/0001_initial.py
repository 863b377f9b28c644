"""Loans, holds, fines and notices; loan events, which the database keeps append-only; and the default loan policy.

An event's loan, borrower and (with the borrower) borrower category can be set to null: that is how a loan is
anonymised. A later migration that alters a column of the event table makes SQLite rebuild it without its triggers: run
`create_triggers` again then (tests/library/circulation/models/test_events.py fails until it does).
"""

import django.db.models.deletion
import django.db.models.functions.comparison
from django.db import migrations, models

_REFUSED = "Loan events are append-only: only the loan and the borrower can be removed."
_FIXED = ("id", "kind", "occurred_at", "book_id", "copy_id", "branch_id", "item_type_id", "amount")
_REMOVABLE = ("loan_id", "borrower_id")


def _is_refused(differs):
    """Return the condition under which an update is refused; `differs` is the null-safe operator."""
    changed = [f"NEW.{column} {differs} OLD.{column}" for column in _FIXED]
    replaced = [f"(NEW.{column} {differs} OLD.{column} AND NEW.{column} IS NOT NULL)" for column in _REMOVABLE]
    removed_with_borrower = (
        "(NEW.borrower_category_id IS NULL AND NEW.borrower_id IS NULL AND OLD.borrower_id IS NOT NULL)"
    )
    category = f"(NEW.borrower_category_id {differs} OLD.borrower_category_id AND NOT {removed_with_borrower})"
    return " OR ".join([*changed, *replaced, category])


_CREATE_TRIGGERS = {
    "postgresql": [
        f"""
        CREATE FUNCTION circulation_loanevent_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '{_REFUSED}' USING ERRCODE = 'integrity_constraint_violation';
        END $$
        """,
        """
        CREATE TRIGGER circulation_loanevent_no_delete BEFORE DELETE ON circulation_loanevent
        FOR EACH ROW EXECUTE FUNCTION circulation_loanevent_refuse()
        """,
        f"""
        CREATE TRIGGER circulation_loanevent_no_update BEFORE UPDATE ON circulation_loanevent
        FOR EACH ROW WHEN ({_is_refused("IS DISTINCT FROM")}) EXECUTE FUNCTION circulation_loanevent_refuse()
        """,
        # TRUNCATE fires no row trigger.
        """
        CREATE TRIGGER circulation_loanevent_no_truncate BEFORE TRUNCATE ON circulation_loanevent
        FOR EACH STATEMENT EXECUTE FUNCTION circulation_loanevent_refuse()
        """,
    ],
    "sqlite": [
        f"""
        CREATE TRIGGER circulation_loanevent_no_delete BEFORE DELETE ON circulation_loanevent
        BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END
        """,
        f"""
        CREATE TRIGGER circulation_loanevent_no_update BEFORE UPDATE ON circulation_loanevent
        WHEN {_is_refused("IS NOT")} BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END
        """,
        # INSERT OR REPLACE deletes a row without firing the delete trigger.
        f"""
        CREATE TRIGGER circulation_loanevent_no_replace BEFORE INSERT ON circulation_loanevent
        WHEN EXISTS (SELECT 1 FROM circulation_loanevent WHERE id = NEW.id)
        BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END
        """,
    ],
}
_DROP_TRIGGERS = {
    "postgresql": ["DROP FUNCTION circulation_loanevent_refuse() CASCADE"],
    "sqlite": [f"DROP TRIGGER circulation_loanevent_no_{name}" for name in ("delete", "update", "replace")],
}


def create_triggers(apps, schema_editor):
    for statement in _CREATE_TRIGGERS[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


def drop_triggers(apps, schema_editor):
    for statement in _DROP_TRIGGERS[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


def create_default_policy(apps, schema_editor):
    # It names no branch, item type or borrower category, so it applies where no other policy does. It charges no fines.
    policies = apps.get_model("circulation", "LoanPolicy").objects.using(schema_editor.connection.alias)
    policies.create(
        loan_days=28, max_loans=20, renewals_allowed=2, renewal_days=28, holds_allowed=10,
        fine_per_day=0, grace_days=0, fine_cap=0,
    )


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('catalogue', '0001_initial'),
        ('people', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='ExcludedLoanCount',
            fields=[
                ('book', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='catalogue.book', verbose_name='book')),
                ('count', models.PositiveIntegerField(verbose_name='anonymised loans')),
            ],
            options={
                'verbose_name': 'anonymised loans excluded from statistics',
                'verbose_name_plural': 'anonymised loans excluded from statistics',
                'ordering': ['book'],
                'default_permissions': (),
                'constraints': [models.CheckConstraint(condition=models.Q(('count__gte', 1)), name='excluded_loan_count_positive')],
            },
        ),
        migrations.CreateModel(
            name='Hold',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('placed_at', models.DateTimeField(verbose_name='placed at')),
                ('position', models.PositiveIntegerField(verbose_name='position')),
                ('status', models.CharField(choices=[('waiting', 'waiting'), ('ready', 'ready for pickup'), ('suspended', 'suspended'), ('cancelled', 'cancelled'), ('fulfilled', 'fulfilled'), ('expired', 'expired')], default='waiting', max_length=10, verbose_name='status')),
                ('ready_at', models.DateTimeField(blank=True, null=True, verbose_name='ready at')),
                ('suspended_until', models.DateField(blank=True, help_text='The hold becomes active again on this day. Leave blank to suspend it until it is resumed manually.', null=True, verbose_name='suspended until')),
                ('book', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='holds', to='catalogue.book', verbose_name='book')),
                ('borrower', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='holds', to='people.borrower', verbose_name='borrower')),
                ('copy', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='holds', to='catalogue.copy', verbose_name='copy')),
                ('pickup_branch', models.ForeignKey(blank=True, help_text='Leave blank to pick up at the branch where the copy is checked in.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='holds', to='catalogue.branch', verbose_name='pickup branch')),
            ],
            options={
                'verbose_name': 'hold',
                'verbose_name_plural': 'holds',
                'ordering': ['book', 'position', 'id'],
            },
        ),
        migrations.CreateModel(
            name='Loan',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('borrowed_at', models.DateTimeField(db_index=True, verbose_name='checked out at')),
                ('due_at', models.DateTimeField(verbose_name='due date')),
                ('returned_at', models.DateTimeField(blank=True, null=True, verbose_name='returned at')),
                ('renewals', models.PositiveSmallIntegerField(default=0, verbose_name='renewals')),
                ('lost_at', models.DateTimeField(blank=True, null=True, verbose_name='lost at')),
                ('renewals_allowed', models.PositiveSmallIntegerField(blank=True, editable=False, null=True, verbose_name='renewal limit')),
                ('renewal_days', models.PositiveSmallIntegerField(blank=True, editable=False, null=True, verbose_name='renewal period (days)')),
                ('fine_per_day', models.DecimalField(blank=True, decimal_places=2, editable=False, max_digits=8, null=True, verbose_name='daily fine')),
                ('grace_days', models.PositiveSmallIntegerField(blank=True, editable=False, null=True, verbose_name='grace period (days)')),
                ('fine_cap', models.DecimalField(blank=True, decimal_places=2, editable=False, max_digits=8, null=True, verbose_name='maximum fine')),
                ('counts_in_pairs', models.BooleanField(db_default=False, default=False, editable=False, verbose_name='counts toward co-borrowing')),
                ('borrower', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='loans', to='people.borrower', verbose_name='borrower')),
                ('branch', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='loans', to='catalogue.branch', verbose_name='branch')),
                ('copy', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='loans', to='catalogue.copy', verbose_name='copy')),
            ],
            options={
                'verbose_name': 'loan',
                'verbose_name_plural': 'loans',
                'ordering': ['-borrowed_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='FineEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('charge', 'charge'), ('payment', 'payment'), ('waiver', 'waiver')], max_length=10, verbose_name='type')),
                ('amount', models.DecimalField(decimal_places=2, max_digits=8, verbose_name='amount')),
                ('reason', models.CharField(blank=True, max_length=200, verbose_name='reason')),
                ('created_at', models.DateTimeField(db_index=True, verbose_name='date and time')),
                ('borrower', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='fines', to='people.borrower', verbose_name='borrower')),
                ('loan', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='fines', to='circulation.loan', verbose_name='loan')),
            ],
            options={
                'verbose_name': 'fine entry',
                'verbose_name_plural': 'fine entries',
                'ordering': ['-created_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='OverdueLoan',
            fields=[
            ],
            options={
                'verbose_name': 'overdue loan',
                'verbose_name_plural': 'overdue loans',
                'ordering': ['due_at', 'id'],
                'proxy': True,
                'default_permissions': ('view',),
                'indexes': [],
                'constraints': [],
            },
            bases=('circulation.loan',),
        ),
        migrations.CreateModel(
            name='LoanEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('checkout', 'checkout'), ('checkin', 'checkin'), ('renewal', 'renewal'), ('lost', 'lost'), ('found', 'found'), ('withdrawn', 'withdrawn'), ('reinstated', 'reinstated'), ('hold_placed', 'hold placed'), ('hold_cancelled', 'hold cancelled'), ('hold_ready', 'hold ready for pickup'), ('hold_fulfilled', 'hold fulfilled'), ('hold_suspended', 'hold suspended'), ('hold_resumed', 'hold resumed'), ('hold_reordered', 'hold reordered'), ('hold_expired', 'hold expired'), ('fine_charged', 'fine charged'), ('fine_paid', 'fine paid'), ('fine_waived', 'fine waived')], max_length=20, verbose_name='type')),
                ('occurred_at', models.DateTimeField(verbose_name='date and time')),
                ('amount', models.DecimalField(decimal_places=2, max_digits=8, null=True, verbose_name='amount')),
                ('book', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='events', to='catalogue.book', verbose_name='book')),
                ('borrower', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='events', to='people.borrower', verbose_name='borrower')),
                ('borrower_category', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='people.borrowercategory', verbose_name='borrower category')),
                ('branch', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalogue.branch', verbose_name='branch')),
                ('copy', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='events', to='catalogue.copy', verbose_name='copy')),
                ('item_type', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalogue.itemtype', verbose_name='item type')),
                ('loan', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='events', to='circulation.loan', verbose_name='loan')),
            ],
            options={
                'verbose_name': 'circulation event',
                'verbose_name_plural': 'circulation events',
                'ordering': ['-occurred_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='LoanPolicy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('loan_days', models.PositiveSmallIntegerField(default=28, verbose_name='loan period (days)')),
                ('max_loans', models.PositiveSmallIntegerField(default=20, help_text='Counts this item type only if the rule names one; otherwise all loans.', verbose_name='loan limit')),
                ('renewals_allowed', models.PositiveSmallIntegerField(default=2, verbose_name='renewal limit')),
                ('renewal_days', models.PositiveSmallIntegerField(default=28, verbose_name='renewal period (days)')),
                ('holds_allowed', models.PositiveSmallIntegerField(default=10, verbose_name='hold limit')),
                ('fine_per_day', models.DecimalField(decimal_places=2, default=0, max_digits=8, verbose_name='daily fine')),
                ('grace_days', models.PositiveSmallIntegerField(default=0, help_text='Number of days overdue that are not fined.', verbose_name='grace period (days)')),
                ('fine_cap', models.DecimalField(decimal_places=2, default=0, help_text='The most that one loan can be fined.', max_digits=8, verbose_name='maximum fine')),
                ('borrower_category', models.ForeignKey(blank=True, help_text='Leave blank for any borrower.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='loan_policies', to='people.borrowercategory', verbose_name='borrower category')),
                ('branch', models.ForeignKey(blank=True, help_text='Branch where the copy is checked out. Leave blank for any branch.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='loan_policies', to='catalogue.branch', verbose_name='branch')),
                ('item_type', models.ForeignKey(blank=True, help_text='Leave blank for any copy.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='loan_policies', to='catalogue.itemtype', verbose_name='item type')),
            ],
            options={
                'verbose_name': 'loan policy',
                'verbose_name_plural': 'loan policies',
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Notice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('due_soon', 'due soon'), ('overdue_1', 'first overdue notice'), ('overdue_2', 'second overdue notice'), ('overdue_3', 'third overdue notice'), ('hold_ready', 'hold ready for pickup'), ('hold_expired', 'hold expired')], max_length=20, verbose_name='type')),
                ('occasion', models.DateTimeField(help_text='The due date of the loan (each renewal counts separately), or the time when the hold became ready for pickup.', verbose_name='event time')),
                ('state', models.CharField(choices=[('claimed', 'sending'), ('sent', 'sent'), ('to_print', 'to print'), ('printed', 'printed'), ('dropped', 'no longer needed')], default='claimed', max_length=10, verbose_name='status')),
                ('message_id', models.CharField(db_index=True, help_text='Shared by all notices in the same e-mail or letter.', max_length=255, verbose_name='message ID')),
                ('claimed_at', models.DateTimeField(verbose_name='processing started at')),
                ('attempts', models.PositiveSmallIntegerField(default=1, verbose_name='attempts')),
                ('sent_at', models.DateTimeField(blank=True, null=True, verbose_name='sent at')),
                ('problem', models.CharField(blank=True, max_length=60, verbose_name='delivery error')),
                ('hold', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='notices', to='circulation.hold', verbose_name='hold')),
                ('loan', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='notices', to='circulation.loan', verbose_name='loan')),
            ],
            options={
                'verbose_name': 'notice',
                'verbose_name_plural': 'notices',
                'ordering': ['-claimed_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='ClosedDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('date', models.DateField(db_index=True, verbose_name='date')),
                ('branch', models.ForeignKey(blank=True, help_text='Leave blank for all branches.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='closed_days', to='catalogue.branch', verbose_name='branch')),
            ],
            options={
                'verbose_name': 'closed day',
                'verbose_name_plural': 'closed days',
                'ordering': ['date', 'id'],
                'constraints': [models.UniqueConstraint(django.db.models.functions.comparison.Coalesce(models.F('branch'), models.Value(0), output_field=models.BigIntegerField()), models.F('date'), name='closed_day_once', violation_error_message='This day is already entered as a closed day.')],
            },
        ),
        migrations.CreateModel(
            name='CoBorrowing',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('count', models.PositiveIntegerField(verbose_name='anonymised borrowers')),
                ('book', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalogue.book', verbose_name='book')),
                ('other', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalogue.book', verbose_name='other book')),
            ],
            options={
                'verbose_name': 'co-borrowed titles',
                'verbose_name_plural': 'co-borrowed titles',
                'ordering': ['book', 'other'],
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('book', 'other'), name='co_borrowing_once'), models.CheckConstraint(condition=models.Q(('book__lt', models.F('other'))), name='co_borrowing_in_order'), models.CheckConstraint(condition=models.Q(('count__gte', 1)), name='co_borrowing_count_positive')],
            },
        ),
        migrations.AddIndex(
            model_name='hold',
            index=models.Index(fields=['book', 'status', 'position'], name='hold_queue'),
        ),
        migrations.AddIndex(
            model_name='hold',
            index=models.Index(fields=['status', 'ready_at'], name='hold_status_ready'),
        ),
        migrations.AddConstraint(
            model_name='hold',
            constraint=models.UniqueConstraint(condition=models.Q(('status__in', ['waiting', 'ready', 'suspended'])), fields=('borrower', 'book'), name='hold_one_active_per_borrower', violation_error_message='This borrower already has a hold on this title.'),
        ),
        migrations.AddConstraint(
            model_name='hold',
            constraint=models.UniqueConstraint(condition=models.Q(('status__in', ['waiting', 'ready', 'suspended'])), fields=('copy',), name='hold_one_active_per_copy', violation_error_message='This copy is already set aside for another hold.'),
        ),
        migrations.AddConstraint(
            model_name='hold',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('copy__isnull', False), ('ready_at__isnull', False), ('status', 'ready')), models.Q(('status', 'ready'), _negated=True), _connector='OR'), name='hold_ready_has_copy', violation_error_message='A hold that is ready for pickup must have a copy.'),
        ),
        migrations.AddConstraint(
            model_name='hold',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'suspended'), _negated=True), ('copy__isnull', True), _connector='OR'), name='hold_suspended_has_no_copy', violation_error_message='A suspended hold cannot have a copy.'),
        ),
        migrations.AddConstraint(
            model_name='hold',
            constraint=models.CheckConstraint(condition=models.Q(('position__gte', 1)), name='hold_position_from_one'),
        ),
        migrations.AddConstraint(
            model_name='hold',
            constraint=models.CheckConstraint(condition=models.Q(('borrower__isnull', False), models.Q(('status__in', ['waiting', 'ready', 'suspended']), _negated=True), _connector='OR'), name='hold_active_has_borrower', violation_error_message='A hold in the queue must have a borrower.'),
        ),
        migrations.AddIndex(
            model_name='loan',
            index=models.Index(condition=models.Q(('returned_at__isnull', True)), fields=['borrower'], name='loan_open_borrower'),
        ),
        migrations.AddIndex(
            model_name='loan',
            index=models.Index(condition=models.Q(('returned_at__isnull', True)), fields=['due_at'], name='loan_open_due'),
        ),
        migrations.AddIndex(
            model_name='loan',
            index=models.Index(condition=models.Q(('borrower__isnull', False)), fields=['returned_at'], name='loan_not_anonymised'),
        ),
        migrations.AddConstraint(
            model_name='loan',
            constraint=models.UniqueConstraint(condition=models.Q(('returned_at__isnull', True)), fields=('copy',), name='loan_one_open_per_copy', violation_error_message='This copy is already checked out.'),
        ),
        migrations.AddConstraint(
            model_name='loan',
            constraint=models.UniqueConstraint(fields=('copy', 'borrower', 'borrowed_at'), name='loan_once'),
        ),
        migrations.AddConstraint(
            model_name='loan',
            constraint=models.CheckConstraint(condition=models.Q(('returned_at__isnull', True), ('returned_at__gte', models.F('borrowed_at')), _connector='OR'), name='loan_returned_after_borrowed', violation_error_message='A copy cannot be returned before it was checked out.'),
        ),
        migrations.AddConstraint(
            model_name='loan',
            constraint=models.CheckConstraint(condition=models.Q(('due_at__gte', models.F('borrowed_at'))), name='loan_due_after_borrowed', violation_error_message='The due date cannot be before the checkout date.'),
        ),
        migrations.AddConstraint(
            model_name='loan',
            constraint=models.CheckConstraint(condition=models.Q(('renewals__gte', 0)), name='loan_renewals_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='loan',
            constraint=models.CheckConstraint(condition=models.Q(('lost_at__isnull', True), ('lost_at__gte', models.F('borrowed_at')), _connector='OR'), name='loan_lost_after_borrowed', violation_error_message='A copy cannot be marked as lost before it was checked out.'),
        ),
        migrations.AddConstraint(
            model_name='loan',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('renewals_allowed__isnull', False), ('renewal_days__isnull', False), ('fine_per_day__isnull', False), ('grace_days__isnull', False), ('fine_cap__isnull', False)), models.Q(('renewals_allowed__isnull', True), ('renewal_days__isnull', True), ('fine_per_day__isnull', True), ('grace_days__isnull', True), ('fine_cap__isnull', True)), _connector='OR'), name='loan_terms_whole', violation_error_message='A loan must have all of its policy terms or none.'),
        ),
        migrations.AddConstraint(
            model_name='loan',
            constraint=models.CheckConstraint(condition=models.Q(('borrower__isnull', False), ('returned_at__isnull', False), _connector='OR'), name='loan_open_has_borrower', violation_error_message='An open loan must have a borrower.'),
        ),
        migrations.AddConstraint(
            model_name='fineentry',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='fine_amount_above_zero'),
        ),
        migrations.AddConstraint(
            model_name='fineentry',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'waiver'), _negated=True), models.Q(('reason', ''), _negated=True), _connector='OR'), name='fine_waiver_has_reason', violation_error_message='A waiver requires a reason.'),
        ),
        migrations.AddIndex(
            model_name='loanevent',
            index=models.Index(fields=['kind', 'occurred_at', 'book', 'branch'], name='loan_event_count'),
        ),
        migrations.AddConstraint(
            model_name='loanpolicy',
            constraint=models.UniqueConstraint(django.db.models.functions.comparison.Coalesce(models.F('branch'), models.Value(0), output_field=models.BigIntegerField()), django.db.models.functions.comparison.Coalesce(models.F('borrower_category'), models.Value(0), output_field=models.BigIntegerField()), django.db.models.functions.comparison.Coalesce(models.F('item_type'), models.Value(0), output_field=models.BigIntegerField()), name='loan_policy_once', violation_error_message='A loan policy for this branch, borrower category and item type already exists. Edit that policy instead.'),
        ),
        migrations.AddConstraint(
            model_name='loanpolicy',
            constraint=models.CheckConstraint(condition=models.Q(('loan_days__gte', 0)), name='loan_policy_loan_days'),
        ),
        migrations.AddConstraint(
            model_name='loanpolicy',
            constraint=models.CheckConstraint(condition=models.Q(('max_loans__gte', 0)), name='loan_policy_max_loans'),
        ),
        migrations.AddConstraint(
            model_name='loanpolicy',
            constraint=models.CheckConstraint(condition=models.Q(('renewals_allowed__gte', 0)), name='loan_policy_renewals_allowed'),
        ),
        migrations.AddConstraint(
            model_name='loanpolicy',
            constraint=models.CheckConstraint(condition=models.Q(('renewal_days__gte', 0)), name='loan_policy_renewal_days'),
        ),
        migrations.AddConstraint(
            model_name='loanpolicy',
            constraint=models.CheckConstraint(condition=models.Q(('holds_allowed__gte', 0)), name='loan_policy_holds_allowed'),
        ),
        migrations.AddConstraint(
            model_name='loanpolicy',
            constraint=models.CheckConstraint(condition=models.Q(('fine_per_day__gte', 0)), name='loan_policy_fine_per_day'),
        ),
        migrations.AddConstraint(
            model_name='loanpolicy',
            constraint=models.CheckConstraint(condition=models.Q(('grace_days__gte', 0)), name='loan_policy_grace_days'),
        ),
        migrations.AddConstraint(
            model_name='loanpolicy',
            constraint=models.CheckConstraint(condition=models.Q(('fine_cap__gte', 0)), name='loan_policy_fine_cap'),
        ),
        migrations.AddIndex(
            model_name='notice',
            index=models.Index(fields=['state', 'claimed_at'], name='notice_state'),
        ),
        migrations.AddConstraint(
            model_name='notice',
            constraint=models.UniqueConstraint(fields=('loan', 'kind', 'occasion'), name='notice_once_per_loan'),
        ),
        migrations.AddConstraint(
            model_name='notice',
            constraint=models.UniqueConstraint(fields=('hold', 'kind', 'occasion'), name='notice_once_per_hold'),
        ),
        migrations.AddConstraint(
            model_name='notice',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('hold__isnull', True), ('loan__isnull', False)), models.Q(('hold__isnull', False), ('loan__isnull', True)), _connector='OR'), name='notice_loan_or_hold', violation_error_message='A notice must refer to either a loan or a hold.'),
        ),
        migrations.AddConstraint(
            model_name='notice',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state__in', ['sent', 'printed']), _negated=True), ('sent_at__isnull', False), _connector='OR'), name='notice_sent_has_time'),
        ),
        migrations.RunPython(create_triggers, drop_triggers, elidable=False),
        migrations.RunPython(create_default_policy, migrations.RunPython.noop, elidable=False),
    ]
