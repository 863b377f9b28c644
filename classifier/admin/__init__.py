"""The classifier's desk."""

from classifier.admin import runs, suggestions

__all__ = ["runs", "suggestions"]
