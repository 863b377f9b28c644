"""Measure classification over the API, relative to reading a book.

    python tests/benchmarks/classify_api.py [--books N] [--loans N] [--clients 16] [--requests 640]

Starts a PostgreSQL server with 3,000 categorised books and 18,000 loans, trains a model on them, and loads
the rest of the library. gunicorn serves on the loopback interface, with two sync workers and with two workers
of eight threads. Clients read books, and classify new books and books of the catalogue that have a category,
with and without evidence: without a pause, then with a pause of a second. The same requests also go directly
to the model server. "CPU" is the processor time of the web workers and of the model server for one request:
unlike latencies, it hardly depends on other load of the machine, which is printed.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
import psutil
from clients import ROOT, THREADED, Item, Request, serve, timed
from servers import postgresql

SETTINGS = ("network.epochs=10", "training.folds=3")
SHELVES = 3
"""Each of SHELF_BOOKS categorised books."""
SHELF_BOOKS = 1000
PAUSE = 1.0
"""Mean seconds between two requests of a client that reads the responses."""
CASES = ("GET books", "new", "new, no evidence", "catalogued", "catalogued, no evidence")


def fill(options: argparse.Namespace) -> None:
    """Create the library and train a model."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.utils import timezone
    from large_library import Size, load
    from reclassify import fill_shelf

    from classifier.services.runs.context import JobContext
    from classifier.services.training.training import train
    from library.catalogue.models import Category
    from library.circulation.models import LoanPolicy
    from library.demo.categories import CATEGORIES

    call_command("migrate", verbosity=0)
    start = time.monotonic()
    Category.objects.bulk_create(Category(notation=row.notation) for row in CATEGORIES)
    LoanPolicy.objects.all().delete()
    with connection.cursor() as cursor:  # the rest of the library uses lower keys
        for table in ("catalogue_book", "catalogue_copy", "people_borrower", "circulation_loan"):
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 100000000)")
    for seed in range(SHELVES):
        fill_shelf(seed, titles=options.shelf_books, categorised=True, now=timezone.now())
    train(JobContext(now=timezone.now()), settings=SETTINGS)
    print(f"created and trained in {time.monotonic() - start:.0f} s", flush=True)
    start = time.monotonic()
    size = Size(options.books // 4, options.books, options.loans)
    load(size, now=datetime(2026, 1, 1, tzinfo=UTC), replace=False)
    print(f"{size.books:,} more books, {size.loans:,} loans: {time.monotonic() - start:.0f} s", flush=True)


def requests(count: int) -> dict[str, list[Request]]:
    """Return the requests of each case."""
    from library.catalogue.models import Book

    categorised = list(Book.objects.exclude(category=None)[:count])
    keys = [book.pk for book in categorised]
    known = [json.dumps({"id": key}).encode() for key in keys]
    fields = ("title", "subtitle", "authors", "publisher", "year", "language", "description")
    new = [json.dumps({name: getattr(book, name) for name in fields}).encode() for book in categorised]
    api, plain = "/api/v1", "?evidence=false"
    return {
        "GET books": [Request(f"{api}/books/{key}/") for key in keys],
        "new": [Request(f"{api}/classify/", body) for body in new],
        "new, no evidence": [Request(f"{api}/classify/{plain}", body) for body in new],
        "catalogued": [Request(f"{api}/classify/", body) for body in known],
        "catalogued, no evidence": [Request(f"{api}/classify/{plain}", body) for body in known],
    }


def cpu(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes) * 1000


@contextmanager
def model_server() -> Iterator[psutil.Process]:
    """Run the model server, as a supervisor does in production."""
    process = subprocess.Popen([sys.executable, "-m", "django", "serve_model"], cwd=ROOT)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def megabytes(process: psutil.Process) -> str:
    memory = process.memory_full_info()
    return f"{memory.rss / 1e6:.0f} MB ({memory.uss / 1e6:.0f} unshared)"


def measure(options: argparse.Namespace, model: psutil.Process) -> None:
    from rich.console import Console
    from rich.table import Table

    from classifier.services.serving import client

    cases = requests(options.requests)
    table = Table(title=f"{options.books:,} books, {options.clients} clients, {os.cpu_count()} cores")
    for column in ("server", "request", "per second", "p50 ms", "p95 ms", "CPU ms: web", "model", "load"):
        table.add_column(column, justify="right")
    memory = {}
    message = {"books": [new_record()], "ranks": 3, "evidence": True, "rejected": {}, "current": {}}
    wait_for_model("a new book", message)
    wait_for_model("a book of the catalogue", message | {"books": [new_record() | {"id": "B1"}]})

    def row(
        server: str,
        case: str,
        send: Callable[[Item], object],
        items: Sequence[Item],
        web: Sequence[psutil.Process] = (),
        pause: float = 0.0,
    ) -> None:
        timed(send, items[: max(1, len(items) // 4)], clients=options.clients)
        before = cpu(web), cpu([model])
        durations, _responses, rate = timed(send, items, clients=options.clients, pause=pause)
        after = cpu(web), cpu([model])
        used = [(end - start) / len(items) for start, end in zip(before, after, strict=True)]
        p50, p95 = np.percentile(durations, [50, 95])
        table.add_row(server, case, f"{rate:.0f}", f"{p50:.0f}", f"{p95:.0f}", f"{used[0]:.1f}",
                      f"{used[1]:.1f}", f"{os.getloadavg()[0]:.1f}")  # fmt: skip

    for name, gunicorn in (("2 sync", ("--workers", "2")), ("2 x 8 threads", THREADED)):
        with serve(now=datetime.now(UTC), gunicorn=gunicorn) as api:
            for case in CASES:
                row(name, case, api.send, cases[case], api.workers)
            for case in CASES if gunicorn is THREADED else ():
                row(f"{name}, pauses", case, api.send, cases[case], api.workers, PAUSE)
            memory[f"a web worker, {name}"] = megabytes(api.workers[0])
        table.add_section()
    for case, evidence in (("new", True), ("new, no evidence", False)):
        base = message | {"evidence": evidence}
        messages = [base | {"books": [new_record() | json.loads(request.body)]} for request in cases["new"]]
        row("model server", case, client.request, messages)
    memory["the model server"] = megabytes(model)
    Console(width=130).print(table)
    memory["a web worker that also holds the model"] = web_process_with_model()
    for name, size in memory.items():
        print(f"{name}: {size}")


def wait_for_model(subject: str, message: dict[str, Any]) -> None:
    """Send a request until it succeeds: the model server is still loading."""
    from classifier.errors import ServingError
    from classifier.services.serving import client

    start = time.monotonic()
    while True:
        try:
            client.request(message)
        except ServingError as error:
            print(f"{time.monotonic() - start:.0f} s: {error}", flush=True)
            time.sleep(1)
        else:
            print(f"First response for {subject} after {time.monotonic() - start:.1f} s.", flush=True)
            return


def new_record() -> dict[str, Any]:
    empty = dict.fromkeys(("subtitle", "authors", "publisher", "language", "description"), "")
    return empty | {"id": None, "title": "Orbit", "year": None, "cover": None, "audio": None}


def web_process_with_model() -> str:
    """Return the memory of a web process that loads the model itself."""
    code = (
        "import library.wsgi, psutil\n"
        "from classifier.services.serving.loaded_model import LoadedModel\n"
        "model = LoadedModel.current()\n"
        "memory = psutil.Process().memory_full_info()\n"
        "print(f'{memory.rss / 1e6:.0f} MB ({memory.uss / 1e6:.0f} unshared)')"
    )
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--books", type=int, default=200_000)
    parser.add_argument("--loans", type=int, default=2_000_000)
    parser.add_argument("--shelf-books", type=int, default=SHELF_BOOKS, help="in each shelf")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--requests", type=int, default=640)
    options = parser.parse_args()
    # The module sets a data folder for the benchmark; its shelves are used above.
    import reclassify

    with postgresql(unsafe=True):
        os.environ["DJANGO_SETTINGS_MODULE"] = "library.settings.base"
        os.environ["PYTHONPATH"] = str(reclassify.ROOT)
        fill(options)
        with model_server() as model:
            measure(options, model)


if __name__ == "__main__":
    main()
