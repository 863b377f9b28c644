"""What is done to pages on their way out: the content security policy, and packing."""

from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.urls import reverse


class PagePolicy(CSPMiddleware):
    """Send the site's policy, and under the admin's address what its look needs beside."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if request.path.startswith(reverse("admin:index")):
            parts.update = settings.ADMIN_CONTENT_SECURITY
        return parts


class PackedPages(GZipMiddleware):
    """Pack pages and nothing else.

    The packer holds back what is streamed until it has enough: the events of a run would be told late. Covers
    are packed already.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not response.get("Content-Type", "").startswith("text/html"):
            return response
        return super().process_response(request, response)
