"""Celery tasks of circulation; each calls one service with the current time."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from library.circulation.services import anonymisation, hold_maintenance, notices


@shared_task
def maintain_holds() -> dict[str, int]:
    """Expire uncollected holds and resume suspended ones."""
    return hold_maintenance.maintain_holds(now=timezone.now())


@shared_task
def send_notices() -> dict[str, Any]:
    """Send due notices to borrowers."""
    return notices.send_notices(now=timezone.now())


@shared_task
def anonymise_loans() -> dict[str, Any]:
    """Anonymise loans and holds whose retention period is over."""
    return anonymisation.anonymise_loans(now=timezone.now()).as_dict()
