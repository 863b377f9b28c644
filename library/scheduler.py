"""Celery beat scheduler with times from the admin and support for several instances."""

import logging
from typing import Any

from celery.schedules import schedstate
from django.db.models import F, Q
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5.0
"""Seconds between two attempts to reach an unavailable broker."""


class AdminScheduler(DatabaseScheduler):
    """Create the tasks of the settings once; afterwards the times in the admin apply.

    The parent class resets them at each start, which would overwrite changes in the admin.

    Any number of schedulers may run. The first to reach a due task records the time with one UPDATE, which
    must match the time of the previous run, and sends the task; the others see that they are late. If a
    scheduler is killed between the two steps, the task runs at its next time.
    """

    def update_from_dict(self, mapping: dict[str, Any]) -> None:
        existing = set(PeriodicTask.objects.filter(name__in=mapping).values_list("name", flat=True))
        super().update_from_dict({name: entry for name, entry in mapping.items() if name not in existing})

    def setup_schedule(self) -> None:
        super().setup_schedule()
        # The parent considers all changes up to now as read, although it entered the rows one by one.
        self._last_timestamp = self.Changes.last_change()
        self._schedule = self.all_as_schedule()

    def is_due(self, entry: ModelEntry) -> schedstate:
        """Return whether to send a task now, and when to check again.

        If the database is unavailable, this raises an error, which Celery logs before it retries.
        """
        state = super().is_due(entry)
        if not state.is_due:
            return state
        if not self._is_broker_available(entry):
            # Celery would log the error and skip to the next time, which would drop a nightly task.
            return schedstate(is_due=False, next=RETRY_SECONDS)
        if self._claim(entry):
            return state
        entry.model.refresh_from_db(fields=["last_run_at", "total_run_count"])
        entry.last_run_at, entry.total_run_count = entry.model.last_run_at, entry.model.total_run_count
        return super().is_due(entry)

    def reserve(self, entry: ModelEntry) -> ModelEntry:
        """Advance to the next time; `_claim` has saved it, and a second save could undo another claim."""
        return next(entry)

    def _is_broker_available(self, entry: ModelEntry) -> bool:
        try:
            with self.app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
        except OperationalError as error:
            logger.error("Task “%s” is due but must wait: the broker is unavailable: %s", entry.name, error)
            return False
        return True

    def _claim(self, entry: ModelEntry) -> bool:
        unclaimed = Q(last_run_at=None) | Q(last_run_at__lte=entry.last_run_at)
        task = PeriodicTask.objects.filter(unclaimed, pk=entry.model.pk)
        return bool(task.update(last_run_at=timezone.now(), total_run_count=F("total_run_count") + 1))
