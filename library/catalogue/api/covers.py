"""Covers in the REST API, in two sizes; public, like the cover files."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import FileResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.cache import get_conditional_response
from django.utils.http import http_date
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from library.catalogue.media.covers import LONG_SIDE, cover_file
from library.catalogue.media.storage import FileRefusedError
from library.catalogue.models import Book

#: The longer side in pixels. Small: a list row on a high-density screen. Large: the stored size.
SIZES = {"small": 160, "large": LONG_SIDE}
#: Seconds for which browsers cache a cover. Covers rarely change, and a delay is harmless.
MAX_AGE = 60 * 60


class FirstRenderer(BaseContentNegotiation):
    """Always the first renderer: a client that accepts only images gets errors as JSON, not a 406."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class CoverView(APIView):
    """The cover of a book."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]
    content_negotiation_class = FirstRenderer

    @extend_schema(
        parameters=[
            OpenApiParameter("id", int, OpenApiParameter.PATH, description="The book."),
            OpenApiParameter(
                "size", str, OpenApiParameter.PATH, enum=list(SIZES),
                description=f"`small`: {SIZES['small']} pixels on the longer side, for lists; `large`: "
                f"{SIZES['large']}, for a page.",
                examples=[OpenApiExample("for lists", value="small")],
            ),
            OpenApiParameter(
                "If-None-Match", str, OpenApiParameter.HEADER,
                description="The ETag of a cached cover: the response is 304 if it is current.",
            ),
        ],
        responses={
            (200, "image/jpeg"): OpenApiTypes.BINARY,
            304: OpenApiResponse(description="The cached cover is current."),
            404: OpenApiResponse(description="No such book, size or cover, or the cover is damaged."),
        },
        auth=[],
    )  # fmt: skip
    def get(self, request: Request, pk: int, size: str) -> HttpResponseBase:
        """Return a JPEG with ETag and Last-Modified, or 304 if the client has it."""
        if size not in SIZES:
            raise NotFound(_("Unknown cover size. Use small or large."))
        book = get_object_or_404(Book.objects.only("cover"), pk=pk)
        if not book.cover:
            raise NotFound(_("This book has no cover."))
        try:
            path = cover_file(
                name=str(book.cover),
                long_side=SIZES[size],
                media_root=Path(settings.MEDIA_ROOT),
                cache=Path(settings.DATA_DIR) / "cache" / "covers",
            )
        except FileRefusedError as error:
            raise NotFound(_("This book’s cover is missing or damaged. Upload it again.")) from error
        return _sent(request, path)


def _sent(request: Request, path: Path) -> Any:
    modified_at = int(path.stat().st_mtime)
    etag = f'"{path.stem}-{path.parent.parent.name}"'
    file: Any = FileResponse(path.open("rb"), content_type="image/jpeg")
    file["Cache-Control"] = f"public, max-age={MAX_AGE}"
    file["Last-Modified"] = http_date(modified_at)
    file["ETag"] = etag
    response: Any = get_conditional_response(
        request._request, etag=etag, last_modified=modified_at, response=file
    )
    if response is not file:
        file.close()
        response["Cache-Control"] = file["Cache-Control"]
    return response
