"""``manage.py prune_audit``: the audit log's oldest entries go."""

from typing import Any

from django.utils import timezone

from library.console import Command as BaseCommand
from library.console import Progress
from library.people.services.audit import prune_audit


class Command(BaseCommand):
    help = (
        "Remove the entries of the audit log that are older than AUDIT_MONTHS (24 unless set; 0 keeps all). "
        "That it was done is written into the log. A task does the same once a month."
    )
    example = "manage.py prune_audit"

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        return prune_audit(now=timezone.now())
