"""What it costs to ask over the API what a book is about, beside reading a book.

    python tests/benchmarks/classify_api.py [--books N] [--loans N] [--clients 16] [--requests 640]

A PostgreSQL server of its own gets 3,000 books with categories and 18,000 loans, and a model is trained on
them; then the rest of the library. Then gunicorn serves on loopback, with two sync workers and with two
workers of eight threads, and clients read books, ask about new books and about those of the catalogue that
have a category, with the evidence and without: without a pause, then with one of a second. The same questions
go straight to the process that holds the model. "CPU" is what the web workers and that process worked for a
request: unlike latencies, it hangs little on what else the machine does. Run by hand; the load is printed.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import psutil
from clients import THREADED, Given, Request, served, timed
from servers import postgresql

SETTINGS = ("network.epochs=10", "training.folds=3")
SHELVES = 3
"""Of a thousand books that have a category."""
PAUSE = 1.0
"""Seconds between two questions of a client that reads the answers."""
CASES = ("GET books", "new", "new, no evidence", "catalogued", "catalogued, no evidence")


def fill(options: argparse.Namespace) -> None:
    """Make the library and train."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.utils import timezone
    from large_library import Size, load
    from reclassify import fill_shelf

    from classifier.services.training.training import train
    from library.catalogue.models import Category
    from library.circulation.models import LoanPolicy
    from library.demo.categories import CATEGORIES

    call_command("migrate", verbosity=0)
    began = time.monotonic()
    Category.objects.bulk_create(Category(notation=row.notation) for row in CATEGORIES)
    LoanPolicy.objects.all().delete()
    with connection.cursor() as cursor:  # the lower keys are for the rest
        for table in ("catalogue_book", "catalogue_copy", "people_borrower", "circulation_loan"):
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 100000000)")
    for seed in range(SHELVES):
        fill_shelf(seed, titles=1000, learned=True, now=timezone.now())
    train(now=timezone.now(), settings=SETTINGS)
    print(f"made and trained in {time.monotonic() - began:.0f} s", flush=True)
    began = time.monotonic()
    size = Size(options.books // 4, options.books, options.loans)
    load(size, now=datetime(2026, 1, 1, tzinfo=UTC), anew=False)
    print(f"{size.books:,} more books, {size.loans:,} loans: {time.monotonic() - began:.0f} s", flush=True)


def requests(count: int) -> dict[str, list[Request]]:
    """Return by case what to send."""
    from library.catalogue.models import Book

    learned = list(Book.objects.exclude(category=None)[:count])
    keys = [book.pk for book in learned]
    known = [json.dumps({"id": key}).encode() for key in keys]
    fields = ("title", "subtitle", "authors", "publisher", "year", "language", "description")
    new = [json.dumps({name: getattr(book, name) for name in fields}).encode() for book in learned]
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


def holder() -> psutil.Process:
    """Return the process that holds the model."""
    (found,) = [p for p in psutil.process_iter(["cmdline"]) if "serve_model" in (p.info["cmdline"] or ())
                and p.environ().get("LIBRARY_DATA_DIR") == os.environ["LIBRARY_DATA_DIR"]]  # fmt: skip
    return found


def megabytes(process: psutil.Process) -> str:
    memory = process.memory_full_info()
    return f"{memory.rss / 1e6:.0f} MB ({memory.uss / 1e6:.0f} its own)"


def measure(options: argparse.Namespace) -> None:
    from rich.console import Console
    from rich.table import Table

    from classifier.services.serving import client

    sent = requests(options.requests)
    table = Table(title=f"{options.books:,} books, {options.clients} clients, {os.cpu_count()} cores")
    for column in ("server", "request", "a second", "p50 ms", "p95 ms", "CPU ms: web", "model", "load"):
        table.add_column(column, justify="right")
    memory = {}
    question = {"books": [new_record()], "ranks": 3, "evidence": True, "rejected": {}, "current": {}}
    start("a new book", question)
    start("a book of the catalogue", question | {"books": [new_record() | {"id": "B1"}]})
    model = holder()

    def row(
        server: str,
        case: str,
        ask: Callable[[Given], object],
        given: Sequence[Given],
        web: Sequence[psutil.Process] = (),
        pause: float = 0.0,
    ) -> None:
        timed(ask, given[: len(given) // 4], clients=options.clients)
        before = cpu(web), cpu([model])
        found, _answers, rate = timed(ask, given, clients=options.clients, pause=pause)
        spent = [
            (after - was) / len(given) for was, after in zip(before, (cpu(web), cpu([model])), strict=True)
        ]
        p50, p95 = np.percentile(found, [50, 95])
        table.add_row(server, case, f"{rate:.0f}", f"{p50:.0f}", f"{p95:.0f}", f"{spent[0]:.1f}",
                      f"{spent[1]:.1f}", f"{os.getloadavg()[0]:.1f}")  # fmt: skip

    for name, gunicorn in (("2 sync", ("--workers", "2")), ("2 x 8 threads", THREADED)):
        with served(now=datetime.now(UTC), gunicorn=gunicorn) as api:
            for case in CASES:
                row(name, case, api.ask, sent[case], api.workers)
            for case in CASES if gunicorn is THREADED else ():
                row(f"{name}, pauses", case, api.ask, sent[case], api.workers, PAUSE)
            memory[f"a web worker, {name}"] = megabytes(api.workers[0])
        table.add_section()
    for case, evidence in (("new", True), ("new, no evidence", False)):
        asked = question | {"evidence": evidence}
        books = [asked | {"books": [new_record() | json.loads(one.body)]} for one in sent["new"]]
        row("the socket", case, client.ask, books)
    memory["the process with the model"] = megabytes(model)
    model.terminate()
    Console(width=130).print(table)
    memory["a web worker that holds the model too"] = alone()
    for what, size in memory.items():
        print(f"{what}: {size}")


def start(about: str, question: dict[str, Any]) -> None:
    """Ask until there is an answer: the first question starts the process."""
    from classifier.errors import ServingError
    from classifier.services.serving import client

    began = time.monotonic()
    while True:
        try:
            client.ask(question)
        except ServingError as error:
            print(f"{time.monotonic() - began:.0f} s: {error}", flush=True)
        else:
            print(f"The first answer about {about} came after {time.monotonic() - began:.1f} s.", flush=True)
            return


def new_record() -> dict[str, Any]:
    empty = dict.fromkeys(("subtitle", "authors", "publisher", "language", "description"), "")
    return empty | {"id": None, "title": "Orbit", "year": None, "cover": None, "audio": None}


def alone() -> str:
    """Return the memory of a web process that loads the model itself."""
    code = (
        "import library.wsgi, psutil\n"
        "from classifier.services.serving.loaded_model import Holding\n"
        "held = Holding.of_today().with_loans()\n"
        "memory = psutil.Process().memory_full_info()\n"
        "print(f'{memory.rss / 1e6:.0f} MB ({memory.uss / 1e6:.0f} its own)')"
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
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--requests", type=int, default=640)
    options = parser.parse_args()
    # reclassify, whose shelves are used, sets a data folder of the benchmark's own.
    import reclassify

    with postgresql(unsafe=True):
        os.environ["DJANGO_SETTINGS_MODULE"] = "library.settings.base"
        os.environ["PYTHONPATH"] = str(reclassify.ROOT)
        fill(options)
        measure(options)


if __name__ == "__main__":
    main()
