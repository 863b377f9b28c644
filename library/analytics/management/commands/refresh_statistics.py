"""``manage.py refresh_statistics``: update the summary tables, as the hourly job does."""

from typing import Any

from django.utils import timezone

from library.analytics.services.refresh import refresh_statistics
from library.console import Command as BaseCommand
from library.console import Progress


class Command(BaseCommand):
    help = (
        "Update the statistics: count the days whose events have changed. A job does this every hour. You "
        "can stop and repeat the command at any time."
    )
    example = "manage.py refresh_statistics"

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        return refresh_statistics(now=timezone.now(), progress=progress)

    def show(self, result: dict[str, Any]) -> None:
        self.stdout.write(
            f"Days counted: {result['days']}, titles counted: {result['titles']}. "
            f"Events in the statistics: {result['events']}."
        )
