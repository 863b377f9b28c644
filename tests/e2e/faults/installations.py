"""A library deployed as in docker/compose.yaml: web, worker, beat, broker and database, each killable."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db.models import Count

from classifier.models import Run
from tests.classifier.libraries import QUICK
from tests.e2e.faults.invariants import check_all
from tests.e2e.faults.servers import PostgreSQL, Program, Redis, wait_for
from tests.e2e.processes import ROOT, environment

#: By kind of run: parameters with which it takes a second or two.
QUICK_PARAMETERS: dict[str, dict[str, Any]] = {
    "train": {"seed": 7, "settings": list(QUICK)},
    "tune": {"trials": 2, "settings": list(QUICK)},
    "reclassify": {"include_categorised": True},
    "recommend": {"n": 3},
    "order_reviews": {},
    "draw_map": {},
}
#: The kind of run that a run of a kind requests when it has changed something.
FOLLOW_UPS = {"train": "reclassify", "reclassify": "order_reviews", "undo": "order_reviews"}
#: Short, because every case waits for them; many heartbeats, because the machine may be busy.
TIMEOUTS = {"RUN_HEARTBEAT_TIMEOUT": "4", "RUN_REDISPATCH_AFTER": "3"}


@dataclass
class Installation:
    """The library of one case.

    Attributes
    ----------
    folder
        Data folder.
    database
        Server, shared by the cases, one after the other.
    name
        Name of the case's database on that server.
    open_database
        Connects the test's own ORM to the database.
    parameters
        By kind of run.
    """

    folder: Path
    database: PostgreSQL
    name: str
    broker: Redis
    open_database: Callable[[], AbstractContextManager[None]]
    parameters: dict[str, dict[str, Any]]
    programs: list[Program] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    """Environment variables of this case."""

    def environment(self, **overrides: str) -> dict[str, str]:
        urls = {"CELERY_BROKER_URL": self.broker.url, "CELERY_RESULT_BACKEND": self.broker.url}
        urls["DATABASE_URL"] = self.database.url(self.name)
        variables = urls | {"OMP_NUM_THREADS": "1"} | TIMEOUTS | self.settings | overrides
        return environment(self.folder, **variables)

    def start_worker(self, name: str = "worker", *, pause_at: str = "") -> Program:
        """Start a worker as it is deployed; for `pause_at` see `tests.e2e.pause_points`."""
        command = ["worker", "--concurrency", "1", "--loglevel", "info", "-n", f"{name}@%h"]
        if not pause_at:
            return self._start_celery("library", *command, log=name)
        file = self.folder.with_name(f"pause-{name}")
        file.touch()
        return self._start_celery(
            "tests.e2e.pause_points", *command, log=name, PAUSE_AT=pause_at, PAUSE_FILE=str(file)
        )

    def start_beat(self, name: str = "beat") -> Program:
        return self._start_celery("library", "beat", "--pidfile=", "--loglevel", "info", log=name)

    @contextmanager
    def start_web(self) -> Iterator["Web"]:
        """Start a process that requests runs."""
        with Web(self.environment(), self.parameters) as web:
            yield web

    def wait_until_paused(self, name: str = "worker") -> None:
        wait_for(self._paused_file(name).exists, on_timeout=self.report)

    def resume(self, name: str = "worker") -> None:
        self._paused_file(name).unlink()

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition on the database."""

        def check() -> object:
            with self.open_database():
                # An invariant at every moment: never two running runs of a kind.
                running = Run.objects.filter(status="running").values("kind").annotate(n=Count("pk"))
                assert not running.filter(n__gt=1)
                return condition()

        wait_for(check, on_timeout=self.report)

    def wait_until_finished(self, **filters: Any) -> None:
        """Wait until a run with these fields exists, and no run is queued or running."""
        runs = Run.objects.filter(**filters)
        self.wait_until(lambda: runs.exists() and not Run.objects.filter(status__in=Run.ACTIVE).exists())

    def report(self) -> str:
        """Return the output of all programs and all runs, to explain a failure."""
        parts = [f"{program.log.name}:\n{program.output()[-6000:]}" for program in self.programs]
        with self.open_database():
            parts += map(str, Run.objects.values("pk", "kind", "status", "phase", "attempt", "error"))
        return "\n".join(parts)

    def check_completes(self, web: "Web", run: int, *, has_follow_up: bool = True, **expected: Any) -> None:
        """Wait for a run, check the invariants, and check that a second run of the kind succeeds too.

        Parameters
        ----------
        has_follow_up
            False for a run that was interrupted before it could request the run that comes after it.
        expected
            Fields of the run.
        """
        kind = self._wait_for_follow_ups(run, has_follow_up=has_follow_up)
        # A batch cannot be undone twice, but the books can be classified again.
        second_pk = web.request_run({"undo": "reclassify"}.get(kind, kind))
        self._wait_for_follow_ups(second_pk)
        with self.open_database():
            first, second = Run.objects.get(pk=run), Run.objects.get(pk=second_pk)
            for name, value in ({"status": "succeeded"} | expected).items():
                assert getattr(first, name) == value, (name, first.error, first.traceback)
            assert (second.status, second.attempt) == ("succeeded", 1), second.error
            check_all(self.folder)

    def _wait_for_follow_ups(self, pk: int, *, has_follow_up: bool = True) -> str:
        """Wait until a run and the runs it requests have finished; return its kind."""
        self.wait_until_finished(pk=pk)
        with self.open_database():
            run = Run.objects.get(pk=pk)
            changed = run.status == "succeeded" and run.unchanged_since is None
        if (
            has_follow_up
            and changed
            and run.result.get("active", True)
            and (kind := FOLLOW_UPS.get(run.kind))
        ):
            # No new run is requested while an identical one is queued.
            self.wait_until_finished(kind=kind, finished_at__gte=run.finished_at)
            with self.open_database():
                follow_up = Run.objects.filter(kind=kind, finished_at__gte=run.finished_at).latest("pk").pk
            self._wait_for_follow_ups(follow_up)
        return run.kind

    def stop(self) -> None:
        for program in self.programs:
            if program.running or program.children():
                program.kill()

    def _paused_file(self, name: str) -> Path:
        return self.folder.with_name(f"pause-{name}.paused")

    def _start_celery(self, app: str, *arguments: str, log: str, **overrides: str) -> Program:
        command = [sys.executable, "-m", "celery", "-A", app, *arguments]
        file = self.folder.with_name(f"{log}-{len(self.programs)}.log")
        self.programs.append(Program(command, log=file, env=self.environment(**overrides)))
        return self.programs[-1]


class Web:
    """A process that requests runs; see `tests.e2e.faults.client`."""

    def __init__(self, env: dict[str, str], parameters: dict[str, dict[str, Any]]) -> None:
        self._parameters = parameters
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.faults.client"],
            cwd=ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Web":
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def send(self, kind: str, **arguments: Any) -> None:
        request = {"kind": kind, "parameters": self._parameters[kind]} | arguments
        print(json.dumps(request), file=self.process.stdin, flush=True)

    def receive(self) -> list[Any]:
        """Return the next response: the run's number and whether it is new."""
        response = json.loads(self.process.stdout.readline())
        assert isinstance(response[0], int), response
        return response

    def request_run(self, kind: str, **arguments: Any) -> int:
        """Request a run, even if nothing has changed since the last one, and return its number."""
        self.send(kind, **{"force": True} | arguments)
        pk, is_new = self.receive()
        assert is_new
        return pk
