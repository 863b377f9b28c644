from django.db import migrations
from django.db.models import Count, Exists, OuterRef, Subquery, Sum


def settle(apps, schema_editor):
    """Tell the copies what the loans know: which are out, and how often each was lent and renewed."""
    alias = schema_editor.connection.alias
    copies = apps.get_model("catalogue", "Copy").objects.using(alias)
    loans = apps.get_model("circulation", "Loan").objects.using(alias).order_by()
    of_copy = loans.filter(copy=OuterRef("pk"))
    per_copy = of_copy.values("copy")
    copies.filter(Exists(of_copy)).update(
        checkouts=Subquery(per_copy.annotate(number=Count("pk")).values("number")),
        renewals=Subquery(per_copy.annotate(number=Sum("renewals")).values("number")),
    )
    copies.filter(Exists(of_copy.filter(returned_at=None))).update(status="on_loan")


class Migration(migrations.Migration):

    dependencies = [
        ('catalogue', '0003_circulation_of_copies'),
        ('circulation', '0003_default_policy'),
    ]

    operations = [
        migrations.RunPython(settle, migrations.RunPython.noop),
    ]
