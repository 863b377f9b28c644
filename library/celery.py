"""The Celery application: ``celery -A library worker -B``."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_init, worker_ready

from library.errors import LibraryError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "library.settings.dev")

app = Celery("library")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
def confirm_keys(**kwargs: Any) -> None:
    """Stop a worker before its first task if it cannot read the borrowers."""
    # Needs the models, which are there only now.
    from library.people.services.key_check import start_with_keys

    try:
        start_with_keys()
    except LibraryError as error:
        # Celery logs what a handler raises, and goes on; it does not hold up an exit.
        raise SystemExit(f"{type(error).__name__}: {error.message}") from error


@worker_ready.connect
def look_after_runs(**kwargs: Any) -> None:
    """Take up what a worker before this one left: it may have been this one, before it was killed."""
    app.send_task("classifier.tasks.reap", expires=55, ignore_result=True)
