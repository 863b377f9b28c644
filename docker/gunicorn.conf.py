"""What gunicorn reads beside its command line."""

import os
from typing import Any


def child_exit(server: Any, worker: Any) -> None:
    """Let the metrics of a web process that ended be those of all."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(worker.pid)
