"""Whether this process lives, and whether it can serve: for load balancers and containers."""

from collections.abc import Callable
from functools import lru_cache

from celery import current_app
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu.exceptions import OperationalError

#: Seconds that a broker may take to answer; who asks for health does not wait long itself.
PATIENCE = 2


@require_safe
@never_cache
def live(request: HttpRequest) -> HttpResponse:
    """Answer ``ok``: the process runs. It asks nothing of anybody, as a restart would mend nothing there."""
    return HttpResponse("ok", content_type="text/plain")


@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """Answer what is missing for requests to be served: 200 and nothing, or 503 and its name."""
    missing = [name for name, is_there in CHECKS.items() if not is_there()]
    status = "unavailable" if missing else "ok"
    return JsonResponse({"status": status, "missing": missing}, status=503 if missing else 200)


def database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, InterfaceError):
        # The next request connects anew.
        connection.close()
        return False
    return True


def migrations_are_applied() -> bool:
    """Return whether the database is as new as the code; of one that does not answer, nobody knows."""
    try:
        return _newest() <= MigrationRecorder(connection).applied_migrations().keys()
    except (DatabaseError, InterfaceError):
        return False


def broker_answers() -> bool:
    try:
        with current_app.connection_for_write(connect_timeout=PATIENCE) as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=PATIENCE)
    except (OperationalError, OSError):
        return False
    return True


@lru_cache(maxsize=1)
def _newest() -> frozenset[tuple[str, str]]:
    """Return the last migrations of all apps; the files do not change while the process runs."""
    return frozenset(MigrationLoader(None).graph.leaf_nodes())


CHECKS: dict[str, Callable[[], bool]] = {
    "database": database_answers,
    "migrations": migrations_are_applied,
    "broker": broker_answers,
}
