"""Circulation in the REST API: for those who may see who borrows what."""

from rest_framework.routers import SimpleRouter

from library.circulation.api.holds import HoldViewSet
from library.circulation.api.loans import LoanViewSet

router = SimpleRouter()
router.register("loans", LoanViewSet)
router.register("holds", HoldViewSet)

urlpatterns = router.urls
