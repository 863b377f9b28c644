"""Admin pages of the classifier."""

from classifier.admin import (
    alerts,
    batches,
    feedback,
    misfiled,
    recommendations,
    runs,
    suggestions,
    versions,
)
from classifier.admin.review import history as review_history
from classifier.admin.taxonomy import admin as taxonomy

__all__ = [
    "alerts",
    "batches",
    "feedback",
    "misfiled",
    "recommendations",
    "review_history",
    "runs",
    "suggestions",
    "taxonomy",
    "versions",
]
