"""The classifier's desk."""

from classifier.admin import reviews, runs, suggestions

__all__ = ["reviews", "runs", "suggestions"]
