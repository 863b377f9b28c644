"""``manage.py refresh_statistics``: what the hourly task does."""

from typing import Any

from django.utils import timezone

from library.analytics.services.refresh import refresh_statistics
from library.console import Command as BaseCommand
from library.console import Progress


class Command(BaseCommand):
    help = (
        "Count anew for the statistics those days whose events have changed. Runs every hour by itself; may "
        "be stopped and run again at any time, and changes nothing where nothing has changed."
    )
    example = "manage.py refresh_statistics"

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        return refresh_statistics(now=timezone.now(), progress=progress)

    def show(self, result: dict[str, Any]) -> None:
        self.stdout.write(
            f"{result['days']} days and {result['titles']} titles were counted anew; "
            f"{result['events']} events are counted in all."
        )
