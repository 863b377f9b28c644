"""Borrowers in the REST API."""

from rest_framework.routers import SimpleRouter

from library.people.api.borrowers import BorrowerCategoryViewSet, BorrowerViewSet

router = SimpleRouter()
router.register("borrowers", BorrowerViewSet)
router.register("borrower-categories", BorrowerCategoryViewSet)

urlpatterns = router.urls
