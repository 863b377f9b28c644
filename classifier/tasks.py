"""Celery tasks: each calls one service, imported in the body so that a web process loads no torch."""

from typing import Any

from celery import shared_task
from django.utils import timezone


@shared_task
def train(seed: int = 0) -> dict[str, Any]:
    """Train a version and activate it if it is no worse."""
    from classifier.services import training

    return training.train(now=timezone.now(), seed=seed)


@shared_task
def classify(include_categorised: bool = False) -> dict[str, Any]:
    """Suggest categories with the active version."""
    from classifier.services import reclassification

    return reclassification.classify(now=timezone.now(), include_categorised=include_categorised)


@shared_task
def recommend(n: int = 10) -> dict[str, Any]:
    """Replace recommendations and similar titles."""
    from classifier.services import recommendation

    return recommendation.recommend(now=timezone.now(), n=n)
