"""What the classifier keeps of a borrower, for the borrower's export; apart from all that loads numbers."""

from typing import Any

from classifier.models import Feedback, Recommendation
from library.people.models import Borrower
from library.people.selectors import add_to_export, json_rows


def add_classifier() -> None:
    """Let recommendations and feedback be part of every export."""
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
        Feedback.objects.filter(borrower=borrower).order_by("at", "pk"),
        title="book__title",
        verdict="verdict",
        at="at",
    )
