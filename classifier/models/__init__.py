"""What the classifier keeps, a module a noun."""

from classifier.models.reviews import Review, ReviewItem
from classifier.models.runs import Run
from classifier.models.suggestions import Recommendation, SimilarBook, Suggestion
from classifier.models.versions import Alarm, DriftReport, ModelVersion

__all__ = [
    "Alarm",
    "DriftReport",
    "ModelVersion",
    "Recommendation",
    "Review",
    "ReviewItem",
    "Run",
    "SimilarBook",
    "Suggestion",
]
