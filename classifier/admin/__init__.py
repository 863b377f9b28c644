"""The classifier's desk."""

from classifier.admin import alarms, reviews, runs, suggestions, versions

__all__ = ["alarms", "reviews", "runs", "suggestions", "versions"]
