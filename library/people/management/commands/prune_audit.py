"""``manage.py prune_audit``: delete audit entries past their retention period."""

from typing import Any

from django.utils import timezone

from library.console import Command as BaseCommand
from library.console import Progress
from library.people.services.audit import prune_audit


class Command(BaseCommand):
    help = (
        "Delete the entries of the audit log that are older than AUDIT_MONTHS (default 24; 0 keeps all), and "
        "add an entry about it. A task does the same once a month."
    )
    example = "manage.py prune_audit"
    labels = {"removed": "audit entries deleted"}

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        return prune_audit(now=timezone.now())
