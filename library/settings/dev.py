"""Development settings: debug pages, reachable from this machine only."""

from django.db.backends.base.base import BaseDatabaseWrapper

from library.settings.base import *  # noqa: F403

DEBUG = True
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]

# With DEBUG, Django keeps the last 9,000 queries of a process. A run over a large catalogue inserts thousands
# of rows in each query, so the memory would grow by gigabytes.
BaseDatabaseWrapper.queries_limit = 100

# runserver needs no second terminal for the model.
MODEL_SERVER_AUTOSTART = True
