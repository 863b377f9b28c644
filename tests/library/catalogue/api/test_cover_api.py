"""Covers in two sizes."""

import io
import shutil

import pytest
from PIL import Image

from library.catalogue.media import covers
from library.catalogue.media.covers import store_cover
from library.catalogue.models import Book
from tests.factories import make_book
from tests.files import write_image
from tests.logins import api, make_user_without_permissions

pytestmark = pytest.mark.django_db


@pytest.fixture
def book(data_folder):
    write_image(data_folder / "originals" / "a.png", size=(600, 900), colour=(200, 10, 10))
    stored = store_cover(folder=data_folder / "originals", name="a.png", media_root=data_folder / "media")
    return make_book(title="Optics", cover=stored.name)


def get_cover(book, size, **headers):
    return api().get(f"/api/v1/books/{book.pk}/cover/{size}/", headers=headers)


def body(response):
    return b"".join(response.streaming_content)


def cached(data_folder):
    return sorted(path for path in (data_folder / "cache").rglob("*") if path.is_file())


@pytest.mark.parametrize(("size", "pixels"), [("small", (107, 160)), ("large", (341, 512))])
def test_cover_has_two_sizes(book, size, pixels):
    response = get_cover(book, size)
    assert (response.status_code, response["Content-Type"]) == (200, "image/jpeg")
    image = Image.open(io.BytesIO(body(response)))
    assert (image.format, image.size) == ("JPEG", pixels)


def test_book_links_its_covers(book):
    client = api(make_user_without_permissions())
    row = client.get(f"/api/v1/books/{book.pk}/").json()
    url = f"http://testserver/api/v1/books/{book.pk}/cover/"
    assert (row["cover_small"], row["cover_large"]) == (f"{url}small/", f"{url}large/")
    row = client.get(f"/api/v1/books/{make_book().pk}/").json()
    assert (row["cover_small"], row["cover_large"]) == (None, None)


def test_size_is_created_once_and_recreated_after_deletion(book, data_folder, monkeypatch):
    conversions = []
    small_jpeg = covers.small_jpeg
    monkeypatch.setattr(covers, "small_jpeg", lambda **kwargs: conversions.append(1) or small_jpeg(**kwargs))
    first = body(get_cover(book, "small"))
    assert body(get_cover(book, "small")) == first
    assert (len(conversions), len(cached(data_folder))) == (1, 1)
    shutil.rmtree(data_folder / "cache")
    assert body(get_cover(book, "small")) == first
    assert len(conversions) == 2


def test_cached_cover_is_304(book):
    first = get_cover(book, "small")
    first.close()
    assert first["Cache-Control"] == "public, max-age=3600"
    for headers in ({"if-none-match": first["ETag"]}, {"if-modified-since": first["Last-Modified"]}):
        again = get_cover(book, "small", **headers)
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
        assert again["Cache-Control"] == first["Cache-Control"]
    other = get_cover(book, "large", **{"if-none-match": first["ETag"]})
    assert (other.status_code, other["ETag"] == first["ETag"]) == (200, False)
    other.close()


def test_new_cover_has_a_new_etag(book, data_folder):
    before = get_cover(book, "small")
    before.close()
    write_image(data_folder / "originals" / "b.png", colour=(0, 0, 90))
    stored = store_cover(folder=data_folder / "originals", name="b.png", media_root=data_folder / "media")
    Book.objects.update(cover=stored.name)
    after = get_cover(book, "small", **{"if-none-match": before["ETag"]})
    after.close()
    assert (after.status_code, after["ETag"] == before["ETag"]) == (200, False)


def test_head_request_has_no_body(book):
    response = api().head(f"/api/v1/books/{book.pk}/cover/small/")
    response.close()
    assert (response.status_code, response["Content-Type"]) == (200, "image/jpeg")


@pytest.mark.parametrize("accept", ["*/*", "image/avif,image/webp", "application/json"])
@pytest.mark.parametrize("what", ["no book", "no cover", "no size", "gone", "damaged", "outside"])
def test_missing_cover_is_404(what, accept, book, data_folder):
    pk, size = book.pk, "small"
    if what == "no book":
        pk += 1
    elif what == "no size":
        size = "huge"
    elif what == "no cover":
        Book.objects.update(cover="")
    elif what == "gone":
        (data_folder / "media" / book.cover.name).unlink()
    elif what == "damaged":
        (data_folder / "media" / book.cover.name).write_bytes(b"no image")
    else:
        Book.objects.update(cover="../originals/a.png")
    response = api().get(f"/api/v1/books/{pk}/cover/{size}/", headers={"accept": accept})
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert response["Content-Type"].startswith("application/")
    assert str(data_folder) not in response.content.decode()
    assert not (data_folder / "cache").exists() or not cached(data_folder)


def test_oversized_cover_is_not_decoded(book, data_folder, monkeypatch):
    monkeypatch.setattr(covers, "MAX_PIXELS", 1_000)
    assert get_cover(book, "small").status_code == 404
    assert not (data_folder / "cache").exists()
