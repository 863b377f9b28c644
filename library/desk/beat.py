"""The clock of the scheduled tasks."""

from typing import Any

from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler


class AdminsScheduler(DatabaseScheduler):
    """Enter what the settings name once; from then on the admin's times count.

    Its parent enters them anew at each start, over what was changed in the admin.
    """

    def update_from_dict(self, mapping: dict[str, Any]) -> None:
        there = set(PeriodicTask.objects.filter(name__in=mapping).values_list("name", flat=True))
        super().update_from_dict({name: entry for name, entry in mapping.items() if name not in there})
