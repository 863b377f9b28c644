"""Liveness and readiness checks for load balancers and containers."""

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

#: Seconds to wait for the broker; clients of the health check do not wait long themselves.
BROKER_TIMEOUT = 2


@require_safe
@never_cache
def live(request: HttpRequest) -> HttpResponse:
    """Return ``ok``. Checks no other service, because a restart of this process would not fix it."""
    return HttpResponse("ok", content_type="text/plain")


@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """Return 200 if all checks pass, else 503 with the names of those that fail."""
    missing = [name for name, passes in CHECKS.items() if not passes()]
    status = "unavailable" if missing else "ok"
    return JsonResponse({"status": status, "missing": missing}, status=503 if missing else 200)


def database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, InterfaceError):
        # So that the next request opens a new connection.
        connection.close()
        return False
    return True


def migrations_are_applied() -> bool:
    """Return whether all migrations of the code are applied; False if the database is unavailable."""
    try:
        return _latest_migrations() <= MigrationRecorder(connection).applied_migrations().keys()
    except (DatabaseError, InterfaceError):
        return False


def broker_answers() -> bool:
    try:
        with current_app.connection_for_write(connect_timeout=BROKER_TIMEOUT) as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=BROKER_TIMEOUT)
    except (OperationalError, OSError):
        return False
    return True


@lru_cache(maxsize=1)
def _latest_migrations() -> frozenset[tuple[str, str]]:
    """Return the last migration of each app; cached, because the files do not change at run time."""
    return frozenset(MigrationLoader(None).graph.leaf_nodes())


CHECKS: dict[str, Callable[[], bool]] = {
    "database": database_answers,
    "migrations": migrations_are_applied,
    "broker": broker_answers,
}
