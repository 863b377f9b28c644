"""Import of books."""

from datetime import timedelta

import pytest

from library.catalogue.importing.books import import_books
from library.catalogue.models import Book, Category, Copy
from tests.databases import both_databases
from tests.factories import NOW, make_book, make_category, make_copy
from tests.files import write_csv, write_image, write_recording
from tests.library.catalogue.importing.books import HEADER, OPTICS, counts, shown


@both_databases
def test_new_book_gets_category_and_copy(database, tmp_path):
    report = import_books(path=write_csv(tmp_path / "books.csv", HEADER, OPTICS), now=NOW)
    assert shown("7") == {
        "title": "Optics",
        "subtitle": "A treatise",
        "authors": "Newton, Isaac",
        "publisher": "Dover",
        "year": 1952,
        "language": "en",
        "isbn": "9780486602059",
        "description": "Of light.",
        "category": "535",
        "source": "imported",
        "cover": "",
        "audio": "",
    }
    assert Book.objects.get().created_at == NOW
    assert Category.objects.get().scheme == "local"
    assert Copy.objects.get().barcode == "7"
    assert counts(report) == (1, 0, 0, 0)
    assert report.also_created == {"categories": 1, "copies": 1}
    assert report.problems == []
    assert report.warnings == []


@both_databases
def test_reimport_updates_only_changed_rows(database, tmp_path):
    rows = [OPTICS, ("8", "Principia", *[""] * 10)]
    path = write_csv(tmp_path / "books.csv", HEADER, *rows)
    import_books(path=path, now=NOW)
    before = list(Book.objects.values())
    assert counts(import_books(path=path, now=NOW + timedelta(days=1))) == (0, 0, 2, 0)
    assert list(Book.objects.values()) == before

    write_csv(
        path, HEADER, OPTICS, ("8", "Principia mathematica", *[""] * 10), ("9", "Arithmetica", *[""] * 10)
    )
    assert counts(import_books(path=path, now=NOW)) == (1, 1, 1, 0)
    assert {row["control_number"]: row["title"] for row in Book.objects.values()} == {
        "7": "Optics",
        "8": "Principia mathematica",
        "9": "Arithmetica",
    }
    assert [row["id"] for row in before] == list(
        Book.objects.filter(control_number__in="78").values_list("pk", flat=True)
    )
    assert Copy.objects.count() == 3


@pytest.mark.django_db
def test_blank_cell_clears_and_missing_column_keeps(tmp_path):
    import_books(path=write_csv(tmp_path / "books.csv", HEADER, OPTICS), now=NOW)
    path = write_csv(
        tmp_path / "books.csv", "id,title,year,isbn,category,cover", ("7", "Optics", "", "", "", "")
    )
    assert counts(import_books(path=path, now=NOW)) == (0, 1, 0, 0)
    book = shown("7")
    assert (book["year"], book["isbn"]) == (None, "")
    assert (book["subtitle"], book["description"]) == ("A treatise", "Of light.")
    # A blank category means unknown, not none.
    assert (book["category"], book["source"]) == ("535", "imported")


@pytest.mark.django_db
def test_existing_books_need_no_title_column(tmp_path):
    make_book(control_number="7", title="Optics", year=1952)
    path = write_csv(tmp_path / "books.csv", "id,year", ("7", "1704"), ("8", "1687"))
    report = import_books(path=path, now=NOW)
    assert (shown("7")["title"], shown("7")["year"]) == ("Optics", 1704)
    assert counts(report) == (0, 1, 0, 1)
    assert [(problem.row, problem.column) for problem in report.problems] == [(3, "title")]


@both_databases
def test_librarian_category_is_overwritten_only_on_request(database, tmp_path):
    make_book(control_number="7", category=make_category(notation="500"))
    path = write_csv(tmp_path / "books.csv", "id,title,category", ("7", "Optics", "535"))
    report = import_books(path=path, now=NOW)
    assert (shown("7")["title"], shown("7")["category"], shown("7")["source"]) == (
        "Optics",
        "500",
        "librarian",
    )
    assert report.warnings == [
        "Kept categories set by a librarian: 1. To replace them, use --overwrite-categories."
    ]
    report = import_books(path=path, overwrite_categories=True, now=NOW)
    assert (shown("7")["category"], shown("7")["source"]) == ("535", "imported")
    assert counts(report) == (0, 1, 0, 0)


@pytest.mark.django_db
def test_equal_category_keeps_source_librarian(tmp_path):
    make_book(control_number="7", title="Optics", category=make_category(notation="535"))
    path = write_csv(tmp_path / "books.csv", "id,title,category", ("7", "Optics", "535"))
    report = import_books(path=path, overwrite_categories=True, now=NOW)
    assert shown("7")["source"] == "librarian"
    assert counts(report) == (0, 0, 1, 0)
    assert report.warnings == []


