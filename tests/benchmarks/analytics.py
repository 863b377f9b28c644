"""Measure the statistics of a large library: refreshes of the summary tables, and the time of each page.

    python tests/benchmarks/analytics.py [--borrowers N] [--books N] [--loans N] [--categories N] [--unsafe]

Starts a PostgreSQL server and fills it: two events for each loan, the books in a tree of categories, one
title in five never borrowed, one in five not for four years. Refreshes the summary tables from empty, without
changes, after one day's loans, and after a title was moved to another category. Then requests each page, some
CSV files and the API endpoints as an administrator: the median of the server's times, without the network.
Needs an idle machine.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from servers import library_parser, postgresql

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
ROUNDS = 5
PAGES = ("titles", "collection", "seasons", "returns", "borrowers", "purchase", "weeding", "shelf")
#: Executed without triggers after the library is filled: category tree, item types, borrower categories.
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
            WHEN book_id %% 5 = 1 AND occurred_at > %(now)s - interval '4 years' THEN 1
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


def add_day(count: int) -> None:
    """Write the events of a day's checkouts and checkins, spread over the day."""
    from library.circulation.models import LoanEvent

    LoanEvent.objects.bulk_create(
        LoanEvent(
            kind=kind,
            occurred_at=NOW + timedelta(days=1, seconds=30 * number),
            book_id=1 + number * 37 % 100_000,
            copy_id=1 + number * 37 % 100_000,
            branch_id=1 + number % 3,
            item_type_id=1 + number % 4,
            borrower_category_id=1 + number % 4,
            borrower_id=1 + number,
        )
        for number in range(count)
        for kind in ("checkout", "checkin")
    )


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def measure(client: Any, url: str) -> tuple[float, int, int]:
    """Return the median seconds, the number of queries and the size in bytes of a response."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def get() -> int:
        response = client.get(url)
        assert response.status_code == 200, (url, response.status_code)
        return len(b"".join(response)) if response.streaming else len(response.content)

    with CaptureQueriesContext(connection) as queries:
        size = get()
    count = len(queries)  # the next request resets them
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

    duration, _none = seconds(lambda: fill(options))
    print(f"Filled in {duration:.0f} s.", flush=True)
    refreshes = Table(title=f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {options.loans:,} loans")
    for column in ("refresh", "seconds", "days", "titles", "events"):
        refreshes.add_column(column, justify="right")
    for name in ("first", "nothing new", "after a day's loans", "after a title moved"):
        if name == "after a day's loans":
            add_day(options.loans // 1826)
        if name == "after a title moved":
            with connection.cursor() as cursor:
                cursor.execute("UPDATE catalogue_book SET category_id = 1 WHERE id = 502")
        duration, result = seconds(lambda: refresh_statistics(now=timezone.now()))
        refreshes.add_row(
            name, f"{duration:.1f}", *(f"{result[key]:,}" for key in ("days", "titles", "events"))
        )
        print(f"{name}: {duration:.1f} s", flush=True)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    # Years with loans, whatever today's date is.
    period = "?start=2025-01-01&end=2025-12-31"
    base = "/admin/analytics/statistics/"
    urls = [f"{base}{period}"]
    urls += [f"{base}{page}/{period}" for page in PAGES]
    urls += [
        f"{base}forecast/",
        f"{base}?start=2021-01-01&end=2025-12-31",
        f"{base}{period}&category=1&branch=1",
        f"{base}titles/{period}&category=1&branch=1",
        f"{base}weeding/{period}&category=1&branch=1",
        f"{base}titles/{period}&csv=never",
        f"{base}shelf/?csv=shelf",
        "/api/v1/stats/loans/?from=2025-01-01&to=2025-12-31&group_by=category",
        "/api/v1/stats/most-borrowed/?from=2025-01-01&to=2025-12-31",
        "/api/v1/stats/categories/?from=2025-01-01&to=2025-12-31",
        *options.urls,
    ]
    pages = Table(title="Pages")
    for column in ("URL", "ms", "queries", "KB"):
        pages.add_column(column, justify="left" if column == "URL" else "right", overflow="fold")
    client.get(base)
    for url in urls:
        duration, queries, size = measure(client, url)
        print(f"{url}: {duration * 1000:,.0f} ms", flush=True)
        pages.add_row(url, f"{duration * 1000:,.0f}", str(queries), f"{size / 1000:,.0f}")
    console = Console(width=120)
    console.print(refreshes)
    console.print(pages)


def main() -> None:
    parser = library_parser(__doc__)
    parser.add_argument("--categories", type=int, default=200)
    parser.add_argument("--urls", nargs="*", default=[], help="further URLs to request")
    options = parser.parse_args()
    with postgresql(unsafe=options.unsafe):
        run(options)


if __name__ == "__main__":
    main()
