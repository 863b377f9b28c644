"""Uploads of covers in the admin: they are converted, and invalid ones are refused."""

import io
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image, PngImagePlugin
from unfold.widgets import UnfoldAdminImageFieldWidget

from library.catalogue.admin.books import BookAdmin, CoverField
from library.catalogue.media.covers import small_jpeg, store_cover
from library.catalogue.media.storage import digest_name
from library.catalogue.models import Book
from tests.factories import make_book
from tests.logins import api, desk, make_librarian

pytestmark = pytest.mark.django_db

BOOKS = "/admin/catalogue/book/"
SECRET = b"taken at 51.5N 0.1W by Zyxwvut"


def picture(kind="PNG", *, size=(60, 90), **options):
    content = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(content, kind, **options)
    return content.getvalue()


def with_secrets():
    """Return images in every format with text in metadata or after the image."""
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", SECRET.decode())
    return {
        "exif.jpg": picture("JPEG", exif=exif),
        "comment.jpg": picture("JPEG", comment=SECRET),
        "xmp.jpg": picture("JPEG", xmp=SECRET),
        "colours.jpg": picture("JPEG", icc_profile=SECRET),
        "text.png": picture("PNG", pnginfo=text),
        "exif.png": picture("PNG", exif=exif),
        "exif.webp": picture("WEBP", exif=exif),
        "xmp.webp": picture("WEBP", xmp=SECRET),
        "comment.gif": picture("GIF", comment=SECRET),
        "behind.jpg": picture("JPEG") + SECRET,
        "behind.png": picture("PNG") + SECRET,
    }


def form(upload, **changes):
    fields = {"title": "Optics", "control_number": "9", "cover": upload}
    for prefix in ("copies", "suggestions"):
        fields |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    return fields | changes


def send(name, content, *, kind="image/png", **options):
    client = desk(make_librarian(), **options)
    return client.post(f"{BOOKS}add/", form(SimpleUploadedFile(name, content, kind)))


@pytest.mark.parametrize("name", with_secrets())
def test_upload_keeps_only_the_picture(name):
    content = with_secrets()[name]
    assert SECRET in content
    assert send(name, content).status_code == 302
    with Book.objects.get().cover.open() as file:
        stored = file.read()
    assert SECRET not in stored
    with Image.open(io.BytesIO(stored)) as image:
        assert (image.format, image.size) == ("JPEG", (60, 90))
        assert image.info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


@pytest.mark.parametrize("name", with_secrets())
def test_import_keeps_only_the_picture(name, tmp_path):
    (tmp_path / name).write_bytes(with_secrets()[name])
    stored = store_cover(folder=tmp_path, name=name, media_root=tmp_path / "media")
    assert SECRET not in (tmp_path / "media" / stored.name).read_bytes()


def test_upload_is_stored_like_an_import(data_folder):
    content = picture(size=(2000, 1000))
    send("../../Zyxwvut's holiday.png", content)
    book = Book.objects.get()
    digest = Path(digest_name(content=content, kind="covers", suffix=".jpg")).name
    assert book.cover.name == f"covers/{digest}"
    assert (data_folder / "media" / book.cover.name).read_bytes() == small_jpeg(content=content)
    with Image.open(book.cover.path) as image:
        assert image.size == (512, 256)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.svg",
            b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
            "not in a supported image format",
        ),
        (
            "a.jpg",
            b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
            "not in a supported image format",
        ),
        ("a.png", b"<!doctype html><script>alert(1)</script>", "not in a supported image format"),
        ("a.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not in a supported image format"),
        ("a.tiff", picture("TIFF"), "not in a supported image format"),
        ("a.ico", picture("ICO"), "not in a supported image format"),
        ("a.png", picture()[:60], "The cover is damaged"),
        (
            "a.bmp",
            picture("BMP", size=(1, 1)).replace(b"\1\0\0\0\1\0\0\0", b"\0\x40\0\0\0\x40\0\0"),
            "50,000,000 pixels",
        ),
        ("a.png", b"", "The submitted file is empty."),
    ],
    ids=["svg", "svg as jpg", "html", "eps", "tiff", "ico", "half", "bomb", "empty"],
)
def test_invalid_cover_is_refused_at_its_field(data_folder, name, content, message):
    response = send(name, content)
    (error,) = response.context["adminform"].form.errors["cover"]
    assert message in error
    assert "Save it" in error or "save it" in error or "Resize it" in error or not content
    assert not Book.objects.exists()
    assert not (data_folder / "media").exists()


def test_too_large_upload_is_refused_unread(monkeypatch):
    monkeypatch.setattr("library.catalogue.media.covers.MAX_BYTES", 90)
    response = send("a.png", picture())
    (error,) = response.context["adminform"].form.errors["cover"]
    assert error == "The cover is larger than 50 MB. Save it as a smaller file."


def test_refusal_is_translated():
    response = send("a.svg", b"<svg/>", headers={"accept-language": "zh-hans"})
    assert "封面不是支持的图像格式" in response.content.decode()


def test_cover_is_replaced_cleared_or_unchanged():
    book = make_book(cover="covers/old.jpg")
    client = desk(make_librarian())
    page = f"{BOOKS}{book.pk}/change/"
    for fields, expected in (
        (form(""), "covers/old.jpg"),
        (form(SimpleUploadedFile("a.png", picture())), "covers/"),
        (form("", **{"cover-clear": "on"}), ""),
    ):
        assert client.post(page, fields).status_code == 302
        book.refresh_from_db()
        assert book.cover.name.startswith(expected)
        assert bool(book.cover.name) == bool(expected)


def test_field_has_theme_styles():
    assert BookAdmin.formfield_overrides.keys()
    page = desk(make_librarian()).get(f"{BOOKS}add/")
    field = page.context["adminform"].form.fields["cover"]
    assert isinstance(field, CoverField)
    assert isinstance(field.widget, UnfoldAdminImageFieldWidget)


def test_api_refuses_covers():
    book = make_book(cover="covers/old.jpg")
    client = api(make_librarian())
    url = f"/api/v1/books/{book.pk}/"
    assert client.patch(url, {"cover": "covers/x.svg"}, format="json").status_code == 200
    upload = SimpleUploadedFile("a.png", picture(), "image/png")
    assert client.generic("PATCH", url, upload.read(), "multipart/form-data; boundary=x").status_code == 415
    book.refresh_from_db()
    assert book.cover.name == "covers/old.jpg"
