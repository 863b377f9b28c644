"""What is done when, by itself."""

from celery.schedules import crontab

# What a new installation starts with, when most libraries are closed; from then on the admin's rows count.
CELERY_BEAT_SCHEDULE = {
    "classify new books nightly": {
        "task": "classifier.tasks.ask",
        "kwargs": {"kind": "reclassify"},
        "schedule": crontab(hour=2, minute=0),
    },
    # Before the notices: they tell of both.
    "tend holds daily": {
        "task": "library.circulation.tasks.tend_holds",
        "schedule": crontab(hour=5, minute=0),
    },
    # In the morning: nobody's telephone is to ring at night.
    "send notices daily": {
        "task": "library.circulation.tasks.send_notices",
        "schedule": crontab(hour=7, minute=0),
    },
    "recommend nightly": {
        "task": "classifier.tasks.ask",
        "kwargs": {"kind": "recommend"},
        "schedule": crontab(hour=3, minute=0),
    },
    # Left out where no book, no loan and no version has changed since.
    "draw the map nightly": {
        "task": "classifier.tasks.ask",
        "kwargs": {"kind": "draw_map"},
        "schedule": crontab(hour=3, minute=30),
    },
    "prune the audit log monthly": {
        "task": "library.people.tasks.prune_audit",
        "schedule": crontab(hour=4, minute=0, day_of_month=1),
    },
    "prune kept answers hourly": {
        "task": "library.rest.tasks.prune_answers",
        "schedule": crontab(minute=45),
    },
    # Before titles are recommended anew.
    "forget loans nightly": {
        "task": "library.circulation.tasks.forget_loans",
        "schedule": crontab(hour=1, minute=0),
    },
    # A minute's work at most; the pages say how fresh they are.
    "refresh statistics hourly": {
        "task": "library.analytics.tasks.refresh_statistics",
        "schedule": crontab(minute=20),
        "options": {"expire_seconds": 3000},
    },
    # After the hour's statistics.
    "send reports daily": {
        "task": "library.analytics.tasks.send_reports",
        "schedule": crontab(hour=6, minute=30),
    },
    "retrain weekly": {
        "task": "classifier.tasks.ask",
        "kwargs": {"kind": "train"},
        "schedule": crontab(hour=0, minute=0, day_of_week="sunday"),
    },
    "look for drift weekly": {
        "task": "classifier.tasks.look_for_drift",
        "schedule": crontab(hour=4, minute=0, day_of_week="monday"),
    },
    "look after runs": {
        "task": "classifier.tasks.reap",
        "schedule": crontab(),
        # Not one for each minute that all workers were busy.
        "options": {"expire_seconds": 55},
    },
}
