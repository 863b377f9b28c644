"""People in the REST API: for those who may see them."""

from rest_framework.routers import SimpleRouter

from library.people.api.borrowers import BorrowerViewSet

router = SimpleRouter()
router.register("borrowers", BorrowerViewSet)

urlpatterns = router.urls
