"""``manage.py dumpdata``: Django's own, written down, as it gives borrowers' data in plain text."""

from typing import Any

from django.core.management.commands.dumpdata import Command as DjangoCommand
from django.utils import timezone

from library.people.models import AuditEntry
from library.people.services.audit import system_user, write_entry


class Command(DjangoCommand):
    def handle(self, *app_labels: Any, **options: Any) -> None:
        # First, so that nothing is given without its entry.
        write_entry(
            user=system_user(),
            action=AuditEntry.Action.EXPORTED,
            path=" ".join(("manage.py dumpdata", *app_labels)),
            now=timezone.now(),
        )
        # Each kind of database has an index of its own, which rebuild_search makes after loaddata.
        options["exclude"] = [*options["exclude"], "catalogue.SearchEntry"]
        super().handle(*app_labels, **options)
