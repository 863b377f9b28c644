"""Celery tasks; each calls one service."""

from celery import shared_task
from django.utils import timezone

from library.people.services import audit


@shared_task
def prune_audit() -> dict[str, int]:
    """Delete audit entries past their retention period."""
    return audit.prune_audit(now=timezone.now())
