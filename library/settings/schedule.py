"""Scheduled jobs of a new installation."""

from celery.schedules import crontab

# The times suit libraries that are closed at night. After the first start, the times in the admin (Periodic
# tasks) apply. classifier/JOBS.md lists the jobs; a test compares the two.
CELERY_BEAT_SCHEDULE = {
    # Before the recommendations, which learn from the remaining loans.
    "Anonymise old loans": {
        "task": "library.circulation.tasks.anonymise_loans",
        "schedule": crontab(hour=1, minute=0),
    },
    "Classify new books": {
        "task": "classifier.tasks.request_run",
        "kwargs": {"kind": "reclassify"},
        "schedule": crontab(hour=2, minute=0),
    },
    "Update recommendations": {
        "task": "classifier.tasks.request_run",
        "kwargs": {"kind": "recommend"},
        "schedule": crontab(hour=3, minute=0),
    },
    # Skipped if no book, loan or model version has changed.
    "Redraw the collection map": {
        "task": "classifier.tasks.request_run",
        "kwargs": {"kind": "draw_map"},
        "schedule": crontab(hour=3, minute=30),
    },
    # Before the notices, which report expired and resumed holds.
    "Update hold queues": {
        "task": "library.circulation.tasks.maintain_holds",
        "schedule": crontab(hour=5, minute=0),
    },
    # After the hour's statistics.
    "Send scheduled reports": {
        "task": "library.analytics.tasks.send_reports",
        "schedule": crontab(hour=6, minute=30),
    },
    # In the morning, so that no phone rings at night.
    "Send notices to borrowers": {
        "task": "library.circulation.tasks.send_notices",
        "schedule": crontab(hour=7, minute=0),
    },
    # It takes a minute at most; the pages show the time of the last update.
    "Update statistics": {
        "task": "library.analytics.tasks.refresh_statistics",
        "schedule": crontab(minute=20),
        "options": {"expire_seconds": 3000},
    },
    "Delete old idempotency records": {
        "task": "library.rest.tasks.prune_idempotency_records",
        "schedule": crontab(minute=45),
    },
    "Restart lost jobs": {
        "task": "classifier.tasks.reap_runs",
        "schedule": crontab(),
        # Expires, so that messages do not pile up while all workers are busy.
        "options": {"expire_seconds": 55},
    },
    "Train a new model": {
        "task": "classifier.tasks.request_run",
        "kwargs": {"kind": "train"},
        "schedule": crontab(hour=0, minute=0, day_of_week="sunday"),
    },
    "Check model health": {
        "task": "classifier.tasks.check_drift",
        "schedule": crontab(hour=4, minute=0, day_of_week="monday"),
    },
    "Delete old audit entries": {
        "task": "library.people.tasks.prune_audit",
        "schedule": crontab(hour=4, minute=0, day_of_month=1),
    },
}
