"""Pages are packed; what is told bit by bit is not held back, and what is packed already is let alone."""

import gzip

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory

from library.admin_site.middleware import PackedPages

PAGE = "<p>Light</p>" * 100


def answered(response):
    request = RequestFactory().get("/", headers={"accept-encoding": "gzip"})
    return PackedPages(lambda _request: response)(request)


def test_a_page_is_packed():
    answer = answered(HttpResponse(PAGE))
    assert answer["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.content).decode() == PAGE
    assert len(answer.content) < len(PAGE) / 2


@pytest.mark.parametrize("kind", ["text/event-stream", "text/csv; charset=utf-8"])
def test_what_is_streamed_comes_as_it_is_made(kind):
    answer = answered(StreamingHttpResponse(["one", "two"], content_type=kind))
    assert list(answer) == [b"one", b"two"]


def test_a_picture_keeps_its_tag():
    answer = answered(HttpResponse(PAGE, content_type="image/png", headers={"ETag": '"a"'}))
    assert (answer.content.decode(), answer["ETag"]) == (PAGE, '"a"')
    assert "Content-Encoding" not in answer
