"""``manage.py dumpdata``: Django's command, audited because it writes personal data in plain text."""

from typing import Any

from django.core.management.commands.dumpdata import Command as DjangoCommand
from django.utils import timezone

from library.people.models import AuditEntry
from library.people.services.audit import system_user, write_entry


class Command(DjangoCommand):
    def handle(self, *app_labels: Any, **options: Any) -> None:
        # The entry first, so that no data leaves without it.
        write_entry(
            user=system_user(),
            action=AuditEntry.Action.EXPORTED,
            path=" ".join(("manage.py dumpdata", *app_labels)),
            now=timezone.now(),
        )
        # The search index differs between databases; rebuild_search creates it after loaddata.
        options["exclude"] = [*options["exclude"], "catalogue.SearchEntry"]
        super().handle(*app_labels, **options)
