"""The API's own addresses: a token, the schema and its pages. The apps bring theirs in ``api.py``."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from library.rest.views import TokenView

urlpatterns = [
    path("v1/token/", TokenView.as_view(), name="api-token"),
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    # Its script has an address of its own: the content security policy lets none run that stands in a page.
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="api-schema"), name="api-docs"),
]
