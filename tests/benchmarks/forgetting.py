"""What forgetting costs in a large library: the first run, which finds years of loans, and a night's.

    python tests/benchmarks/forgetting.py [--borrowers N] [--books N] [--loans N] [--unsafe]

A PostgreSQL server of its own is started and filled with loans of five years. `forget_loans` is run on all
that is older than RETENTION_MONTHS, then once more as if a day later. Run by hand, on an idle machine.
"""

import argparse
import resource
import time
from datetime import UTC, datetime, timedelta

from servers import large_library, postgresql

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def run(options: argparse.Namespace) -> None:
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from large_library import Size, load

    from library.circulation.services.anonymisation import forget_loans

    call_command("migrate", verbosity=0)
    start = time.perf_counter()
    load(Size(options.borrowers, options.books, options.loans), now=NOW)
    print(f"{options.loans:,} loans were made in {time.perf_counter() - start:.0f} s.")
    print(f"Forgotten after {settings.RETENTION_MONTHS} months, memory {memory():.0f} MB before:")
    for name, now in (("the first run", NOW), ("a night later", NOW + timedelta(days=1))):
        start = time.perf_counter()
        report = forget_loans(now=now)
        took = time.perf_counter() - start
        each = took / max(report.loans, 1) * 1000
        print(
            f"{name}: {report.loans:,} loans in {took:.1f} s, {each:.2f} ms each; "
            f"{report.pairs_kept:,} pairs kept and {report.pairs_lost:,} lost; peak memory {memory():.0f} MB"
        )


def memory() -> float:
    """Return the most that this process ever had in memory, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    options = large_library(__doc__).parse_args()
    with postgresql(unsafe=options.unsafe):
        run(options)


if __name__ == "__main__":
    main()
