"""Compression of pages, but not of streams and images."""

import gzip

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory

from library.admin_site.middleware import CompressionMiddleware

PAGE = "<p>Light</p>" * 100


def through_middleware(response):
    request = RequestFactory().get("/", headers={"accept-encoding": "gzip"})
    return CompressionMiddleware(lambda _request: response)(request)


def test_page_is_compressed():
    response = through_middleware(HttpResponse(PAGE))
    assert response["Content-Encoding"] == "gzip"
    assert gzip.decompress(response.content).decode() == PAGE
    assert len(response.content) < len(PAGE) / 2


@pytest.mark.parametrize("content_type", ["text/event-stream", "text/csv; charset=utf-8"])
def test_stream_is_not_buffered(content_type):
    response = through_middleware(StreamingHttpResponse(["one", "two"], content_type=content_type))
    assert list(response) == [b"one", b"two"]


def test_image_keeps_its_etag():
    response = through_middleware(HttpResponse(PAGE, content_type="image/png", headers={"ETag": '"a"'}))
    assert (response.content.decode(), response["ETag"]) == (PAGE, '"a"')
    assert "Content-Encoding" not in response
