"""What recommendations cost in a large library: the first run, a night later, and one borrower on request.

    python tests/benchmarks/large_recommendations.py [--borrowers N] [--books N] [--loans N] [--unsafe]

A PostgreSQL server of its own is started and filled with a library in which everybody reads one of 200
subjects four times in five, and titles of a subject have words of their own. `recommend` is run, then once
more after a day's loans, one in two thousand of all. No model is trained, so there are no themes. Run by
hand, on an idle machine.
"""

import argparse
import random
import time
from datetime import UTC, datetime, timedelta
from statistics import quantiles

from clients import Request, served, timed
from forgetting import memory
from servers import large_library, postgresql

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SUBJECTS = 200
ASKED = 500
"""Borrowers whose titles are asked for."""
CLIENTS = 16
"""That ask over the API at once, without a pause."""

# Each subject has as many titles as borrowers can have read some of together.
_READ_BY_SUBJECT = """
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
        ) made (word))
    """
_A_DAYS_LOANS = """
    INSERT INTO circulation_loan (copy_id, borrower_id, branch_id, borrowed_at, due_at, returned_at, renewals,
        renewals_allowed, renewal_days, fine_per_day, grace_days, fine_cap)
    SELECT copy_id, borrower_id, branch_id, %(now)s, %(now)s, %(now)s, 0, renewals_allowed, renewal_days,
        fine_per_day, grace_days, fine_cap
    FROM (
        SELECT DISTINCT ON (copy_id) * FROM circulation_loan WHERE hashint8(id) %% 2000 = 0 ORDER BY copy_id
    ) lent
    """


def run(options: argparse.Namespace) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from large_library import Size, load

    from classifier.selectors.recommendations import advised_titles, similar_titles
    from classifier.services.configuration import library_config
    from classifier.services.recommendation.recommend import recommend

    call_command("migrate", verbosity=0)
    size = Size(options.borrowers, options.books, options.loans)
    values = {"borrowers": size.borrowers, "subjects": SUBJECTS, "now": NOW}
    load(size, now=NOW)
    with connection.cursor() as cursor:
        cursor.execute("SELECT setseed(0.5)")
        for statement in (_READ_BY_SUBJECT, _WORDS):
            cursor.execute(statement, values)
        cursor.execute("VACUUM ANALYZE")
    print(f"{size.books:,} titles, {size.borrowers:,} borrowers, {size.loans:,} loans")
    for name, now in (("the first run", NOW), ("a night later", NOW + timedelta(days=1))):
        if name != "the first run":
            with connection.cursor() as cursor:
                cursor.execute(_A_DAYS_LOANS, values)
                print(f"{cursor.rowcount:,} loans more")
        began, phases = time.perf_counter(), {}

        def progress(phase: str, done: int, total: int, phases: dict[str, float] = phases) -> None:
            phases.setdefault(phase, time.perf_counter())

        found = recommend(now=now, progress=progress)
        ended = time.perf_counter()
        print(
            f"{name}: {ended - began:.0f} s, {found['made_anew']:,} of {found['borrowers']:,} lists "
            f"made anew, peak memory {memory():.0f} MB"
        )
        starts = [*phases.values(), ended]
        for phase, start, end in zip(phases, starts, starts[1:], strict=False):
            print(f"    {phase}: {end - start:.1f} s")
    settings = library_config().recommend
    rng = random.Random(0)
    for name, ask, most in (
        (
            "titles for a borrower",
            lambda pk: advised_titles(borrower=pk, n=10, settings=settings),
            size.borrowers,
        ),
        ("titles like a title", lambda pk: similar_titles(book=pk, n=10), size.books),
    ):
        took = []
        for _number in range(ASKED + 20):
            began = time.perf_counter()
            ask(rng.randint(1, most))
            took.append(1000 * (time.perf_counter() - began))
        cut = quantiles(took[20:], n=100)
        print(f"{name}: {cut[49]:.1f} ms, p95 {cut[94]:.1f} ms")
    with served(now=datetime.now(UTC)) as api:
        one = 0.0
        for name, address, most in (
            ("GET /books/{id}/", "/api/v1/books/{}/", size.books),
            ("similar titles", "/api/v1/books/{}/similar/", size.books),
            ("titles for a borrower", "/api/v1/borrowers/{}/recommendations/", size.borrowers),
        ):
            asked = [Request(address.format(rng.randint(1, most))) for _number in range(2 * ASKED)]
            timed(api.ask, asked[:ASKED], clients=CLIENTS)
            milliseconds, _answers, _rate = timed(api.ask, asked[ASKED:], clients=CLIENTS)
            cut = quantiles(milliseconds, n=100)
            one = one or cut[94]
            print(
                f"over the API, {CLIENTS} clients, {name}: {cut[49]:.1f} ms, p95 {cut[94]:.1f} ms, "
                f"{cut[94] / one:.2f} times that of a book"
            )


def main() -> None:
    options = large_library(__doc__).parse_args()
    with postgresql(unsafe=options.unsafe):
        run(options)


if __name__ == "__main__":
    main()
