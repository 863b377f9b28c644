"""Statistics in the REST API: fixed groupings, intervals and metrics, as JSON or CSV."""

from django.urls import path

from library.analytics.api.views import CategoryUseView, LoansView, MostBorrowedView

urlpatterns = [
    path("loans/", LoansView.as_view(), name="stats-loans"),
    path("most-borrowed/", MostBorrowedView.as_view(), name="stats-most-borrowed"),
    path("categories/", CategoryUseView.as_view(), name="stats-categories"),
]
