"""The catalogue in the REST API: every user may read, librarians may write."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from library.catalogue.api.books import BookViewSet
from library.catalogue.api.categories import CategoryViewSet
from library.catalogue.api.copies import BranchViewSet, CopyViewSet, ItemTypeViewSet
from library.catalogue.api.covers import CoverView
from library.catalogue.api.serializers import BookSerializer

__all__ = ["BookSerializer"]

router = SimpleRouter()
router.register("categories", CategoryViewSet)
router.register("books", BookViewSet)
router.register("copies", CopyViewSet)
router.register("branches", BranchViewSet)
router.register("item-types", ItemTypeViewSet)

urlpatterns = [
    path("books/<int:pk>/cover/<str:size>/", CoverView.as_view(), name="book-cover"),
    *router.urls,
]
