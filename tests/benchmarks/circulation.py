"""What the desk costs in a large library: checkout, renewal and checkin beside one bare UPDATE.

    python tests/benchmarks/circulation.py [--borrowers N] [--books N] [--loans N] [--clients 2 4] [--unsafe]

A PostgreSQL server of its own is started, filled with a tenth of the library and measured, then with all of
it and measured again. In each round every client changes one column of each of some copies by its key (the
bare UPDATE, sent as plain SQL), then lends, renews and takes them back through the services. Latencies are
those of the service alone, commit included. PostgreSQL keeps its own settings for durability, as a library's
does; with --unsafe it waits for no disk, as in the tests. Run by hand, on an idle machine.
"""

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier
from typing import Any

import numpy as np
from servers import large_library, postgresql

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
STEPS = ("bare UPDATE", "checkout", "renew", "checkin")


def steps(pairs: list[tuple[Any, Any]], now: datetime) -> dict[str, list[Callable[[], object]]]:
    """Return what a client does with its copies and borrowers in one round, by step."""
    from django.db import connection

    from library.circulation.models import Loan
    from library.circulation.services.checkin import checkin
    from library.circulation.services.checkout import checkout
    from library.circulation.services.renewals import renew

    loans: dict[int, Loan] = {}

    def touch(copy: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE catalogue_copy SET last_seen_at = %s WHERE id = %s", [now, copy.pk])

    def lend(copy: Any, borrower: Any) -> None:
        loans[copy.pk] = checkout(copy=copy, borrower=borrower, branch=copy.branch, now=now)

    return {
        "bare UPDATE": [lambda c=copy: touch(c) for copy, _ in pairs],
        "checkout": [lambda c=copy, b=borrower: lend(c, b) for copy, borrower in pairs],
        "renew": [lambda c=copy: renew(loan=loans[c.pk], now=now + timedelta(days=20)) for copy, _ in pairs],
        "checkin": [
            lambda c=copy: checkin(copy=c, branch=c.branch, now=now + timedelta(days=40)) for copy, _ in pairs
        ],
    }


def client(keys: list[int], borrowers: int, rounds: int, day: datetime, barrier: Barrier, told: Any) -> None:
    """Work through the keys in so many rounds; tell each step's latencies and when it began and ended."""
    import django

    django.setup()
    from library.catalogue.models import Copy
    from library.people.models import Borrower

    shares = np.array_split(np.array(keys), rounds)
    found = []
    for number, share in enumerate(shares):
        copies = list(Copy.objects.select_related("branch").filter(pk__in=share.tolist()))
        cards = [1 + (copy.pk * 31 + number) % borrowers for copy in copies]
        readers = Borrower.objects.in_bulk(cards)
        pairs = [(copy, readers[card]) for copy, card in zip(copies, cards, strict=True)]
        for step, works in steps(pairs, day + timedelta(hours=number)).items():
            barrier.wait(timeout=60)  # which another's failure ends
            marks = [time.perf_counter()]
            for work in works:
                work()
                marks.append(time.perf_counter())
            found.append((step, number, marks[0], marks[-1], np.diff(marks)))
    told.put(found)


def measured(
    clients: int, keys: list[int], borrowers: int, rounds: int
) -> dict[str, tuple[float, np.ndarray]]:
    """Return each step's rate a second and its latencies in milliseconds."""
    context = multiprocessing.get_context("spawn")
    barrier, told = context.Barrier(clients), context.Queue()
    shares = [keys[number::clients] for number in range(clients)]
    # A day of its own: nobody borrows the same copy twice at the same moment.
    day = NOW + timedelta(days=100 * clients)
    processes = [
        context.Process(target=client, args=(share, borrowers, rounds, day, barrier, told))
        for share in shares
    ]
    for process in processes:
        process.start()
    parts = [part for _ in processes for part in told.get(timeout=600)]
    for process in processes:
        process.join()
    result = {}
    for step in STEPS:
        mine = [part for part in parts if part[0] == step]
        spans = [
            max(part[3] for part in mine if part[1] == number)
            - min(part[2] for part in mine if part[1] == number)
            for number in range(rounds)
        ]
        latencies = np.concatenate([part[4] for part in mine])
        result[step] = (len(latencies) / sum(spans), latencies * 1000)
    return result


def statements(key: int, borrowers: int) -> dict[str, int]:
    """Return how many statements each step sends; BEGIN and COMMIT come on top."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from library.catalogue.models import Copy
    from library.people.models import Borrower

    copy = Copy.objects.select_related("branch").get(pk=key)
    pairs = [(copy, Borrower.objects.get(pk=1 + key % borrowers))]
    counts = {}
    for step, works in steps(pairs, NOW).items():
        with CaptureQueriesContext(connection) as queries:
            works[0]()
        counts[step] = len([q for q in queries if q["sql"] not in ("BEGIN", "COMMIT")])
    return counts


def overdue() -> tuple[int, int, float]:
    """Return how many loans are overdue, and the queries and the median milliseconds of their first page."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from library.circulation.models import Loan
    from library.people.selectors import without_personal_data

    late = Loan.objects.filter(returned_at=None, due_at__lt=NOW)
    page = without_personal_data(late.select_related("copy__book")).order_by("due_at", "pk")[:50]
    with CaptureQueriesContext(connection) as queries:
        number, _rows = late.count(), list(page)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        late.count()
        list(page.all())
        times.append(time.perf_counter() - start)
    return number, len(queries), float(np.median(times)) * 1000


def run(options: argparse.Namespace) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from large_library import Size, copies_at_hand, load
    from rich.console import Console
    from rich.table import Table

    call_command("migrate", verbosity=0)
    whole = Size(options.borrowers, options.books, options.loans)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('synchronous_commit'), current_setting('fsync'), version()")
        commit, fsync, version = cursor.fetchone()
    table = Table(
        title=f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, "
        f"{version.split(' on ')[0]}, synchronous_commit {commit}, fsync {fsync}"
    )
    for column in (
        "loans",
        "clients",
        "step",
        "statements",
        "a second",
        "p50 ms",
        "p95 ms",
        "p95 / UPDATE's",
    ):
        table.add_column(column, justify="right")
    notes, medians = [], {}
    for size in (whole.part(0.1), whole):
        start = time.perf_counter()
        load(size, now=NOW)
        notes.append(f"{size.loans:,} loans were made in {time.perf_counter() - start:.0f} s.")
        keys = copies_at_hand(size)
        counts = statements(keys[-1], size.borrowers)
        for clients in options.clients:
            # The same at both sizes, but for a library too small for it.
            mine = keys[: min(options.operations, len(keys) - 1)]
            found = measured(clients, mine, size.borrowers, options.rounds)
            bare = np.percentile(found["bare UPDATE"][1], 95)
            for step, (rate, latencies) in found.items():
                p50, p95 = np.percentile(latencies, [50, 95])
                medians[size.loans, clients, step] = p50
                table.add_row(
                    f"{size.loans:,}", str(clients), step, str(counts[step]), f"{rate:,.0f}", f"{p50:.2f}",
                    f"{p95:.2f}", f"{p95 / bare:.1f}",
                )  # fmt: skip
            table.add_section()
        late, queries, took = overdue()
        notes.append(
            f"{late:,} overdue of {size.loans:,} loans: page of 50 in {queries} queries, {took:.1f} ms."
        )
    Console(width=120).print(table)
    for clients in options.clients:
        small, large = whole.part(0.1).loans, whole.loans
        grown = [
            f"{step} {medians[large, clients, step] / medians[small, clients, step]:.2f}" for step in STEPS
        ]
        notes.append(f"p50 at full size / at a tenth, {clients} clients: {', '.join(grown)}.")
    print("\n".join(notes))


def main() -> None:
    parser = large_library(__doc__)
    parser.add_argument("--clients", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--operations", type=int, default=4_000, help="of each step, all clients together")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    with postgresql(unsafe=options.unsafe):
        run(options)


if __name__ == "__main__":
    main()
