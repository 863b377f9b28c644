"""The schedule as people changed it."""

from typing import Any

from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler


class KeptSchedule(DatabaseScheduler):
    """Beat's schedule in the database; the settings only bring what is not there yet.

    The scheduler it is made of writes the settings over what was changed in the admin at each start.
    """

    def update_from_dict(self, mapping: dict[str, Any]) -> None:
        kept = set(PeriodicTask.objects.filter(name__in=mapping).values_list("name", flat=True))
        super().update_from_dict({name: entry for name, entry in mapping.items() if name not in kept})
