"""The Celery application: ``celery -A library worker -B``."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_init, worker_ready

from library.errors import LibraryError
from library.startup import exit_on_invalid_settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "library.settings.dev")

app = Celery("library")
with exit_on_invalid_settings():
    app.config_from_object("django.conf:settings", namespace="CELERY", force=True)
app.autodiscover_tasks()


@worker_init.connect
def confirm_keys(**kwargs: Any) -> None:
    """Stop a worker before its first task if it cannot decrypt the borrowers' data."""
    # Imported here because the models are not loaded before.
    from library.people.services.key_check import confirm_startup_keys

    try:
        confirm_startup_keys()
    except LibraryError as error:
        # Celery logs an exception of a handler and continues; only an exit stops the worker.
        raise SystemExit(f"{type(error).__name__}: {error.message}") from error


@worker_ready.connect
def recover_lost_runs(**kwargs: Any) -> None:
    """Restart the runs of dead workers; this worker may have replaced one that was killed."""
    app.send_task("classifier.tasks.reap_runs", expires=55, ignore_result=True)
