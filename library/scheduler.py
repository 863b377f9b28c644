"""The clock of the scheduled tasks."""

import logging
from typing import Any

from celery.schedules import schedstate
from django.db.models import F, Q
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

RETRY = 5.0
"""Seconds after which a broker that is away is looked for again."""


class AdminsScheduler(DatabaseScheduler):
    """Enter what the settings name once; from then on the admin's times count.

    Its parent enters them anew at each start, over what was changed in the admin.

    Any number of these may run: whoever comes first to a due task notes its time, which is one UPDATE that
    must find the time of the run before, and sends it; the others find that they are late. One that is killed
    between the two leaves the task to its next time.
    """

    def update_from_dict(self, mapping: dict[str, Any]) -> None:
        there = set(PeriodicTask.objects.filter(name__in=mapping).values_list("name", flat=True))
        super().update_from_dict({name: entry for name, entry in mapping.items() if name not in there})

    def setup_schedule(self) -> None:
        super().setup_schedule()
        # Its parent takes what was changed up to now for read, though it entered the rows one by one.
        self._last_timestamp = self.Changes.last_change()
        self._schedule = self.all_as_schedule()

    def is_due(self, entry: ModelEntry) -> schedstate:
        """Say whether to send a task now, and when to look again.

        A database that is away raises an error, which Celery logs and looks again.
        """
        found = super().is_due(entry)
        if not found.is_due:
            return found
        if not self._broker_answers(entry):
            # Celery would log the error and go on to the next time: what is due once a night was left out.
            return schedstate(is_due=False, next=RETRY)
        if self._claim(entry):
            return found
        entry.model.refresh_from_db(fields=["last_run_at", "total_run_count"])
        entry.last_run_at, entry.total_run_count = entry.model.last_run_at, entry.model.total_run_count
        return super().is_due(entry)

    def reserve(self, entry: ModelEntry) -> ModelEntry:
        """Go on to the next time; it is in the database already: written later, it could undo another's."""
        return next(entry)

    def _broker_answers(self, entry: ModelEntry) -> bool:
        try:
            with self.app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
        except OperationalError as error:
            logger.error("“%s” is due and waits, as the broker is away: %s", entry.name, error)
            return False
        return True

    def _claim(self, entry: ModelEntry) -> bool:
        known = Q(last_run_at=None) | Q(last_run_at__lte=entry.last_run_at)
        mine = PeriodicTask.objects.filter(known, pk=entry.model.pk)
        return bool(mine.update(last_run_at=timezone.now(), total_run_count=F("total_run_count") + 1))
