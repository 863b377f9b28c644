"""The classifier's desk."""

from classifier.admin import alarms, batches, misfiled, reviews, runs, suggestions, taxonomy, versions

__all__ = ["alarms", "batches", "misfiled", "reviews", "runs", "suggestions", "taxonomy", "versions"]
