"""The classifier's desk."""

from classifier.admin import alarms, batches, misfiled, reviews, runs, suggestions, versions

__all__ = ["alarms", "batches", "misfiled", "reviews", "runs", "suggestions", "versions"]
