"""The pages around the admin."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.static import serve


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show where the desk and the API are."""
    return render(request, "admin_site/home.html")


@require_safe
def media(request: HttpRequest, path: str, *, folder: str) -> HttpResponseBase:
    """Send the file of a cover or a recording: few on a page. A proxy in front may send them itself."""
    return serve(request, path, document_root=str(settings.MEDIA_ROOT / folder))
