"""A library as docker/compose.yaml runs it: web, worker, beat, broker and database, each to be killed."""

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

#: By kind of run: with what it is asked for, so that it takes a second or two.
QUICKLY: dict[str, dict[str, Any]] = {
    "train": {"seed": 7, "settings": list(QUICK)},
    "tune": {"trials": 2, "settings": list(QUICK)},
    "reclassify": {"include_categorised": True},
    "recommend": {"n": 3},
    "order_reviews": {},
    "draw_map": {},
}
#: What a run of a kind asks for when it has changed something.
NEXT = {"train": "reclassify", "reclassify": "order_reviews", "undo": "order_reviews"}
#: Short, as a case waits for them, and long enough for a busy machine: RUN_LOST_SECONDS is many heartbeats.
SECONDS = {"RUN_LOST_SECONDS": "4", "RUN_RESEND_SECONDS": "3"}


@dataclass
class Installation:
    """One case's own library.

    Attributes
    ----------
    folder : Path
        Its data.
    database : PostgreSQL
        Shared by the cases, one after the other.
    name : str
        Of its database there.
    broker : Redis
    opened : callable
        Opens the database to the test's own ORM.
    """

    folder: Path
    database: PostgreSQL
    name: str
    broker: Redis
    opened: Callable[[], AbstractContextManager[None]]
    parameters: dict[str, dict[str, Any]]
    """By kind of run: what it is asked for with."""
    programs: list[Program] = field(default_factory=list)
    more: dict[str, str] = field(default_factory=dict)
    """Settings of this case."""

    def environment(self, **more: str) -> dict[str, str]:
        addresses = {"CELERY_BROKER_URL": self.broker.url, "CELERY_RESULT_BACKEND": self.broker.url}
        own = {"DATABASE_URL": self.database.url(self.name), "OMP_NUM_THREADS": "1"}
        return environment(self.folder, **(addresses | own | SECONDS | self.more | more))

    def worker(self, name: str = "worker", *, hold_at: str = "") -> Program:
        """Start a worker as it is deployed; ``hold_at``: see `tests.e2e.pause_points`."""
        command = ["worker", "--concurrency", "1", "--loglevel", "info", "-n", f"{name}@%h"]
        if not hold_at:
            return self._celery("library", *command, log=name)
        hold = self.folder.with_name(f"hold-{name}")
        hold.touch()
        return self._celery(
            "tests.e2e.pause_points", *command, log=name, HOLD_AT=hold_at, HOLD_FILE=str(hold)
        )

    def beat(self, name: str = "beat") -> Program:
        return self._celery("library", "beat", "--pidfile=", "--loglevel", "info", log=name)

    @contextmanager
    def web(self) -> Iterator["Web"]:
        """Start a process that asks for runs."""
        with Web(self.environment(), self.parameters) as web:
            yield web

    def wait_until_held(self, name: str = "worker") -> None:
        wait_for(self._held(name).exists, otherwise=self.tell)

    def go_on(self, name: str = "worker") -> None:
        self._held(name).unlink()

    def when(self, told: Callable[[], object]) -> None:
        """Wait until the database tells that something has happened."""

        def asked() -> object:
            with self.opened():
                # Also on the way there: never two at once.
                busy = Run.objects.filter(status="running").values("kind").annotate(n=Count("pk"))
                assert not busy.filter(n__gt=1)
                return told()

        wait_for(asked, otherwise=self.tell)

    def when_over(self, **wanted: Any) -> None:
        """Wait until such runs are there, and no run at all is going on or waiting."""
        found = Run.objects.filter(**wanted)
        self.when(lambda: found.exists() and not Run.objects.filter(status__in=Run.ACTIVE).exists())

    def tell(self) -> str:
        """Return what went on, for who looks into a failure."""
        told = [f"{program.log.name}:\n{program.said()[-6000:]}" for program in self.programs]
        with self.opened():
            told += map(str, Run.objects.values("pk", "kind", "status", "phase", "attempt", "error"))
        return "\n".join(told)

    def comes_to_its_end(self, web: "Web", run: int, *, asks: bool = True, **expected: Any) -> None:
        """Wait for a run, see that all is in order, and that a second one is done, too.

        ``asks``: whether it has had the time to ask for what comes after it.
        """
        kind = self._when_followed(run, asks=asks)
        # What is undone cannot be undone again, but done again.
        again = web.ask({"undo": "reclassify"}.get(kind, kind))
        self._when_followed(again)
        with self.opened():
            first, second = Run.objects.get(pk=run), Run.objects.get(pk=again)
            for name, value in ({"status": "succeeded"} | expected).items():
                assert getattr(first, name) == value, (name, first.error, first.traceback)
            assert (second.status, second.attempt) == ("succeeded", 1), second.error
            check_all(self.folder)

    def _when_followed(self, pk: int, *, asks: bool = True) -> str:
        """Wait until a run is over, and what it asks for in its turn; return its kind."""
        self.when_over(pk=pk)
        with self.opened():
            run = Run.objects.get(pk=pk)
            changed = run.status == "succeeded" and run.unchanged_since is None
        then = NEXT.get(run.kind) if asks and changed and run.result.get("active", True) else None
        if then:
            # Of an equal one that was asked for before, it asks for nothing new.
            self.when_over(kind=then, finished_at__gte=run.finished_at)
            with self.opened():
                followed = Run.objects.filter(kind=then, finished_at__gte=run.finished_at).latest("pk").pk
            self._when_followed(followed)
        return run.kind

    def stop(self) -> None:
        for program in self.programs:
            if program.running or program.children():
                program.kill()

    def _held(self, name: str) -> Path:
        return self.folder.with_name(f"hold-{name}.held")

    def _celery(self, app: str, *words: str, log: str, **more: str) -> Program:
        command = [sys.executable, "-m", "celery", "-A", app, *words]
        file = self.folder.with_name(f"{log}-{len(self.programs)}.log")
        self.programs.append(Program(command, log=file, env=self.environment(**more)))
        return self.programs[-1]


class Web:
    """A process that asks for runs; see `tests.e2e.faults.client`."""

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

    def send(self, kind: str, **how: Any) -> None:
        asked = {"kind": kind, "parameters": self._parameters[kind]} | how
        print(json.dumps(asked), file=self.process.stdin, flush=True)

    def answer(self) -> list[Any]:
        answer = json.loads(self.process.stdout.readline())
        assert isinstance(answer[0], int), answer
        return answer

    def ask(self, kind: str, **how: Any) -> int:
        """Ask for a run, even if nothing has changed since the last one, and return its number."""
        self.send(kind, **{"force": True} | how)
        pk, is_new = self.answer()
        assert is_new
        return pk
