"""Classifier data in a borrower's export; separate from modules that load numpy."""

from typing import Any

from classifier.models import Feedback, Recommendation
from library.people.models import Borrower
from library.people.selectors import add_to_export, json_rows


def add_classifier() -> None:
    """Add recommendations and feedback to every export."""
    add_to_export(name="recommendations", model=Recommendation, rows=_recommendations)
    add_to_export(name="feedback", model=Feedback, rows=_feedback)


def _recommendations(borrower: Borrower) -> list[dict[str, Any]]:
    return json_rows(
        Recommendation.objects.filter(borrower=borrower).order_by("rank"),
        rank="rank",
        title="book__title",
        score="score",
        sources="sources",
        because="because__title",
        created_at="created_at",
    )


def _feedback(borrower: Borrower) -> list[dict[str, Any]]:
    return json_rows(
        Feedback.objects.filter(borrower=borrower).order_by("created_at", "pk"),
        title="book__title",
        verdict="verdict",
        created_at="created_at",
    )
