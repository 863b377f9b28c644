"""What the catalogue's API costs in a large library, beside the reading of one book.

    python tests/benchmarks/catalogue_api.py [--books N] [--requests N] [--clients 1 16] [--unsafe]

A PostgreSQL server of its own is started and filled with invented books in Chinese and English (see
many_books.py); the API is served by gunicorn on the loopback, with the settings of production. Each kind of
request is sent so often by one client, and by sixteen at once, in rounds, so that what else the machine does
falls on all kinds alike. Latencies are those that a client sees. Run by hand, on an idle machine.
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
from clients import THREADED, Api, Request, served, timed
from servers import postgresql

ROUNDS = 4
PAGE = 20
DEEP = 10_000
#: The address that the others are compared with.
ONE = "GET /books/{id}/"


def kinds(books: int) -> dict[str, Callable[[random.Random], str]]:
    """Return what makes an address of each kind of request."""
    from many_books import topics

    from library.catalogue.models import Book

    rows = list(Book.objects.order_by("?").values_list("pk", "language", "title", "authors", "isbn")[:2_000])
    english, chinese = ([row for row in rows if row[1] == language] for language in ("en", "zh"))
    rare = {language: topics(language) for language in ("en", "zh")}

    def search(text: str, **more: object) -> str:
        return "/api/v1/books/?" + urlencode({"search": text, "page_size": PAGE, **more})

    def cursor(rng: random.Random, page: int) -> str:
        size = max(1, min(PAGE, books // DEEP))
        asked = {"pagination": "cursor", "page_size": size}
        if page > 1:
            position = f"p=B{(page - 1) * size - 1:07}"
            asked["cursor"] = b64encode(position.encode()).decode()
        return "/api/v1/books/?" + urlencode(asked)

    def phrase(title: str, rng: random.Random) -> str:
        at = rng.randrange(max(1, len(title) - 4))
        return title[at : at + 4]

    return {
        ONE: lambda rng: f"/api/v1/books/{rng.choice(rows)[0]}/",
        "English: two words of a title": lambda rng: search(
            " ".join(rng.sample(rng.choice(english)[2].split(), 2))
        ),
        "English: a title as it is typed": lambda rng: search(
            (title := rng.choice(english)[2])[: rng.randint(3, len(title))]
        ),
        "English: an author": lambda rng: search(rng.choice(english)[3]),
        "English: one word, as usual as words are": lambda rng: search(
            rng.choice(rng.choice(english)[2].split())
        ),
        "English: a rare word": lambda rng: search(rng.choice(rare["en"][1_000:])),
        "English: one word, at hand, in English": lambda rng: search(
            rng.choice(rng.choice(english)[2].split()), available="true", language="en"
        ),
        "Chinese: four characters of a title": lambda rng: search(phrase(rng.choice(chinese)[2], rng)),
        "Chinese: two characters of a title": lambda rng: search(phrase(rng.choice(chinese)[2], rng)[:2]),
        "Chinese: an author": lambda rng: search(rng.choice(chinese)[3]),
        "Chinese: a rare word": lambda rng: search(rng.choice(rare["zh"][1_000:])),
        "an ISBN": lambda rng: search(rng.choice(rows)[4]),
        "page 1, numbered": lambda rng: f"/api/v1/books/?page_size={PAGE}",
        "page 1, by cursor": lambda rng: cursor(rng, 1),
        f"page {DEEP:,}, by cursor": lambda rng: cursor(rng, DEEP),
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
    for column in ("clients", "request", "found", "p50 ms", "p95 ms", f"p95 / {ONE}"):
        table.add_column(column, justify="left" if column == "request" else "right")
    made = kinds(options.books)
    with served(now=datetime.now(UTC)) as api:
        _warm_up(api)
        for clients in options.clients:
            times: dict[str, list[float]] = {kind: [] for kind in made}
            found: dict[str, list[int]] = {kind: [] for kind in made}
            for number in range(ROUNDS):
                for kind, make in made.items():
                    rng = random.Random(f"{number} {kind}")
                    requests = [Request(make(rng)) for _ in range(options.requests // ROUNDS)]
                    took, bodies, _rate = timed(api.ask, requests, clients=clients)
                    times[kind] += list(took)
                    found[kind] += [json.loads(body).get("count", 1) for body in bodies]
            one = float(np.percentile(times[ONE], 95))
            for kind, took in times.items():
                p50, p95 = np.percentile(took, [50, 95])
                count = f"{np.median(found[kind]):,.0f}"
                table.add_row(str(clients), kind, count, f"{p50:.1f}", f"{p95:.1f}", f"{p95 / one:.2f}")
            searches = [
                time for kind, took in times.items() if "page" not in kind and kind != ONE for time in took
            ]
            p50, p95 = np.percentile(searches, [50, 95])
            table.add_row(str(clients), "all searches", "", f"{p50:.1f}", f"{p95:.1f}", f"{p95 / one:.2f}")
            table.add_section()
    Console(width=120).print(table)
    print(f"Books written and indexed in {loaded:.0f} s, {options.books / loaded:,.0f} a second.")
    print(
        f"The table of search has {index / 1e6:,.0f} MB, that of books {table_size / 1e6:,.0f}, with indexes."
    )
    print(f"A minute's load of the machine at the end: {os.getloadavg()[0]:.1f}.")


def _warm_up(api: Api) -> None:
    """Let each worker read jieba's dictionary, once."""
    warm = Request("/api/v1/books/?" + urlencode({"search": "中国历史 history"}))
    timed(api.ask, [warm] * 64, clients=16)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--books", type=int, default=200_000)
    parser.add_argument("--requests", type=int, default=200, help="of each kind, by all clients together")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--unsafe", action="store_true", help="wait for no disk, as the tests' server")
    options = parser.parse_args()
    if options.books < DEEP:
        parser.error(f"--books must be {DEEP:,} at least, so that there are {DEEP:,} pages.")
    with postgresql(unsafe=options.unsafe):
        run(options)


if __name__ == "__main__":
    main()
