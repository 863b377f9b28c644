"""REST API of the classifier."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from classifier.api.batches import BatchViewSet, ChangeViewSet
from classifier.api.classification import ClassifyBatchView, ClassifyView
from classifier.api.feedback import FeedbackViewSet
from classifier.api.listings import HiddenGemsView, LatestView, PopularView, TrendingView
from classifier.api.misfiled import MisfiledViewSet
from classifier.api.recommendations import (
    BorrowerRecommendationsView,
    RecommendationViewSet,
    SimilarBooksView,
)
from classifier.api.reviews import ReviewViewSet, SuggestionReviewView
from classifier.api.runs import RunViewSet
from classifier.api.suggestions import BookSuggestionsView, SuggestionViewSet
from classifier.api.taxonomy import TaxonomyChangeViewSet
from classifier.api.versions import AlertViewSet, ModelVersionViewSet

router = SimpleRouter()
router.register("reviews", ReviewViewSet)
router.register("runs", RunViewSet)
router.register("models", ModelVersionViewSet)
router.register("alerts", AlertViewSet)
router.register("batches", BatchViewSet)
router.register("changes", ChangeViewSet)
router.register("misfiled", MisfiledViewSet)
router.register("taxonomy-changes", TaxonomyChangeViewSet)
router.register("suggestions", SuggestionViewSet)
router.register("recommendations", RecommendationViewSet)
router.register("feedback", FeedbackViewSet)

urlpatterns = [
    *router.urls,
    path("books/<int:book_id>/similar/", SimilarBooksView.as_view(), name="book-similar"),
    path(
        "borrowers/<int:pk>/recommendations/",
        BorrowerRecommendationsView.as_view({"get": "read"}),
        name="borrower-recommendations",
    ),
    path("books/<int:book_id>/suggestions/", BookSuggestionsView.as_view(), name="book-suggestions"),
    path("suggestions/<int:pk>/review/", SuggestionReviewView.as_view(), name="suggestion-review"),
    path("classify/", ClassifyView.as_view(), name="classify"),
    path("classify/batch/", ClassifyBatchView.as_view(), name="classify-batch"),
    path("popular/", PopularView.as_view(), name="popular"),
    path("trending/", TrendingView.as_view(), name="trending"),
    path("latest/", LatestView.as_view(), name="latest"),
    path("hidden-gems/", HiddenGemsView.as_view(), name="hidden-gems"),
]