@pytest.mark.django_db
def test_file_overwrites_model_category(tmp_path):
    make_book(
        control_number="7", title="Optics", category=make_category(notation="535"), category_source="model"
    )
    path = write_csv(tmp_path / "books.csv", "id,title,category", ("7", "Optics", "535"))
    assert counts(import_books(path=path, now=NOW)) == (0, 1, 0, 0)
    assert shown("7")["source"] == "imported"


@pytest.mark.django_db
def test_categories_use_the_given_scheme(tmp_path):
    make_category(notation="535", scheme="local")
    path = write_csv(tmp_path / "books.csv", HEADER, OPTICS)
    report = import_books(path=path, scheme="ddc", now=NOW)
    assert report.also_created["categories"] == 1
    assert Book.objects.get().category.scheme == "ddc"
    assert counts(import_books(path=path, scheme="ddc", now=NOW)) == (0, 0, 1, 0)


@pytest.mark.django_db
def test_used_barcode_gets_a_suffix(tmp_path):
    other = make_copy(barcode="7").book
    import_books(path=write_csv(tmp_path / "books.csv", HEADER, OPTICS), now=NOW)
    assert dict(Copy.objects.values_list("barcode", "book__control_number")) == {
        "7": other.control_number,
        "7-2": "7",
    }


@pytest.mark.django_db
def test_text_is_cleaned(tmp_path):
    path = write_csv(
        tmp_path / "books.csv",
        "id,title,description",
        (" 7\t", "The  old\u3000man\x07\nand the sea ", "One\r\nCafe\u0301\x1b"),
    )
    import_books(path=path, now=NOW)
    assert (shown("7")["title"], shown("7")["description"]) == ("The old man and the sea", "One\nCafé")


@both_databases
def test_covers_beside_the_file_are_stored(database, tmp_path, data_folder):
    write_image(tmp_path / "covers" / "a.png")
    path = write_csv(
        tmp_path / "books.csv", "id,title,cover", ("7", "Optics", "a.png"), ("8", "Principia", "")
    )
    report = import_books(path=path, now=NOW)
    assert report.also_created["covers"] == 1
    assert (data_folder / "media" / shown("7")["cover"].name).is_file()
    assert shown("8")["cover"].name == ""
    again = import_books(path=path, now=NOW)
    assert counts(again) == (0, 0, 2, 0)
    assert "covers" not in again.also_created


@pytest.mark.django_db
def test_covers_without_folder_are_skipped_with_a_warning(tmp_path):
    path = write_csv(tmp_path / "books.csv", "id,title,cover", ("7", "Optics", "a.png"))
    report = import_books(path=path, strict=True, now=NOW)
    assert report.warnings == ["Skipped covers: 1. Specify their folder with --covers."]
    assert shown("7")["cover"].name == ""


@both_databases
def test_recordings_beside_the_file_are_stored_unchanged(database, tmp_path, data_folder):
    content = write_recording(tmp_path / "audio" / "a.ogg").read_bytes()
    path = write_csv(
        tmp_path / "books.csv", "id,title,audio", ("7", "Optics", "a.ogg"), ("8", "Principia", "")
    )
    report = import_books(path=path, now=NOW)
    assert report.also_created["recordings"] == 1
    name = shown("7")["audio"].name
    assert name.startswith("audio/")
    assert name.endswith(".ogg")
    assert (data_folder / "media" / name).read_bytes() == content
    assert shown("8")["audio"].name == ""
    again = import_books(path=path, now=NOW)
    assert counts(again) == (0, 0, 2, 0)
    assert "recordings" not in again.also_created
    write_csv(path, "id,title,audio", ("7", "Optics", ""))
    assert counts(import_books(path=path, now=NOW)) == (0, 1, 0, 0)
    assert shown("7")["audio"].name == ""


@pytest.mark.django_db
def test_recordings_need_a_folder(tmp_path):
    write_recording(tmp_path / "sounds" / "a.wav")
    path = write_csv(tmp_path / "books.csv", "id,title,audio", ("7", "Optics", "a.wav"))
    report = import_books(path=path, strict=True, now=NOW)
    assert report.warnings == ["Skipped recordings: 1. Specify their folder with --audio."]
    assert shown("7")["audio"].name == ""
    assert import_books(path=path, audio=tmp_path / "sounds", now=NOW).warnings == []
    assert shown("7")["audio"].name.endswith(".wav")


@both_databases
def test_dry_run_reports_and_imports_nothing(database, tmp_path, data_folder):
    write_image(tmp_path / "covers" / "a.png")
    write_recording(tmp_path / "audio" / "a.wav")
    make_book(control_number="7", title="Old title")
    path = write_csv(tmp_path / "books.csv", HEADER, OPTICS, ("8", "Principia", *[""] * 8, "a.png", "a.wav"))
    report = import_books(path=path, dry_run=True, now=NOW)
    assert counts(report) == (1, 1, 0, 0)
    assert report.also_created == {"categories": 1, "copies": 1, "covers": 1, "recordings": 1}
    assert list(Book.objects.values_list("title", flat=True)) == ["Old title"]
    assert Category.objects.count() == Copy.objects.count() == 0
    assert not (data_folder / "media").exists()
