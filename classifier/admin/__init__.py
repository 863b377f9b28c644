"""The classifier's desk."""

from classifier.admin import alarms, runs, suggestions, versions

__all__ = ["alarms", "runs", "suggestions", "versions"]
