"""The classifier's desk."""

from classifier.admin import (
    alarms,
    batches,
    feedback,
    misfiled,
    reviews,
    runs,
    suggestions,
    taxonomy,
    versions,
)

__all__ = [
    "alarms",
    "batches",
    "feedback",
    "misfiled",
    "reviews",
    "runs",
    "suggestions",
    "taxonomy",
    "versions",
]
