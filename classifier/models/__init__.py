"""Models of the classifier."""

from classifier.models.batches import TRUSTED_SOURCES, Batch, BookFingerprint, Change, Chunk
from classifier.models.feedback import Feedback
from classifier.models.listings import Listing
from classifier.models.map import MapPoint
from classifier.models.misfiled import Misfiled
from classifier.models.recommendations import ItemNeighbours, Recommendation
from classifier.models.reviews import Review, ReviewItem
from classifier.models.runs import Run
from classifier.models.suggestions import Suggestion
from classifier.models.taxonomy import RelabelledBook
from classifier.models.versions import Alert, DriftReport, ModelVersion

__all__ = [
    "TRUSTED_SOURCES",
    "Alert",
    "Batch",
    "BookFingerprint",
    "Change",
    "Chunk",
    "DriftReport",
    "Feedback",
    "ItemNeighbours",
    "Listing",
    "MapPoint",
    "Misfiled",
    "ModelVersion",
    "Recommendation",
    "RelabelledBook",
    "Review",
    "ReviewItem",
    "Run",
    "Suggestion",
]
