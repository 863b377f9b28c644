"""The project's programs as a person starts them: processes of their own, on a data folder of their own."""

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 120
"""Seconds a busy machine may take for what takes a few."""


def environment(data: Path, **more: str) -> dict[str, str]:
    """Return the environment of a fresh installation with its data in a folder."""
    ours = {"DATABASE_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "SECRET_KEY"}
    ours |= {"BORROWER_KEYS", "BORROWER_INDEX_KEY", "BORROWER_KEYS_FILE", "BORROWER_INDEX_KEY_FILE"}
    inherited = {key: value for key, value in os.environ.items() if key not in ours}
    own = {"DJANGO_SETTINGS_MODULE": "library.settings.dev", "LIBRARY_DATA_DIR": str(data)}
    return inherited | own | {"PYTHONUNBUFFERED": "1"} | more


def manage(data: Path, *arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    """Run ``manage.py`` to its end."""
    return subprocess.run(
        [sys.executable, "manage.py", *map(str, arguments)],
        cwd=ROOT,
        env=environment(data, **more),
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE,
        check=False,
    )


class Service:
    """A program that runs until it is stopped, and what it says, line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        # Read at once, also while nobody waits for a line: a full pipe would stop the program.
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def line_with(self, text: str) -> str:
        """Wait for a line that holds the text, and return it."""
        while True:
            try:
                line = self._lines.get(timeout=PATIENCE)
            except queue.Empty:
                line = ""
            if not line:
                raise AssertionError(f"“{text}” was not said:\n{''.join(self.said)}")
            if text in line:
                return line

    def stop(self) -> int:
        """Ask the program to end, and return its exit code."""
        self.process.terminate()
        try:
            code = self.process.wait(timeout=PATIENCE)
        finally:
            self.process.kill()
            self._reader.join()
            self.process.stdout.close()
        return code

    def _read(self) -> None:
        for line in self.process.stdout:
            self.said.append(line)
            self._lines.put(line)
        self._lines.put("")


@contextmanager
def started(*command: str, env: dict[str, str] | None = None) -> Iterator[Service]:
    """Start a program and stop it afterwards."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    service = Service(process)
    try:
        yield service
    finally:
        service.stop()
