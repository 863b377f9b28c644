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
from tests.logins import api, make_reader

pytestmark = pytest.mark.django_db


@pytest.fixture
def book(data_folder):
    write_image(data_folder / "given" / "a.png", size=(600, 900), colour=(200, 10, 10))
    kept = store_cover(folder=data_folder / "given", name="a.png", media_root=data_folder / "media")
    return make_book(title="Optics", cover=kept.name)


def asked(book, size, **headers):
    return api().get(f"/api/v1/books/{book.pk}/cover/{size}/", headers=headers)


def body(answer):
    return b"".join(answer.streaming_content)


def cached(data_folder):
    return sorted(path for path in (data_folder / "cache").rglob("*") if path.is_file())


@pytest.mark.parametrize(("size", "pixels"), [("small", (107, 160)), ("large", (341, 512))])
def test_a_cover_comes_in_two_sizes(book, size, pixels):
    answer = asked(book, size)
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/jpeg")
    image = Image.open(io.BytesIO(body(answer)))
    assert (image.format, image.size) == ("JPEG", pixels)


def test_a_book_says_where_its_covers_are(book):
    client = api(make_reader())
    row = client.get(f"/api/v1/books/{book.pk}/").json()
    address = f"http://testserver/api/v1/books/{book.pk}/cover/"
    assert (row["cover_small"], row["cover_large"]) == (f"{address}small/", f"{address}large/")
    row = client.get(f"/api/v1/books/{make_book().pk}/").json()
    assert (row["cover_small"], row["cover_large"]) == (None, None)


def test_a_size_is_made_once_and_again_when_deleted(book, data_folder, monkeypatch):
    made = []
    small_jpeg = covers.small_jpeg
    monkeypatch.setattr(covers, "small_jpeg", lambda **kwargs: made.append(1) or small_jpeg(**kwargs))
    first = body(asked(book, "small"))
    assert body(asked(book, "small")) == first
    assert (len(made), len(cached(data_folder))) == (1, 1)
    shutil.rmtree(data_folder / "cache")
    assert body(asked(book, "small")) == first
    assert len(made) == 2


def test_a_cover_at_hand_is_not_sent_again(book):
    first = asked(book, "small")
    first.close()
    assert first["Cache-Control"] == "public, max-age=3600"
    for headers in ({"if-none-match": first["ETag"]}, {"if-modified-since": first["Last-Modified"]}):
        again = asked(book, "small", **headers)
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
        assert again["Cache-Control"] == first["Cache-Control"]
    other = asked(book, "large", **{"if-none-match": first["ETag"]})
    assert (other.status_code, other["ETag"] == first["ETag"]) == (200, False)
    other.close()


def test_another_cover_has_another_etag(book, data_folder):
    before = asked(book, "small")
    before.close()
    write_image(data_folder / "given" / "b.png", colour=(0, 0, 90))
    kept = store_cover(folder=data_folder / "given", name="b.png", media_root=data_folder / "media")
    Book.objects.update(cover=kept.name)
    after = asked(book, "small", **{"if-none-match": before["ETag"]})
    after.close()
    assert (after.status_code, after["ETag"] == before["ETag"]) == (200, False)


def test_only_the_head_can_be_asked_for(book):
    answer = api().head(f"/api/v1/books/{book.pk}/cover/small/")
    answer.close()
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/jpeg")


@pytest.mark.parametrize("accept", ["*/*", "image/avif,image/webp", "application/json"])
@pytest.mark.parametrize("what", ["no book", "no cover", "no size", "gone", "damaged", "outside"])
def test_where_there_is_no_cover_the_answer_says_so(what, accept, book, data_folder):
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
        Book.objects.update(cover="../given/a.png")
    answer = api().get(f"/api/v1/books/{pk}/cover/{size}/", headers={"accept": accept})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer["Content-Type"].startswith("application/")
    assert str(data_folder) not in answer.content.decode()
    assert not (data_folder / "cache").exists() or not cached(data_folder)


def test_a_cover_that_would_fill_the_memory_is_not_decoded(book, data_folder, monkeypatch):
    monkeypatch.setattr(covers, "MOST_PIXELS", 1_000)
    assert asked(book, "small").status_code == 404
    assert not (data_folder / "cache").exists()
