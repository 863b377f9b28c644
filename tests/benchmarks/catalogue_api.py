"""Measure searches and pages of the catalogue's API in a large library, relative to the request of one book.

    python tests/benchmarks/catalogue_api.py [--books N] [--requests N] [--clients 1 16] [--unsafe]

Starts a PostgreSQL server and fills it with generated books in Chinese and English (see many_books.py).
gunicorn serves the API on the loopback interface with production settings. One client, then sixteen at once,
send each kind of request, in rounds, so that other load of the machine affects all kinds equally. Latencies
are those a client sees. Needs an idle machine.
"""

import argparse
import json
import os
import random
import time
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlencode

import numpy as np
from clients import THREADED, Api, Request, serve, timed
from servers import postgresql

ROUNDS = 4
PAGE = 20
#: Number of the deep page, at least one book each.
DEEP = 10_000
#: The request that the others are compared with.
BASELINE = "GET /books/{id}/"


def generators(books: int) -> dict[str, Callable[[random.Random], str]]:
    """Return a function for each kind of request, which generates a URL."""
    from many_books import topics

    from library.catalogue.models import Book

    rows = list(Book.objects.order_by("?").values_list("pk", "language", "title", "authors", "isbn")[:2_000])
    english, chinese = ([row for row in rows if row[1] == language] for language in ("en", "zh"))
    rare = {language: topics(language) for language in ("en", "zh")}

    def search(text: str, **filters: object) -> str:
        return "/api/v1/books/?" + urlencode({"search": text, "page_size": PAGE, **filters})

    def cursor(rng: random.Random, page: int) -> str:
        size = max(1, min(PAGE, books // DEEP))
        parameters = {"pagination": "cursor", "page_size": size}
        if page > 1:
            position = f"p=B{(page - 1) * size - 1:07}"
            parameters["cursor"] = b64encode(position.encode()).decode()
        return "/api/v1/books/?" + urlencode(parameters)

    def phrase(title: str, rng: random.Random) -> str:
        start = rng.randrange(max(1, len(title) - 4))
        return title[start : start + 4]

    return {
        BASELINE: lambda rng: f"/api/v1/books/{rng.choice(rows)[0]}/",
        "English: two words of a title": lambda rng: search(
            " ".join(rng.sample(rng.choice(english)[2].split(), 2))
        ),
        "English: a title as typed": lambda rng: search(
            (title := rng.choice(english)[2])[: rng.randint(3, len(title))]
        ),
        "English: an author": lambda rng: search(rng.choice(english)[3]),
        "English: one word": lambda rng: search(rng.choice(rng.choice(english)[2].split())),
        "English: a rare word": lambda rng: search(rng.choice(rare["en"][1_000:])),
        "English: one word, available, in English": lambda rng: search(
            rng.choice(rng.choice(english)[2].split()), available="true", language="en"
        ),
        "Chinese: four characters of a title": lambda rng: search(phrase(rng.choice(chinese)[2], rng)),
        "Chinese: two characters of a title": lambda rng: search(phrase(rng.choice(chinese)[2], rng)[:2]),
        "Chinese: an author": lambda rng: search(rng.choice(chinese)[3]),
        "Chinese: a rare word": lambda rng: search(rng.choice(rare["zh"][1_000:])),
        "an ISBN": lambda rng: search(rng.choice(rows)[4]),
        "page 1, numbered": lambda rng: f"/api/v1/books/?page_size={PAGE}",
        "page 1, by cursor": lambda rng: cursor(rng, 1),
        f"page {min(DEEP, books):,}, by cursor": lambda rng: cursor(rng, min(DEEP, books)),
    }


def run(options: argparse.Namespace) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from many_books import load
    from rich.console import Console
    from rich.table import Table

    call_command("migrate", verbosity=0)
    start = time.perf_counter()
    load(books=options.books, now=datetime.now(UTC))
    loaded = time.perf_counter() - start
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT version(), pg_total_relation_size('catalogue_searchentry'),"
            " pg_total_relation_size('catalogue_book')"
        )
        version, index, table_size = cursor.fetchone()
    table = Table(
        title=f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {version.split(' on ')[0]}, "
        f"{options.books:,} books, gunicorn {' '.join(THREADED)}"
    )
    for column in ("clients", "request", "found", "p50 ms", "p95 ms", f"p95 / {BASELINE}"):
        table.add_column(column, justify="left" if column == "request" else "right")
    urls = generators(options.books)
    with serve(now=datetime.now(UTC)) as api:
        _warm_up(api)
        for clients in options.clients:
            times: dict[str, list[float]] = {kind: [] for kind in urls}
            counts: dict[str, list[int]] = {kind: [] for kind in urls}
            for number in range(ROUNDS):
                for kind, generate in urls.items():
                    rng = random.Random(f"{number} {kind}")
                    requests = [Request(generate(rng)) for _ in range(options.requests // ROUNDS)]
                    durations, bodies, _rate = timed(api.send, requests, clients=clients)
                    times[kind] += list(durations)
                    counts[kind] += [json.loads(body).get("count", 1) for body in bodies]
            baseline = float(np.percentile(times[BASELINE], 95))
            for kind, durations in times.items():
                p50, p95 = np.percentile(durations, [50, 95])
                count = f"{np.median(counts[kind]):,.0f}"
                table.add_row(str(clients), kind, count, f"{p50:.1f}", f"{p95:.1f}", f"{p95 / baseline:.2f}")
            searches = [
                duration
                for kind, durations in times.items()
                if "page" not in kind and kind != BASELINE
                for duration in durations
            ]
            p50, p95 = np.percentile(searches, [50, 95])
            table.add_row(
                str(clients), "all searches", "", f"{p50:.1f}", f"{p95:.1f}", f"{p95 / baseline:.2f}"
            )
            table.add_section()
    Console(width=120).print(table)
    print(f"Books saved and indexed in {loaded:.0f} s, {options.books / loaded:,.0f} per second.")
    print(f"Size with indexes: search table {index / 1e6:,.0f} MB, book table {table_size / 1e6:,.0f} MB.")
    print(f"Load average of the last minute: {os.getloadavg()[0]:.1f}.")


def _warm_up(api: Api) -> None:
    """Make each worker load jieba's dictionary."""
    warm = Request("/api/v1/books/?" + urlencode({"search": "中国历史 history"}))
    timed(api.send, [warm] * 64, clients=16)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--books", type=int, default=200_000)
    parser.add_argument("--requests", type=int, default=200, help="of each kind, all clients together")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--unsafe", action="store_true", help="do not wait for the disk")
    options = parser.parse_args()
    with postgresql(unsafe=options.unsafe):
        run(options)


if __name__ == "__main__":
    main()
