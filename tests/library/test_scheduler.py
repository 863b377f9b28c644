"""The beat scheduler: times from the admin, several instances, an unavailable broker."""

from datetime import timedelta

import pytest
from celery.schedules import crontab
from django.conf import settings
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, PeriodicTask
from django_celery_beat.schedulers import ModelEntry

from library.celery import app
from library.scheduler import RETRY_SECONDS, AdminScheduler

ANONYMISING = "Anonymise old loans"
#: Runs every minute: beat does not read tasks that are hours away.
EVERY_MINUTE = "Restart lost jobs"


@pytest.mark.django_db
def test_time_changed_in_the_admin_survives_restart():
    scheduler = AdminScheduler(app=app, lazy=True)
    scheduler.update_from_dict(settings.CELERY_BEAT_SCHEDULE)
    task = PeriodicTask.objects.get(name=ANONYMISING)
    assert task.crontab.schedule == crontab(hour=1, minute=0)
    task.crontab = CrontabSchedule.objects.create(hour="4", minute="30")
    task.save()
    AdminScheduler(app=app, lazy=True).update_from_dict(settings.CELERY_BEAT_SCHEDULE)
    task.refresh_from_db()
    assert (task.crontab.hour, task.crontab.minute) == ("4", "30")
    assert PeriodicTask.objects.filter(name__in=settings.CELERY_BEAT_SCHEDULE).count() == len(
        settings.CELERY_BEAT_SCHEDULE
    )


def started() -> AdminScheduler:
    """Return a scheduler in the state after beat has started."""
    scheduler = AdminScheduler(app=app, lazy=True)
    scheduler.update_from_dict(settings.CELERY_BEAT_SCHEDULE)
    return scheduler


def make_due(name: str) -> None:
    """Make a task due by setting its last run to two days ago."""
    PeriodicTask.objects.filter(name=name).update(last_run_at=timezone.now() - timedelta(days=2))


@pytest.mark.django_db
def test_only_one_of_two_schedulers_sends_a_task():
    started()
    make_due(EVERY_MINUTE)
    entries = {scheduler: scheduler.schedule[EVERY_MINUTE] for scheduler in (started(), started())}
    (first, first_entry), (second, second_entry) = entries.items()
    assert first_entry.is_due().is_due
    assert second_entry.is_due().is_due
    assert first.is_due(first_entry).is_due
    assert not second.is_due(second_entry).is_due
    # Both know the new time, and neither overwrites it with an older one.
    first_entry = first.reserve(first_entry)
    assert not first.is_due(first_entry).is_due
    recorded = PeriodicTask.objects.get(name=EVERY_MINUTE)
    assert recorded.total_run_count == first_entry.total_run_count == second_entry.total_run_count == 1
    for scheduler in (first, second):
        scheduler.sync()
    assert (
        PeriodicTask.objects.get(name=EVERY_MINUTE).last_run_at
        == recorded.last_run_at
        == second_entry.last_run_at
    )
    # Next time the other scheduler may be first.
    make_due(EVERY_MINUTE)
    second_entry.last_run_at -= timedelta(days=2)
    assert second.is_due(second_entry).is_due


@pytest.mark.django_db
def test_due_task_waits_for_the_broker(monkeypatch, caplog):
    started()
    make_due(EVERY_MINUTE)
    scheduler = started()
    entry = scheduler.schedule[EVERY_MINUTE]
    with monkeypatch.context() as patch:
        patch.setattr(app.conf, "broker_write_url", "redis+socket:///no/such/socket")
        assert scheduler.is_due(entry) == (False, RETRY_SECONDS)
    assert "is due but must wait: the broker is unavailable" in caplog.text
    assert PeriodicTask.objects.get(name=EVERY_MINUTE).total_run_count == 0
    assert scheduler.is_due(entry).is_due


@pytest.mark.django_db
def test_change_during_startup_is_not_lost():
    class SlowEntry(ModelEntry):
        @classmethod
        def from_entry(cls, name, **fields):
            entry = super().from_entry(name, **fields)
            for task in PeriodicTask.objects.filter(name=EVERY_MINUTE):
                task.enabled = False
                task.save()
            return entry

    class Slow(AdminScheduler):
        Entry = SlowEntry

    scheduler = Slow(app=app)
    assert PeriodicTask.objects.filter(name=EVERY_MINUTE).exists()
    assert EVERY_MINUTE not in scheduler.schedule
