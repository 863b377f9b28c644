"""Celery tasks: each calls one service, with the time."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from library.analytics.services import refresh, reports


@shared_task
def refresh_statistics() -> dict[str, Any]:
    """Bring the summary tables of the statistics up to date."""
    return refresh.refresh_statistics(now=timezone.now())


@shared_task
def send_reports() -> dict[str, int]:
    """Send the reports whose week or month is over."""
    return reports.send_reports(now=timezone.now())
