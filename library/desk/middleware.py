"""The content security policy: one for the site, one wider for the admin."""

from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
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
