"""What the classifier keeps, a module a noun."""

from classifier.models.reviews import Review, ReviewItem
from classifier.models.suggestions import ModelVersion, Recommendation, Run, SimilarBook, Suggestion

__all__ = ["ModelVersion", "Recommendation", "Review", "ReviewItem", "Run", "SimilarBook", "Suggestion"]
