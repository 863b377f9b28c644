"""The statistics in the REST API: a fixed list of groups, intervals and metrics, as JSON or CSV."""

from django.urls import path

from library.analytics.api.views import CategoryUseView, LoansView, MostLoanedView

urlpatterns = [
    path("loans/", LoansView.as_view(), name="stats-loans"),
    path("most-loaned/", MostLoanedView.as_view(), name="stats-most-loaned"),
    path("categories/", CategoryUseView.as_view(), name="stats-categories"),
]
