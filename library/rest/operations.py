"""Addresses for those who run the library: health and metrics."""

from django.urls import path
from django.views.generic import RedirectView

from library.rest import health, metrics

urlpatterns = [
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    # Where it was in the first versions.
    path("health/", RedirectView.as_view(pattern_name="health-ready"), name="health"),
    path("metrics", metrics.metrics, name="metrics"),
]
