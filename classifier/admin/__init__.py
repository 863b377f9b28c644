"""The classifier's desk."""

from classifier.admin import batches, misfiled, runs, suggestions

__all__ = ["batches", "misfiled", "runs", "suggestions"]
