"""Measure checkout, renewal and checkin in a large library, relative to one bare UPDATE.

    python tests/benchmarks/circulation.py [--borrowers N] [--books N] [--loans N] [--clients 2 4] [--unsafe]

Starts a PostgreSQL server, fills it with a tenth of the library and measures, then with the whole library and
measures again. In each round every client updates one column of some copies by their keys (the bare UPDATE,
plain SQL), then checks them out, renews them and checks them in through the services. Latencies are those of
the services, commit included. PostgreSQL has its default settings for durability; with --unsafe it does not
wait for the disk. Needs an idle machine.
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
from servers import library_parser, postgresql

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
STEPS = ("bare UPDATE", "checkout", "renew", "checkin")


def steps(pairs: list[tuple[Any, Any]], now: datetime) -> dict[str, list[Callable[[], object]]]:
    """Return the calls of a client for its copies and borrowers in one round, by step."""
    from django.db import connection

    from library.circulation.models import Loan
    from library.circulation.services.checkin import checkin
    from library.circulation.services.checkout import checkout
    from library.circulation.services.renewals import renew

    loans: dict[int, Loan] = {}

    def touch(copy: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE catalogue_copy SET last_seen_at = %s WHERE id = %s", [now, copy.pk])

    def check_out(copy: Any, borrower: Any) -> None:
        loans[copy.pk] = checkout(copy=copy, borrower=borrower, branch=copy.branch, now=now)

    return {
        "bare UPDATE": [lambda c=copy: touch(c) for copy, _ in pairs],
        "checkout": [lambda c=copy, b=borrower: check_out(c, b) for copy, borrower in pairs],
        "renew": [lambda c=copy: renew(loan=loans[c.pk], now=now + timedelta(days=20)) for copy, _ in pairs],
        "checkin": [
            lambda c=copy: checkin(copy=c, branch=c.branch, now=now + timedelta(days=40)) for copy, _ in pairs
        ],
    }


def client(
    keys: list[int], borrowers: int, rounds: int, day: datetime, barrier: Barrier, results: Any
) -> None:
    """Circulate the copies in so many rounds; report latencies, start and end of each step."""
    import django

    django.setup()
    from library.catalogue.models import Copy
    from library.people.models import Borrower

    shares = np.array_split(np.array(keys), rounds)
    steps_done = []
    for number, share in enumerate(shares):
        copies = list(Copy.objects.select_related("branch").filter(pk__in=share.tolist()))
        cards = [1 + (copy.pk * 31 + number) % borrowers for copy in copies]
        people = Borrower.objects.in_bulk(cards)
        pairs = [(copy, people[card]) for copy, card in zip(copies, cards, strict=True)]
        for step, works in steps(pairs, day + timedelta(hours=number)).items():
            barrier.wait(timeout=60)  # fails if another client has failed
            marks = [time.perf_counter()]
            for work in works:
                work()
                marks.append(time.perf_counter())
            steps_done.append((step, number, marks[0], marks[-1], np.diff(marks)))
    results.put(steps_done)


def measure(
    clients: int, keys: list[int], borrowers: int, rounds: int
) -> dict[str, tuple[float, np.ndarray]]:
    """Return the rate per second and the latencies in milliseconds of each step."""
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(clients), context.Queue()
    shares = [keys[number::clients] for number in range(clients)]
    # A separate day for each number of clients: no copy is checked out twice at the same time.
    day = NOW + timedelta(days=100 * clients)
    processes = [
        context.Process(target=client, args=(share, borrowers, rounds, day, barrier, queue))
        for share in shares
    ]
    for process in processes:
        process.start()
    parts = [part for _ in processes for part in queue.get(timeout=600)]
    for process in processes:
        process.join()
    result = {}
    for step in STEPS:
        own = [part for part in parts if part[0] == step]
        spans = [
            max(part[3] for part in own if part[1] == number)
            - min(part[2] for part in own if part[1] == number)
            for number in range(rounds)
        ]
        latencies = np.concatenate([part[4] for part in own])
        result[step] = (len(latencies) / sum(spans), latencies * 1000)
    return result


def statements(key: int, borrowers: int) -> dict[str, int]:
    """Return the number of SQL statements of each step, without BEGIN and COMMIT."""
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
    """Return the number of overdue loans, and the queries and the median milliseconds of their first page."""
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
    from large_library import Size, available_copies, load
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
        "per second",
        "p50 ms",
        "p95 ms",
        "p95 / UPDATE's",
    ):
        table.add_column(column, justify="right")
    notes, medians = [], {}
    for size in (whole.part(0.1), whole):
        start = time.perf_counter()
        load(size, now=NOW)
        notes.append(f"{size.loans:,} loans loaded in {time.perf_counter() - start:.0f} s.")
        keys = available_copies(size)
        counts = statements(keys[-1], size.borrowers)
        for clients in options.clients:
            # The same number at both sizes, unless the library is too small.
            keys_used = keys[: min(options.operations, len(keys) - 1)]
            results = measure(clients, keys_used, size.borrowers, options.rounds)
            bare = np.percentile(results["bare UPDATE"][1], 95)
            for step, (rate, latencies) in results.items():
                p50, p95 = np.percentile(latencies, [50, 95])
                medians[size.loans, clients, step] = p50
                table.add_row(
                    f"{size.loans:,}", str(clients), step, str(counts[step]), f"{rate:,.0f}", f"{p50:.2f}",
                    f"{p95:.2f}", f"{p95 / bare:.1f}",
                )  # fmt: skip
            table.add_section()
        late, queries, duration = overdue()
        notes.append(
            f"{late:,} overdue of {size.loans:,} loans: page of 50 in {queries} queries, {duration:.1f} ms."
        )
    Console(width=120).print(table)
    for clients in options.clients:
        small, large = whole.part(0.1).loans, whole.loans
        growth = [
            f"{step} {medians[large, clients, step] / medians[small, clients, step]:.2f}" for step in STEPS
        ]
        notes.append(f"p50 at full size / at a tenth, {clients} clients: {', '.join(growth)}.")
    print("\n".join(notes))


def main() -> None:
    parser = library_parser(__doc__)
    parser.add_argument("--clients", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--operations", type=int, default=4_000, help="of each step, all clients together")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    with postgresql(unsafe=options.unsafe):
        run(options)


if __name__ == "__main__":
    main()
