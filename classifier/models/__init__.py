"""What the classifier keeps, a module a noun."""

from classifier.models.batches import TRUSTED_SOURCES, Change, Chunk, Reading, Reclassification
from classifier.models.feedback import Feedback
from classifier.models.listings import Listing
from classifier.models.map import MapPoint
from classifier.models.misfiled import Misfiled
from classifier.models.recommendations import Recommendation, TitleLinks
from classifier.models.reviews import Review, ReviewItem
from classifier.models.runs import Run
from classifier.models.suggestions import Suggestion
from classifier.models.taxonomy import FollowedBook
from classifier.models.versions import Alarm, DriftReport, ModelVersion

__all__ = [
    "TRUSTED_SOURCES",
    "Alarm",
    "Change",
    "Chunk",
    "DriftReport",
    "Feedback",
    "FollowedBook",
    "Listing",
    "MapPoint",
    "Misfiled",
    "ModelVersion",
    "Reading",
    "Reclassification",
    "Recommendation",
    "Review",
    "ReviewItem",
    "Run",
    "Suggestion",
    "TitleLinks",
]
