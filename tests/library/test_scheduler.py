from datetime import timedelta

import pytest
from celery.schedules import crontab
from django.conf import settings
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, PeriodicTask
from django_celery_beat.schedulers import ModelEntry

from library.celery import app
from library.scheduler import RETRY, AdminsScheduler

FORGETTING = "forget loans nightly"
#: Each minute: beat does not read what is hours away.
LOOKING = "look after runs"


@pytest.mark.django_db
def test_a_time_changed_in_the_admin_outlives_a_restart():
    scheduler = AdminsScheduler(app=app, lazy=True)
    scheduler.update_from_dict(settings.CELERY_BEAT_SCHEDULE)
    task = PeriodicTask.objects.get(name=FORGETTING)
    assert task.crontab.schedule == crontab(hour=1, minute=0)
    task.crontab = CrontabSchedule.objects.create(hour="4", minute="30")
    task.save()
    AdminsScheduler(app=app, lazy=True).update_from_dict(settings.CELERY_BEAT_SCHEDULE)
    task.refresh_from_db()
    assert (task.crontab.hour, task.crontab.minute) == ("4", "30")
    assert PeriodicTask.objects.filter(name__in=settings.CELERY_BEAT_SCHEDULE).count() == len(
        settings.CELERY_BEAT_SCHEDULE
    )


def started() -> AdminsScheduler:
    """Return a scheduler as it stands when beat has started."""
    scheduler = AdminsScheduler(app=app, lazy=True)
    scheduler.update_from_dict(settings.CELERY_BEAT_SCHEDULE)
    return scheduler


def missed(name: str) -> None:
    """Let a task's last time be two days ago, so that it is due."""
    PeriodicTask.objects.filter(name=name).update(last_run_at=timezone.now() - timedelta(days=2))


@pytest.mark.django_db
def test_of_two_beats_one_sends_what_is_due():
    started()
    missed(LOOKING)
    entries = {scheduler: scheduler.schedule[LOOKING] for scheduler in (started(), started())}
    (first, its), (second, others) = entries.items()
    assert its.is_due().is_due
    assert others.is_due().is_due
    assert first.is_due(its).is_due
    assert not second.is_due(others).is_due
    # Both know now that it is done, and neither writes an older time over it.
    its = first.reserve(its)
    assert not first.is_due(its).is_due
    noted = PeriodicTask.objects.get(name=LOOKING)
    assert noted.total_run_count == its.total_run_count == others.total_run_count == 1
    for scheduler in (first, second):
        scheduler.sync()
    assert PeriodicTask.objects.get(name=LOOKING).last_run_at == noted.last_run_at == others.last_run_at
    # The next time, it may be the other one.
    missed(LOOKING)
    others.last_run_at -= timedelta(days=2)
    assert second.is_due(others).is_due


@pytest.mark.django_db
def test_what_is_due_waits_for_a_broker_that_is_away(monkeypatch, caplog):
    started()
    missed(LOOKING)
    scheduler = started()
    entry = scheduler.schedule[LOOKING]
    with monkeypatch.context() as patch:
        patch.setattr(app.conf, "broker_write_url", "redis+socket:///no/such/socket")
        assert scheduler.is_due(entry) == (False, RETRY)
    assert "is due and waits, as the broker is away" in caplog.text
    assert PeriodicTask.objects.get(name=LOOKING).total_run_count == 0
    assert scheduler.is_due(entry).is_due


@pytest.mark.django_db
def test_a_change_made_while_beat_starts_counts():
    class SlowEntry(ModelEntry):
        @classmethod
        def from_entry(cls, name, **fields):
            entered = super().from_entry(name, **fields)
            for task in PeriodicTask.objects.filter(name=LOOKING):
                task.enabled = False
                task.save()
            return entered

    class Slow(AdminsScheduler):
        Entry = SlowEntry

    scheduler = Slow(app=app)
    assert PeriodicTask.objects.filter(name=LOOKING).exists()
    assert LOOKING not in scheduler.schedule
