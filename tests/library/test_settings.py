"""SETTINGS.md and JOBS.md must match the settings."""

import re
from pathlib import Path

from celery.schedules import crontab

import classifier
import library.settings
from library.settings.schedule import CELERY_BEAT_SCHEDULE

FOLDER = Path(library.settings.__file__).parent
JOBS = Path(classifier.__file__).parent / "JOBS.md"
#: Read by Django before any settings module.
DJANGO_VARIABLES = {"DJANGO_SETTINGS_MODULE"}
DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def test_settings_document_lists_every_variable():
    code = "".join(path.read_text() for path in FOLDER.glob("*.py"))
    variables = set(re.findall(r"env\.\w+\(\s*\"(\w+)\"", code))
    assert len(variables) > 20
    rows = re.findall(r"^\| (`.*?) \|", (FOLDER / "SETTINGS.md").read_text(), re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == variables | DJANGO_VARIABLES


def describe(schedule: crontab) -> str:
    """Return the default time of a job as JOBS.md writes it."""
    (minute, *more_minutes), (hour, *more_hours) = sorted(schedule.minute), sorted(schedule.hour)
    if more_minutes:
        return "every minute"
    if more_hours:
        return f"hourly at :{minute:02}"
    time = f"at {hour}:{minute:02}"
    if len(schedule.day_of_month) == 1:
        return f"monthly on day {min(schedule.day_of_month)} {time}"
    if len(schedule.day_of_week) == 1:
        return f"{DAYS[min(schedule.day_of_week)]} {time}"
    return f"daily {time}"


def test_jobs_document_lists_every_scheduled_job():
    jobs = {name: describe(entry["schedule"]) for name, entry in CELERY_BEAT_SCHEDULE.items()}
    rows = re.findall(r"^\| ([^|`]+?) \| ([^|`]+?) \|", JOBS.read_text(), re.MULTILINE)
    assert {name: time for name, time in rows if name in jobs} == jobs
