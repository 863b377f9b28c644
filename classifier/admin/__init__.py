"""The classifier's desk."""

from classifier.admin import (
    alarms,
    batches,
    feedback,
    misfiled,
    recommendations,
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
    "recommendations",
    "reviews",
    "runs",
    "suggestions",
    "taxonomy",
    "versions",
]
