"""Celery tasks; each calls one service."""

from celery import shared_task
from django.utils import timezone

from library.rest.idempotency import store


@shared_task
def prune_idempotency_records() -> dict[str, int]:
    """Delete stored responses past their retention period."""
    return store.prune_idempotency_records(now=timezone.now())
