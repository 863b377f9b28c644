"""REST API of circulation, for users who may see borrowers' loans."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from library.circulation.api.account import AccountViewSet
from library.circulation.api.availability import AvailabilityView
from library.circulation.api.fines import FineViewSet
from library.circulation.api.holds import HoldViewSet
from library.circulation.api.loans import LoanViewSet
from library.circulation.api.notices import NoticeViewSet
from library.circulation.api.policies import ClosedDayViewSet, LoanPolicyViewSet

router = SimpleRouter()
router.register("loans", LoanViewSet)
router.register("holds", HoldViewSet)
router.register("fines", FineViewSet)
router.register("notices", NoticeViewSet)
router.register("loan-policies", LoanPolicyViewSet)
router.register("closed-days", ClosedDayViewSet)

urlpatterns = [
    *router.urls,
    path("borrowers/<int:pk>/account/", AccountViewSet.as_view({"get": "account"}), name="borrower-account"),
    path("books/<int:book_id>/availability/", AvailabilityView.as_view(), name="book-availability"),
]
