"""The classifier's desk."""

from classifier.admin import (
    alarms,
    batches,
    feedback,
    misfiled,
    recommendations,
    runs,
    suggestions,
    taxonomy,
    versions,
)
from classifier.admin.review import history as review_history

__all__ = [
    "alarms",
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
