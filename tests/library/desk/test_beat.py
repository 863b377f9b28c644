import pytest
from celery.schedules import crontab
from django.conf import settings
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from library.celery import app
from library.desk.beat import AdminsScheduler

FORGETTING = "forget loans nightly"


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
