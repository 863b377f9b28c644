"""Tokens of the first versions stood in the database as they are: keep their digests, and nothing of them.

They go on working for 90 days, for all that their users may do. The admin's history had them in plain words too.
"""

from datetime import timedelta
from hashlib import sha256

from django.conf import settings
from django.db import migrations
from django.utils import timezone

SCOPES = [
    "catalogue:read",
    "catalogue:write",
    "circulation",
    "borrowers",
    "classify",
    "reviews",
    "models",
    "stats",
]


def hash_tokens(apps, schema_editor):
    connection = schema_editor.connection
    if "authtoken_token" not in connection.introspection.table_names():
        return
    ApiToken = apps.get_model("rest", "ApiToken")
    with connection.cursor() as cursor:
        cursor.execute("SELECT key, user_id FROM authtoken_token")
        old = cursor.fetchall()
    now = timezone.now()
    ApiToken.objects.bulk_create(
        ApiToken(
            user_id=user_id,
            name="API",
            prefix=key[:8],
            digest=sha256(key.encode()).hexdigest(),
            scopes=SCOPES,
            created_at=now,
            expires_at=now + timedelta(days=90),
        )
        for key, user_id in old
    )
    kinds = apps.get_model("contenttypes", "ContentType").objects.filter(app_label="authtoken")
    apps.get_model("admin", "LogEntry").objects.filter(content_type__in=kinds).update(
        object_repr="API", change_message=""
    )


def drop_plain_tokens(apps, schema_editor):
    schema_editor.execute("DROP TABLE IF EXISTS authtoken_token")
    # Takes the permissions on them along.
    apps.get_model("contenttypes", "ContentType").objects.filter(app_label="authtoken").delete()


class Migration(migrations.Migration):
    dependencies = [
        ("rest", "0001_initial"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("contenttypes", "0002_remove_content_type_name"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunPython(hash_tokens, migrations.RunPython.noop),
        migrations.RunPython(drop_plain_tokens, migrations.RunPython.noop),
    ]
