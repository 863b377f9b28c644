"""How long the desk's pages take in a large library.

    python tests/benchmarks/desk.py [--borrowers N] [--books N] [--loans N] [--unsafe]

A PostgreSQL server of its own is started and filled; every book has a suggestion and waits for review. Each
page is asked for several times as an administrator; beside it a bare query, so that the machine can be told
from the page. Run by hand, on an idle machine.
"""

import argparse
import statistics
import time
from datetime import UTC, datetime

from servers import large_library, postgresql

NOW = datetime.now(UTC)
TIMES = 7
PAGES = {
    "home": "/admin/",
    "review": "/admin/classifier/review/next/",
    "alike ones together": "/admin/classifier/review/groups/",
    "a search for a category": "/admin/classifier/review/categories/?term=c",
    "books found": "/admin/catalogue/book/?q=title",
    "a book": "/admin/catalogue/book/77/change/",
    "borrowers found": "/admin/people/borrower/?q=chen",
    "a borrower": "/admin/people/borrower/77/change/",
    "copies found": "/admin/catalogue/copy/?q=77",
    "loans found": "/admin/circulation/loan/?q=77",
    "loans that are out": "/admin/circulation/loan/?returned_at__isempty=1",
    "last page of books": "/admin/catalogue/book/?p=2000",
}
#: One category in 200; one book in five is unsure, the others are sure.
WAITING = (
    """INSERT INTO catalogue_category (scheme, notation, label_en, label_zh)
        SELECT 'local', 'C' || i, 'Category ' || i, '' FROM generate_series(1, 200) i""",
    """INSERT INTO classifier_modelversion (name, created_at, state, pinned, activated_at, fingerprint, seed,
            config, metrics, profile, comparison, verdict)
        VALUES ('v', now(), 'active', false, now(), '', 1, '{}', '{}', '{}', '{}', '{}')""",
    """INSERT INTO classifier_suggestion (book_id, rank, category_id, probability, model_version_id,
            created_at, abstained, evidence)
        SELECT b.id, 1, (SELECT min(id) FROM catalogue_category) + b.id % 200,
            CASE WHEN b.id % 5 = 0 THEN 0.5 ELSE 0.97 END, (SELECT id FROM classifier_modelversion), now(),
            b.id % 5 = 0, '{}'
        FROM catalogue_book b""",
    """INSERT INTO classifier_reviewitem (book_id, place, benefit, unsure, disagree, borrowed, unlike,
            ordered_at)
        SELECT id, id, 0.5, id % 5 = 0, id % 7 = 0, false, false, now() FROM catalogue_book""",
    "ANALYZE",
)


def run(options: argparse.Namespace) -> None:
    import django

    django.setup()
    from django.conf import settings
    from django.contrib import admin
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client
    from django.urls import reverse
    from large_library import Size, load

    settings.ALLOWED_HOSTS = ["testserver"]
    call_command("migrate", verbosity=0)
    load(Size(options.borrowers, options.books, options.loans), now=NOW)
    with connection.cursor() as cursor:
        for statement in WAITING:
            cursor.execute(statement)
    client = Client()
    client.force_login(User.objects.create_superuser("root"))

    def bare() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM catalogue_book")

    def asked(address: str) -> None:
        answer = client.get(address)
        assert answer.status_code == 200, (address, answer.status_code)

    print(f"{options.books:,} books, {options.loans:,} loans; median of {TIMES}, in milliseconds")
    print(f"{'counting the books (bare)':48} {timed(bare):8.0f}")
    lists = {
        f"list: {model._meta.verbose_name_plural}": reverse(
            f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        )
        for model in admin.site._registry
    }
    for name, address in (PAGES | lists).items():
        print(f"{name:48} {timed(lambda address=address: asked(address)):8.0f}", flush=True)


def timed(work) -> float:
    """Return the median time, in milliseconds, after a first go that does not count."""
    work()
    took = []
    for _ in range(TIMES):
        start = time.perf_counter()
        work()
        took.append((time.perf_counter() - start) * 1000)
    return statistics.median(took)


def main() -> None:
    options = large_library(__doc__, borrowers=20_000, loans=1_000_000).parse_args()
    with postgresql(unsafe=options.unsafe):
        run(options)


if __name__ == "__main__":
    main()
