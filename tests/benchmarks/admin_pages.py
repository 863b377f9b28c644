"""Measure the admin pages in a large library.

    python tests/benchmarks/admin_pages.py [--borrowers N] [--books N] [--loans N] [--unsafe]

Starts a PostgreSQL server and fills it; every book has a suggestion and is in the review queue. Requests each
page several times as an administrator, and runs a bare query, which shows how fast the machine is. Needs an
idle machine.
"""

import argparse
import statistics
import time
from datetime import UTC, datetime
from math import ceil

from servers import library_parser, postgresql

NOW = datetime.now(UTC)
REPETITIONS = 7
PAGES = {
    "home": "/admin/",
    "review": "/admin/classifier/review/next/",
    "review in groups": "/admin/classifier/review/bulk/",
    "category search": "/admin/classifier/review/categories/?term=c",
    "book search": "/admin/catalogue/book/?q=title",
    "one book": "/admin/catalogue/book/77/change/",
    "borrower search": "/admin/people/borrower/?q=chen",
    "one borrower": "/admin/people/borrower/77/change/",
    "copy search": "/admin/catalogue/copy/?q=77",
    "loan search": "/admin/circulation/loan/?q=77",
    "open loans": "/admin/circulation/loan/?returned_at__isempty=1",
    "last page of books": "/admin/catalogue/book/?p={last_page}",
}
#: 200 categories; one book in five has low confidence.
REVIEW_QUEUE = (
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
    """INSERT INTO classifier_reviewitem (book_id, position, benefit, low_confidence, conflicting,
            high_demand, unfamiliar, ordered_at)
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
        for statement in REVIEW_QUEUE:
            cursor.execute(statement)
    client = Client()
    client.force_login(User.objects.create_superuser("root"))

    def bare_query() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM catalogue_book")

    def get(path: str) -> None:
        response = client.get(path)
        assert response.status_code == 200, (path, response.status_code)

    print(f"{options.books:,} books, {options.loans:,} loans; median of {REPETITIONS}, in milliseconds")
    print(f"{'count of the books (bare query)':48} {timed(bare_query):8.0f}")
    lists = {
        f"list: {model._meta.verbose_name_plural}": reverse(
            f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        )
        for model in admin.site._registry
    }
    for name, path in (PAGES | lists).items():
        path = path.format(last_page=ceil(options.books / admin.ModelAdmin.list_per_page))
        print(f"{name:48} {timed(lambda path=path: get(path)):8.0f}", flush=True)


def timed(work) -> float:
    """Return the median milliseconds, after one call that does not count."""
    work()
    durations = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        work()
        durations.append((time.perf_counter() - start) * 1000)
    return statistics.median(durations)


def main() -> None:
    options = library_parser(__doc__, borrowers=20_000, loans=1_000_000).parse_args()
    with postgresql(unsafe=options.unsafe):
        run(options)


if __name__ == "__main__":
    main()
