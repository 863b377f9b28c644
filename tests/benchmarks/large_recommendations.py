"""Measure recommendations in a large library: the first run, a nightly run, and requests for one borrower.

    python tests/benchmarks/large_recommendations.py [--borrowers N] [--books N] [--loans N] [--unsafe]

Starts a PostgreSQL server with a library in which every borrower takes four of five loans from one of 200
subjects, and the titles of a subject share words. Runs `recommend`, then once more after a day's loans, one
in two thousand of all. No model is trained, so topics are not used. Needs an idle machine.
"""

import argparse
import random
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import quantiles

from anonymisation import peak_memory
from clients import Request, serve, timed
from servers import library_parser, postgresql

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SUBJECTS = 200
REQUESTS = 500
"""Of each kind."""
CLIENTS = 16
"""Concurrent clients of the API, without a pause."""

_BORROW_BY_SUBJECT = """
    UPDATE circulation_loan SET borrower_id = CASE WHEN random() < 0.2
        THEN 1 + floor(random() * %(borrowers)s)
        ELSE 1 + copy_id %% %(subjects)s
            + %(subjects)s * floor(random() * (%(borrowers)s / %(subjects)s)) END
    """
_WORDS = """
    UPDATE catalogue_book SET description = (
        SELECT string_agg(word, ' ')
        FROM (
            SELECT CASE WHEN i %% 2 = 0 THEN 'common' || floor(20000 * random() ^ 3)
                ELSE 'word' || (catalogue_book.id %% %(subjects)s) || 'x' || floor(300 * random() ^ 2) END
            FROM generate_series(1, 24) i WHERE catalogue_book.id > 0
        ) generated (word))
    """
_A_DAYS_LOANS = """
    INSERT INTO circulation_loan (copy_id, borrower_id, branch_id, borrowed_at, due_at, returned_at, renewals,
        renewals_allowed, renewal_days, fine_per_day, grace_days, fine_cap)
    SELECT copy_id, borrower_id, branch_id, %(now)s, %(now)s, %(now)s, 0, renewals_allowed, renewal_days,
        fine_per_day, grace_days, fine_cap
    FROM (
        SELECT DISTINCT ON (copy_id) * FROM circulation_loan WHERE hashint8(id) %% 2000 = 0 ORDER BY copy_id
    ) sampled
    """


def run(options: argparse.Namespace) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from large_library import Size, load

    from classifier.selectors.recommendations import recommended_titles, similar_titles
    from classifier.services.configuration import library_config
    from classifier.services.recommendation.recommend import recommend
    from classifier.services.runs.context import JobContext

    call_command("migrate", verbosity=0)
    size = Size(options.borrowers, options.books, options.loans)
    values = {"borrowers": size.borrowers, "subjects": min(SUBJECTS, size.borrowers), "now": NOW}
    load(size, now=NOW)
    with connection.cursor() as cursor:
        cursor.execute("SELECT setseed(0.5)")
        for statement in (_BORROW_BY_SUBJECT, _WORDS):
            cursor.execute(statement, values)
        cursor.execute("VACUUM ANALYZE")
    print(f"{size.books:,} titles, {size.borrowers:,} borrowers, {size.loans:,} loans")
    for name, now in (("first run", NOW), ("a night later", NOW + timedelta(days=1))):
        if name != "first run":
            with connection.cursor() as cursor:
                cursor.execute(_A_DAYS_LOANS, values)
                print(f"{cursor.rowcount:,} more loans")
        start, phases = time.perf_counter(), {}

        def progress(phase: str, done: int, total: int, phases: dict[str, float] = phases) -> None:
            phases.setdefault(phase, time.perf_counter())

        result = recommend(JobContext(now=now, progress=progress))
        end = time.perf_counter()
        print(
            f"{name}: {end - start:.0f} s, {result['updated_lists']:,} of {result['borrowers']:,} lists "
            f"updated, peak memory {peak_memory():.0f} MB"
        )
        times = [*phases.values(), end]
        for phase, (phase_start, phase_end) in zip(phases, pairwise(times), strict=True):
            print(f"    {phase}: {phase_end - phase_start:.1f} s")
    settings, requests = library_config().recommend, options.requests
    rng = random.Random(0)
    for name, query, max_pk in (
        (
            "recommendations",
            lambda pk: recommended_titles(borrower=pk, n=10, settings=settings),
            size.borrowers,
        ),
        ("similar titles", lambda pk: similar_titles(book=pk, n=10), size.books),
    ):
        durations = []
        for _number in range(requests + 20):
            start = time.perf_counter()
            query(rng.randint(1, max_pk))
            durations.append(1000 * (time.perf_counter() - start))
        cut = quantiles(durations[20:], n=100)
        print(f"{name}: {cut[49]:.1f} ms, p95 {cut[94]:.1f} ms")
    with serve(now=datetime.now(UTC)) as api:
        baseline = 0.0
        for name, path, max_pk in (
            ("GET /books/{id}/", "/api/v1/books/{}/", size.books),
            ("similar titles", "/api/v1/books/{}/similar/", size.books),
            ("recommendations", "/api/v1/borrowers/{}/recommendations/", size.borrowers),
        ):
            paths = [Request(path.format(rng.randint(1, max_pk))) for _number in range(2 * requests)]
            timed(api.send, paths[:requests], clients=CLIENTS)
            milliseconds, _bodies, _rate = timed(api.send, paths[requests:], clients=CLIENTS)
            cut = quantiles(milliseconds, n=100)
            baseline = baseline or cut[94]
            print(
                f"over the API, {CLIENTS} clients, {name}: {cut[49]:.1f} ms, p95 {cut[94]:.1f} ms, "
                f"{cut[94] / baseline:.2f} times that of a book"
            )


def main() -> None:
    parser = library_parser(__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS, help="of each kind")
    options = parser.parse_args()
    with postgresql(unsafe=options.unsafe):
        run(options)


if __name__ == "__main__":
    main()
