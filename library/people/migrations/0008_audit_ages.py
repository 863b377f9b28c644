"""The audit log stays append-only, but lets go of entries older than 180 days by the database's own clock.

Which of these go, and when, is `prune_audit`'s to decide. A sign to be given first (a setting of the session, a
row of a table) would protect nothing: who can send the DELETE can give the sign.
"""

from django.db import migrations

_REFUSAL = "The audit log is append-only: entries are neither changed nor deleted."
_YOUNG = "The audit log is append-only: entries younger than 180 days are not deleted."

_TRIGGERS = {
    "sqlite": (
        [
            "DROP TRIGGER people_auditentry_delete",
            f"""CREATE TRIGGER people_auditentry_delete BEFORE DELETE ON people_auditentry
            WHEN OLD.at > strftime('%Y-%m-%d %H:%M:%f', 'now', '-180 days')
            BEGIN SELECT RAISE(ABORT, '{_YOUNG}'); END""",
        ],
        [
            "DROP TRIGGER people_auditentry_delete",
            f"""CREATE TRIGGER people_auditentry_delete BEFORE DELETE ON people_auditentry
            BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",
        ],
    ),
    "postgresql": (
        [
            "DROP TRIGGER people_auditentry_refuse ON people_auditentry",
            """CREATE TRIGGER people_auditentry_refuse BEFORE UPDATE OR TRUNCATE ON people_auditentry
            FOR EACH STATEMENT EXECUTE FUNCTION people_auditentry_refuse()""",
            f"""CREATE FUNCTION people_auditentry_young() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN RAISE EXCEPTION '{_YOUNG}'; END $$""",
            """CREATE TRIGGER people_auditentry_young BEFORE DELETE ON people_auditentry
            FOR EACH ROW WHEN (OLD.at > clock_timestamp() - interval '180 days')
            EXECUTE FUNCTION people_auditentry_young()""",
        ],
        [
            "DROP TRIGGER people_auditentry_young ON people_auditentry",
            "DROP FUNCTION people_auditentry_young()",
            "DROP TRIGGER people_auditentry_refuse ON people_auditentry",
            """CREATE TRIGGER people_auditentry_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON people_auditentry
            FOR EACH STATEMENT EXECUTE FUNCTION people_auditentry_refuse()""",
        ],
    ),
}


def let_old_entries_go(apps, schema_editor):
    for statement in _TRIGGERS[schema_editor.connection.vendor][0]:
        schema_editor.execute(statement, params=None)


def keep_all_entries(apps, schema_editor):
    for statement in _TRIGGERS[schema_editor.connection.vendor][1]:
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):

    dependencies = [
        ('people', '0007_export_permission'),
    ]

    operations = [
        migrations.RunPython(let_old_entries_go, keep_all_entries, elidable=False),
    ]
