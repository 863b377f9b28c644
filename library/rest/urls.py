"""URLs of tokens, the status, the schema and its documentation. The apps have theirs in ``api``."""

from csp.constants import UNSAFE_INLINE
from csp.decorators import csp_update
from django.urls import path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from library.rest.auth.token_views import TokenListView, TokenRevokeView, TokenView
from library.rest.operations.status import StatusView
from library.rest.schema.schema import CachedSchemaGenerator

urlpatterns = [
    path("v1/token/", TokenView.as_view(), name="api-token"),
    path("v1/tokens/", TokenListView.as_view(), name="api-tokens"),
    path("v1/tokens/<int:pk>/", TokenRevokeView.as_view(), name="api-token-revoke"),
    path("v1/status/", StatusView.as_view(), name="api-status"),
    path("schema/", SpectacularAPIView.as_view(generator_class=CachedSchemaGenerator), name="api-schema"),
    # The split view serves its script from a URL, because the content security policy blocks inline scripts.
    # Its styles are inline.
    path(
        "docs/",
        csp_update({"style-src": [UNSAFE_INLINE]})(
            SpectacularSwaggerSplitView.as_view(url_name="api-schema")
        ),
        name="api-docs",
    ),
]
