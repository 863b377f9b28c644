"""Start of the model server on demand, in development; in production a supervisor starts it."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from classifier.errors import ServingError

IDLE_SECONDS = 3600
"""The started server stops after this time without a request: longer than a break in cataloguing."""
RETRY_AFTER = 30
"""Seconds until a start that failed is tried again: each attempt costs seconds of a processor."""
_lock = threading.Lock()
_process: subprocess.Popen[bytes] | None = None
_started_at = float("-inf")


def start(*, log: Path) -> None:
    """Start the server, unless the one that this process started is alive.

    Raises
    ------
    ServingError
        If it cannot be started, or failed less than `RETRY_AFTER` ago.
    """
    global _process, _started_at
    with _lock:
        if _process is not None:
            code = _process.poll()
            if code is None:
                return
            if code > 0 and time.monotonic() - _started_at < RETRY_AFTER:
                raise ServingError(_("The model server could not be started: %s") % log)
        try:
            with log.open("wb") as output:
                _process = subprocess.Popen(  # noqa: S603
                    [sys.executable, "-m", "django", "serve_model", "--idle", str(IDLE_SECONDS)],
                    cwd=settings.BASE_DIR,
                    env=os.environ | {"LIBRARY_DATA_DIR": str(settings.DATA_DIR)},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
        except OSError as error:
            raise ServingError(_("The model server could not be started: %s") % error) from error
        _started_at = time.monotonic()
