"""The database refuses to change or delete an event, whoever asks.

Setting the loan and the borrower to null is let through: that is how a reader is forgotten. A later migration
that alters a column of the table makes SQLite build it anew, without these triggers: run `create` again then
(tests/library/circulation/test_events.py fails until it does).
"""

from django.db import migrations

REFUSAL = "Loan events are kept as they were written; only the loan and the borrower can be cut off."

KEPT = ("id", "kind", "at", "book_id", "copy_id", "branch_id", "item_type_id", "borrower_category_id", "amount")
CUT = ("loan_id", "borrower_id")

POSTGRESQL = (
    f"""
    CREATE FUNCTION circulation_loanevent_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'integrity_constraint_violation';
    END $$
    """,
    """
    CREATE TRIGGER circulation_loanevent_no_delete BEFORE DELETE ON circulation_loanevent
    FOR EACH ROW EXECUTE FUNCTION circulation_loanevent_refuse()
    """,
    f"""
    CREATE TRIGGER circulation_loanevent_no_update BEFORE UPDATE ON circulation_loanevent
    FOR EACH ROW WHEN (
        {" OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in KEPT)}
        OR {" OR ".join(
            f"(NEW.{column} IS DISTINCT FROM OLD.{column} AND NEW.{column} IS NOT NULL)" for column in CUT
        )}
    ) EXECUTE FUNCTION circulation_loanevent_refuse()
    """,
)

SQLITE = (
    f"""
    CREATE TRIGGER circulation_loanevent_no_delete BEFORE DELETE ON circulation_loanevent
    BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END
    """,
    f"""
    CREATE TRIGGER circulation_loanevent_no_update BEFORE UPDATE ON circulation_loanevent
    WHEN {" OR ".join(f"NEW.{column} IS NOT OLD.{column}" for column in KEPT)}
        OR {" OR ".join(
            f"(NEW.{column} IS NOT OLD.{column} AND NEW.{column} IS NOT NULL)" for column in CUT
        )}
    BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END
    """,
    # INSERT OR REPLACE deletes without asking the trigger above.
    f"""
    CREATE TRIGGER circulation_loanevent_no_replace BEFORE INSERT ON circulation_loanevent
    WHEN EXISTS (SELECT 1 FROM circulation_loanevent WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END
    """,
)

DROP_POSTGRESQL = ("DROP FUNCTION IF EXISTS circulation_loanevent_refuse() CASCADE",)
DROP_SQLITE = tuple(
    f"DROP TRIGGER IF EXISTS circulation_loanevent_no_{name}" for name in ("delete", "update", "replace")
)


def execute(schema_editor, *, postgresql, sqlite):
    statements = {"postgresql": postgresql, "sqlite": sqlite}[schema_editor.connection.vendor]
    for statement in statements:
        schema_editor.execute(statement, params=None)


def create(apps, schema_editor):
    execute(schema_editor, postgresql=POSTGRESQL, sqlite=SQLITE)


def drop(apps, schema_editor):
    execute(schema_editor, postgresql=DROP_POSTGRESQL, sqlite=DROP_SQLITE)


class Migration(migrations.Migration):

    dependencies = [
        ('circulation', '0004_copies_of_open_loans'),
    ]

    operations = [
        migrations.RunPython(create, drop),
    ]
