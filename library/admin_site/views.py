"""Public pages and media files."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.static import serve


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show links to the admin site and the API."""
    return render(request, "admin_site/home.html")


@require_safe
def media(request: HttpRequest, path: str, *, folder: str) -> HttpResponseBase:
    """Serve a cover or a recording. Pages have few of them; a proxy in front may serve them instead."""
    return serve(request, path, document_root=str(settings.MEDIA_ROOT / folder))
