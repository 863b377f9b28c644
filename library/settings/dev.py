"""Settings for one's own machine: DEBUG pages, this machine only."""

from django.db.backends.base.base import BaseDatabaseWrapper

from library.settings.base import *  # noqa: F403

DEBUG = True
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]

# With DEBUG, Django remembers the last 9,000 queries of a process; a run over a large catalogue inserts
# thousands of rows a query, and its memory would grow by gigabytes.
BaseDatabaseWrapper.queries_limit = 100
