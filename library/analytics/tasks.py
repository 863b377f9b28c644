"""Celery tasks of the statistics: each calls one service with the current time."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from library.analytics.services import refresh, reports


@shared_task
def refresh_statistics() -> dict[str, Any]:
    """Update the summary tables."""
    return refresh.refresh_statistics(now=timezone.now())


@shared_task
def send_reports() -> dict[str, int]:
    """Send the reports of the week or month that has ended."""
    return reports.send_reports(now=timezone.now())
