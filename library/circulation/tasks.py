"""Celery tasks: each calls one service, with the time."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from library.circulation.services import anonymisation, hold_maintenance, notices


@shared_task
def tend_holds() -> dict[str, int]:
    """End the holds not fetched in time; wake the suspended ones."""
    return hold_maintenance.tend_holds(now=timezone.now())


@shared_task
def send_notices() -> dict[str, Any]:
    """Tell borrowers what is due, overdue, or ready for them."""
    return notices.send_notices(now=timezone.now())


@shared_task
def forget_loans() -> dict[str, Any]:
    """Forget who had the loans and holds whose time is over."""
    return anonymisation.forget_loans(now=timezone.now()).as_dict()
