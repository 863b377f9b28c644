"""Gunicorn configuration in addition to the command line."""

import os
from typing import Any


def child_exit(server: Any, worker: Any) -> None:
    """Merge the metrics of a web process that has ended."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(worker.pid)
