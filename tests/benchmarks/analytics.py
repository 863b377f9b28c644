"""What the statistics cost in a large library: refreshing the summary tables, and the time of each page.

    python tests/benchmarks/analytics.py [--borrowers N] [--books N] [--loans N] [--categories N] [--unsafe]

A PostgreSQL server of its own is started and filled: two events a loan, the books in a tree of categories,
one title in five never lent, one in five not for four years.
The summary tables are filled from nothing, once more with nothing new, after one day's loans, and after a
title was filed elsewhere. Then an administrator asks for each page, some CSV and the addresses of the API:
the server's time is the median of several, without the network. Run by hand, on an idle machine.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from servers import large_library, postgresql

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
ROUNDS = 5
PAGES = ("titles", "collection", "seasons", "returns", "borrowers", "purchase", "weeding", "shelf")
#: Sent after the library is filled, without its triggers: a tree of categories, item types, groups of people.
EXTRA = (
    """INSERT INTO catalogue_category (id, scheme, notation, label_en, label_zh, parent_id)
    SELECT i, 'local', 'C' || to_char(i, 'FM0000'), 'Category ' || i, '',
        CASE WHEN i > 10 THEN 1 + i %% 10 END
    FROM generate_series(1, %(categories)s) i ON CONFLICT DO NOTHING""",
    """UPDATE catalogue_book SET category_id = 1 + id %% %(categories)s, category_source = 'librarian',
        year = 1950 + id %% 75, created_at = %(now)s - interval '6 years'""",
    """INSERT INTO catalogue_itemtype (id, code, name) SELECT i, 'type-' || i, 'Type ' || i
    FROM generate_series(1, 4) i""",
    "UPDATE catalogue_copy SET item_type_id = 1 + id %% 4",
    """INSERT INTO people_borrowercategory (id, code, name) SELECT i, 'group-' || i, 'Group ' || i
    FROM generate_series(1, 4) i""",
    "UPDATE people_borrower SET category_id = 1 + id %% 4",
    """UPDATE circulation_loanevent SET item_type_id = 1 + copy_id %% 4,
        borrower_category_id = 1 + borrower_id %% 4,
        book_id = book_id + CASE
            WHEN book_id > %(books)s - 5 THEN 0
            WHEN book_id %% 5 = 0 THEN 2
            WHEN book_id %% 5 = 1 AND at > %(now)s - interval '4 years' THEN 1
            ELSE 0 END""",
    "VACUUM ANALYZE catalogue_category",
    "VACUUM ANALYZE catalogue_book",
    "VACUUM ANALYZE catalogue_copy",
    "VACUUM FULL ANALYZE circulation_loanevent",
)


def fill(options: argparse.Namespace) -> None:
    from django.core.management import call_command
    from django.db import connection
    from large_library import Size, load

    call_command("migrate", verbosity=0)
    load(Size(options.borrowers, options.books, options.loans), now=NOW)
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica; SET synchronous_commit = off")
        for statement in EXTRA:
            values = {"categories": options.categories, "books": options.books, "now": NOW}
            cursor.execute(statement, values)
        cursor.execute("RESET session_replication_role; RESET synchronous_commit")


def one_day(number: int) -> None:
    """Write the events of a day's loans and returns, spread over its hours."""
    from library.circulation.models import LoanEvent

    LoanEvent.objects.bulk_create(
        LoanEvent(
            kind=kind,
            at=NOW + timedelta(days=1, seconds=30 * place),
            book_id=1 + place * 37 % 100_000,
            copy_id=1 + place * 37 % 100_000,
            branch_id=1 + place % 3,
            item_type_id=1 + place % 4,
            borrower_category_id=1 + place % 4,
            borrower_id=1 + place,
        )
        for place in range(number)
        for kind in ("checkout", "checkin")
    )


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def asked(client: Any, address: str) -> tuple[float, int, int]:
    """Return the median seconds of an address, its queries, and how many bytes it sends."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def get() -> int:
        answer = client.get(address)
        assert answer.status_code == 200, (address, answer.status_code)
        return len(b"".join(answer)) if answer.streaming else len(answer.content)

    with CaptureQueriesContext(connection) as queries:
        size = get()
    count = len(queries)  # the next request forgets them
    return statistics.median(seconds(get)[0] for _ in range(ROUNDS)), count, size


def run(options: argparse.Namespace) -> None:
    import django

    django.setup()
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client
    from django.utils import timezone
    from rich.console import Console
    from rich.table import Table

    from library.analytics.services.refresh import refresh_statistics

    took, _none = seconds(lambda: fill(options))
    print(f"Filled in {took:.0f} s.", flush=True)
    works = Table(title=f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {options.loans:,} loans")
    for column in ("refresh", "seconds", "days", "titles", "events"):
        works.add_column(column, justify="right")
    for name in ("first", "nothing new", "after a day's loans", "after a title is filed elsewhere"):
        if name == "after a day's loans":
            one_day(options.loans // 1826)
        if name == "after a title is filed elsewhere":
            with connection.cursor() as cursor:
                cursor.execute("UPDATE catalogue_book SET category_id = 1 WHERE id = 502")
        took, result = seconds(lambda: refresh_statistics(now=timezone.now()))
        works.add_row(name, f"{took:.1f}", *(f"{result[key]:,}" for key in ("days", "titles", "events")))
        print(f"{name}: {took:.1f} s", flush=True)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    # The years that are filled, whatever the day is.
    days = "?start=2025-01-01&end=2025-12-31"
    own = "/admin/analytics/statistics/"
    addresses = [f"{own}{days}"]
    addresses += [f"{own}{page}/{days}" for page in PAGES]
    addresses += [
        f"{own}forecast/",
        f"{own}?start=2021-01-01&end=2025-12-31",
        f"{own}{days}&category=1&branch=1",
        f"{own}titles/{days}&category=1&branch=1",
        f"{own}weeding/{days}&category=1&branch=1",
        f"{own}titles/{days}&csv=never",
        f"{own}shelf/?csv=shelf",
        "/api/v1/stats/loans/?from=2025-01-01&to=2025-12-31&group_by=category",
        "/api/v1/stats/most-loaned/?from=2025-01-01&to=2025-12-31",
        "/api/v1/stats/categories/?from=2025-01-01&to=2025-12-31",
        *options.addresses,
    ]
    pages = Table(title="Pages")
    for column in ("address", "ms", "queries", "KB"):
        pages.add_column(column, justify="left" if column == "address" else "right", overflow="fold")
    client.get(own)
    for address in addresses:
        took, queries, size = asked(client, address)
        print(f"{address}: {took * 1000:,.0f} ms", flush=True)
        pages.add_row(address, f"{took * 1000:,.0f}", str(queries), f"{size / 1000:,.0f}")
    console = Console(width=120)
    console.print(works)
    console.print(pages)


def main() -> None:
    parser = large_library(__doc__)
    parser.add_argument("--categories", type=int, default=200)
    parser.add_argument("--addresses", nargs="*", default=[], help="further addresses to ask for")
    options = parser.parse_args()
    with postgresql(unsafe=options.unsafe):
        run(options)


if __name__ == "__main__":
    main()
