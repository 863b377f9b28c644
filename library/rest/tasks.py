"""Celery tasks: each calls one service."""

from celery import shared_task
from django.utils import timezone

from library.rest.idempotency import store


@shared_task
def prune_answers() -> dict[str, int]:
    """Remove the answers that are kept no longer."""
    return store.prune_answers(now=timezone.now())
