from django.db import migrations


def make_default(apps, schema_editor):
    # Every key null: it applies where nothing more specific does. No fines until the library sets some.
    policies = apps.get_model("circulation", "LoanPolicy").objects.using(schema_editor.connection.alias)
    policies.create(
        loan_days=28, max_loans=20, renewals_allowed=2, renewal_days=28, holds_allowed=10,
        fine_per_day=0, grace_days=0, fine_cap=0,
    )


class Migration(migrations.Migration):

    dependencies = [
        ('circulation', '0002_circulation_core'),
    ]

    operations = [
        migrations.RunPython(make_default, migrations.RunPython.noop),
    ]
