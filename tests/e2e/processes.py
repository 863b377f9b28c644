"""Start the project's programs as separate processes on a data folder of their own."""

import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
TIMEOUT = 120
"""Seconds that a busy machine may need for a task of a few seconds."""


def environment(data: Path, **overrides: str) -> dict[str, str]:
    """Return the environment of a fresh installation with its data in a folder."""
    excluded = {"DATABASE_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "SECRET_KEY"}
    excluded |= {"BORROWER_KEYS", "BORROWER_INDEX_KEY", "BORROWER_KEYS_FILE", "BORROWER_INDEX_KEY_FILE"}
    inherited = {key: value for key, value in os.environ.items() if key not in excluded}
    defaults = {
        "DJANGO_SETTINGS_MODULE": "library.settings.dev",
        "LIBRARY_DATA_DIR": str(data),
        "PYTHONUNBUFFERED": "1",
    }
    return inherited | defaults | overrides


def manage(data: Path, *arguments: object, **overrides: str) -> subprocess.CompletedProcess[str]:
    """Run ``manage.py`` and wait until it ends."""
    return subprocess.run(
        [sys.executable, "manage.py", *map(str, arguments)],
        cwd=ROOT,
        env=environment(data, **overrides),
        capture_output=True,
        text=True,
        timeout=4 * TIMEOUT,
        check=False,
    )


class Service:
    """A program that runs until it is stopped, and its output, line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.output: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        # Reads all the time: a full pipe would stop the program.
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait_for_line(self, text: str) -> str:
        """Wait for a line that contains the text, and return it."""
        while True:
            try:
                line = self._lines.get(timeout=TIMEOUT)
            except queue.Empty:
                line = ""
            if not line:
                raise AssertionError(f"“{text}” was not printed:\n{''.join(self.output)}")
            if text in line:
                return line

    def stop(self) -> int:
        """Terminate the program and return its exit code."""
        self.process.terminate()
        try:
            code = self.process.wait(timeout=TIMEOUT)
        finally:
            self.process.kill()
            self._reader.join()
            self.process.stdout.close()
        return code

    def _read(self) -> None:
        for line in self.process.stdout:
            self.output.append(line)
            self._lines.put(line)
        self._lines.put("")


@contextmanager
def start_service(*command: str, env: dict[str, str] | None = None) -> Iterator[Service]:
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


@contextmanager
def runserver(data: Path, **overrides: str) -> Iterator[str]:
    """Serve an installation with Django's development server; yield its URL, without a slash at the end."""
    command = (sys.executable, "manage.py", "runserver", "127.0.0.1:0", "--noreload")
    with start_service(*command, env=environment(data, **overrides)) as server:
        line = server.wait_for_line("Starting development server at").strip()
        yield re.search(r"http://\S+?(?=/$)", line)[0]
