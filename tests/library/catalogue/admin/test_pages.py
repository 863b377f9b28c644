import hashlib
from datetime import UTC, datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import translation

from library.catalogue.models import Book, Copy
from tests.factories import make_book, make_category, make_copy, make_loan
from tests.files import RECORDINGS
from tests.logins import desk, make_librarian

pytestmark = pytest.mark.django_db

BOOKS = "/admin/catalogue/book/"


def form(**changes):
    """Return the form fields of a book page."""
    fields = {"title": "Optics", "control_number": "9"}
    for prefix in ("copies", "suggestions"):
        fields |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    return fields | changes


def test_book_is_added_with_a_copy():
    changes = {"copies-TOTAL_FORMS": 1, "copies-0-barcode": "K9"}
    response = desk(make_librarian()).post(f"{BOOKS}add/", form(**changes))
    assert response.status_code == 302
    assert Copy.objects.get().book == Book.objects.get(category_source="none")


def test_new_book_has_category_source_librarian():
    category = make_category()
    desk(make_librarian()).post(f"{BOOKS}add/", form(category=category.pk))
    book = Book.objects.get()
    assert (book.category, book.category_source) == (category, "librarian")


@pytest.mark.parametrize(("choice", "source"), [("same", "imported"), ("other", "librarian"), ("", "none")])
def test_only_a_changed_category_gets_source_librarian(choice, source):
    same, other = make_category(), make_category()
    book = make_book(category=same, category_source="imported")
    category = {"same": same.pk, "other": other.pk}.get(choice, "")
    desk(make_librarian()).post(f"{BOOKS}{book.pk}/change/", form(category=category))
    book.refresh_from_db()
    assert (book.category_id or "", book.category_source, book.title) == (category, source, "Optics")


@pytest.mark.parametrize("suffix", RECORDINGS)
def test_recording_is_stored_unchanged_under_its_digest(suffix, data_folder):
    content = RECORDINGS[suffix]
    upload = SimpleUploadedFile("Anna Chen reads.mp3", content)
    response = desk(make_librarian()).post(f"{BOOKS}add/", form(audio=upload))
    assert response.status_code == 302
    audio = Book.objects.get().audio
    with audio.open() as file:
        assert file.read() == content
    assert audio.name == f"audio/{hashlib.sha256(content).hexdigest()}{suffix}"
    assert [path.name for path in (data_folder / "media").rglob("*.*")] == [audio.name.removeprefix("audio/")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.mp3",
            b"ID3\x04 an mp3",
            "The recording is not a WAV, FLAC or OGG file. Upload one of these formats.",
        ),
        (
            "a.wav",
            b"<script>alert(1)</script>",
            "The recording is not a WAV, FLAC or OGG file. Upload one of these formats.",
        ),
        (
            "a.wav",
            b"RIFF\0\0\0\0AVI LIST",
            "The recording is not a WAV, FLAC or OGG file. Upload one of these formats.",
        ),
        ("a.ogg", b"", "The submitted file is empty."),
        ("a.flac", b"fLaC" + bytes(100), "The recording is larger than 50 MB. Upload a smaller file."),
    ],
)
def test_invalid_recording_is_refused(monkeypatch, data_folder, name, content, message):
    monkeypatch.setattr("library.catalogue.admin.books.MAX_BYTES", 90)
    response = desk(make_librarian()).post(f"{BOOKS}add/", form(audio=SimpleUploadedFile(name, content)))
    assert any(message in error for error in response.context["adminform"].form.errors["audio"])
    assert not Book.objects.exists()
    assert not (data_folder / "media").exists()


def test_refusal_is_translated():
    client = desk(make_librarian(), headers={"accept-language": "zh-hans"})
    response = client.post(f"{BOOKS}add/", form(audio=SimpleUploadedFile("a.wav", b"no sound")))
    assert "录音不是 WAV、FLAC 或 OGG 文件。请上传这些格式之一。" in response.content.decode()
    with translation.override("zh-hans"):
        assert str(Book._meta.get_field("audio").help_text).startswith("有声书片段")


def test_book_with_missing_recording_can_be_saved():
    book = make_book(audio="audio/gone.wav")
    client = desk(make_librarian())
    assert client.post(f"{BOOKS}{book.pk}/change/", form()).status_code == 302
    book.refresh_from_db()
    assert (book.title, book.audio.name) == ("Optics", "audio/gone.wav")
    assert client.post(f"{BOOKS}{book.pk}/change/", form(**{"audio-clear": "on"})).status_code == 302
    book.refresh_from_db()
    assert book.audio.name == ""


def test_creation_time_is_shown_for_saved_books():
    client = desk(make_librarian())
    assert "DatabaseDefault" not in client.get(f"{BOOKS}add/").content.decode()
    book = make_book()
    Book.objects.update(created_at=datetime(2001, 2, 3, 12, tzinfo=UTC))
    assert "Feb. 3, 2001" in client.get(f"{BOOKS}{book.pk}/change/").content.decode()


def test_list_shows_existing_covers():
    make_book(cover="covers/a.png")
    make_book()
    page = desk(make_librarian()).get(BOOKS).content.decode()
    assert page.count('class="cover"') == 1
    assert 'src="/media/covers/a.png"' in page


def test_books_are_searched_by_author():
    make_book(title="Optics", authors="Newton")
    make_book(title="Bridges", authors="Brunel")
    page = desk(make_librarian()).get(f"{BOOKS}?q=newton").content.decode()
    assert "Optics" in page
    assert "Bridges" not in page


def test_books_are_filtered_by_year_and_source():
    make_book(title="Optics", year=1980)
    make_book(title="Bridges", year=2000)
    client = desk(make_librarian())
    page = client.get(f"{BOOKS}?year_from=1990&category_source__exact=none").content.decode()
    assert "Bridges" in page
    assert "Optics" not in page


def test_category_list_counts_books():
    category = make_category(notation="535")
    make_book(category=category)
    make_book(category=category)
    response = desk(make_librarian()).get("/admin/catalogue/category/")
    assert [row.number_of_books for row in response.context["cl"].result_list] == [2]


def test_book_with_loans_cannot_be_deleted():
    copy = make_copy()
    make_loan(copy=copy)
    desk(make_librarian()).post(f"{BOOKS}{copy.book_id}/delete/", {"post": "yes"})
    assert Book.objects.filter(pk=copy.book_id).exists()
