"""Measure the anonymisation of loans in a large library: the first run over years, and a nightly run.

    python tests/benchmarks/anonymisation.py [--borrowers N] [--books N] [--loans N] [--unsafe]

Starts a PostgreSQL server and fills it with loans of five years. Runs `anonymise_loans` on all loans older
than RETENTION_MONTHS, then once more as if a day later. Needs an idle machine.
"""

import argparse
import resource
import time
from datetime import UTC, datetime, timedelta

from servers import library_parser, postgresql

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def run(options: argparse.Namespace) -> None:
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from large_library import Size, load

    from library.circulation.services.anonymisation import anonymise_loans

    call_command("migrate", verbosity=0)
    start = time.perf_counter()
    load(Size(options.borrowers, options.books, options.loans), now=NOW)
    print(f"{options.loans:,} loans loaded in {time.perf_counter() - start:.0f} s.")
    print(f"Retention {settings.RETENTION_MONTHS} months; memory before the first run {peak_memory():.0f} MB")
    for name, now in (("first run", NOW), ("a night later", NOW + timedelta(days=1))):
        start = time.perf_counter()
        report = anonymise_loans(now=now)
        duration = time.perf_counter() - start
        per_loan = duration / max(report.loans, 1) * 1000
        print(
            f"{name}: {report.loans:,} loans in {duration:.1f} s, {per_loan:.2f} ms each; "
            f"{report.pairs_kept:,} pairs kept and {report.pairs_lost:,} lost; "
            f"peak memory {peak_memory():.0f} MB"
        )


def peak_memory() -> float:
    """Return the peak memory of this process, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    options = library_parser(__doc__).parse_args()
    with postgresql(unsafe=options.unsafe):
        run(options)


if __name__ == "__main__":
    main()
