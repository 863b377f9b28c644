"""Loans that a file told of left no event before; what statistics count is made whole.

Of checkouts only: whether a return was told or worked out is not known any more.
"""

from django.db import migrations

CHECKOUTS = """
    INSERT INTO circulation_loanevent
        (kind, at, book_id, branch_id, copy_id, item_type_id, loan_id, borrower_id, borrower_category_id)
    SELECT 'checkout', loan.borrowed_at, copy.book_id, copy.branch_id, copy.id, copy.item_type_id, loan.id,
        loan.borrower_id, borrower.category_id
    FROM circulation_loan loan
    JOIN catalogue_copy copy ON copy.id = loan.copy_id
    LEFT JOIN people_borrower borrower ON borrower.id = loan.borrower_id
    WHERE NOT EXISTS (
        SELECT 1 FROM circulation_loanevent told WHERE told.loan_id = loan.id AND told.kind = 'checkout'
    )
"""


class Migration(migrations.Migration):

    dependencies = [
        ('circulation', '0008_forgetting'),
    ]

    operations = [
        migrations.RunSQL(CHECKOUTS, migrations.RunSQL.noop),
    ]
