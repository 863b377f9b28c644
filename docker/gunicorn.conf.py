"""Gunicorn configuration in addition to the command line."""

import os
from typing import Any


def on_starting(server: Any) -> None:
    """Stop before the web processes start if a setting is invalid."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "library.settings.production")
    from django.conf import settings

    from library.startup import exit_on_invalid_settings

    with exit_on_invalid_settings():
        bool(settings.INSTALLED_APPS)  # reads all settings


def child_exit(server: Any, worker: Any) -> None:
    """Merge the metrics of a web process that has ended."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(worker.pid)
