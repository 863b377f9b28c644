import csv
import gzip
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from library.catalogue.importing.books import import_books
from library.catalogue.models import Book, Category, Copy
from library.tabular import clean_line, clean_text
from tests.databases import both_databases, in_thread, on_postgresql, undone, wait_until_blocked
from tests.factories import NOW, make_book, make_category, make_copy
from tests.files import write_csv, write_image, write_recording

HEADER = "id,title,subtitle,authors,publisher,year,language,isbn,description,category,cover,audio"
FIELDS = [column for column in HEADER.split(",") if column not in ("id", "category")]
OPTICS = (
    "7",
    "Optics",
    "A treatise",
    "Newton, Isaac",
    "Dover",
    "1952",
    "EN",
    "0-486-60205-2",
    "Of light.",
    "535",
    "",
    "",
)


def shown(control_number):
    """What is kept of a book, by column."""
    book = Book.objects.select_related("category").get(control_number=control_number)
    row = {field: getattr(book, field) for field in FIELDS}
    return row | {"category": book.category and book.category.notation, "source": book.category_source}


def counts(report):
    return report.created, report.updated, report.unchanged, report.skipped


@both_databases
def test_a_new_book_is_kept_with_its_category_and_a_copy(database, tmp_path):
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
    assert report.made == {"categories": 1, "copies": 1}
    assert report.problems == []
    assert report.warnings == []


@both_databases
def test_importing_again_changes_nothing_and_a_changed_row_changes_its_book(database, tmp_path):
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
def test_a_blank_cell_clears_a_value_and_a_missing_column_leaves_it(tmp_path):
    import_books(path=write_csv(tmp_path / "books.csv", HEADER, OPTICS), now=NOW)
    path = write_csv(
        tmp_path / "books.csv", "id,title,year,isbn,category,cover", ("7", "Optics", "", "", "", "")
    )
    assert counts(import_books(path=path, now=NOW)) == (0, 1, 0, 0)
    kept = shown("7")
    assert (kept["year"], kept["isbn"]) == (None, "")
    assert (kept["subtitle"], kept["description"]) == ("A treatise", "Of light.")
    # A blank category says that the file knows none, not that there is none.
    assert (kept["category"], kept["source"]) == ("535", "imported")


@pytest.mark.django_db
def test_known_books_can_be_updated_without_a_title_column(tmp_path):
    make_book(control_number="7", title="Optics", year=1952)
    path = write_csv(tmp_path / "books.csv", "id,year", ("7", "1704"), ("8", "1687"))
    report = import_books(path=path, now=NOW)
    assert (shown("7")["title"], shown("7")["year"]) == ("Optics", 1704)
    assert counts(report) == (0, 1, 0, 1)
    assert [(problem.row, problem.column) for problem in report.problems] == [(3, "title")]


@both_databases
def test_a_category_set_by_a_librarian_is_only_overwritten_on_demand(database, tmp_path):
    make_book(control_number="7", category=make_category(notation="500"))
    path = write_csv(tmp_path / "books.csv", "id,title,category", ("7", "Optics", "535"))
    report = import_books(path=path, now=NOW)
    assert (shown("7")["title"], shown("7")["category"], shown("7")["source"]) == (
        "Optics",
        "500",
        "librarian",
    )
    assert report.warnings == [
        "1 categories set by a librarian were left as they are; --overwrite-categories replaces them."
    ]
    report = import_books(path=path, overwrite_categories=True, now=NOW)
    assert (shown("7")["category"], shown("7")["source"]) == ("535", "imported")
    assert counts(report) == (0, 1, 0, 0)


@pytest.mark.django_db
def test_a_librarian_who_agrees_with_the_file_stays_the_source(tmp_path):
    make_book(control_number="7", title="Optics", category=make_category(notation="535"))
    path = write_csv(tmp_path / "books.csv", "id,title,category", ("7", "Optics", "535"))
    report = import_books(path=path, overwrite_categories=True, now=NOW)
    assert shown("7")["source"] == "librarian"
    assert counts(report) == (0, 0, 1, 0)
    assert report.warnings == []


@pytest.mark.django_db
def test_what_the_model_guessed_gives_way_to_what_the_file_knows(tmp_path):
    make_book(
        control_number="7", title="Optics", category=make_category(notation="535"), category_source="model"
    )
    path = write_csv(tmp_path / "books.csv", "id,title,category", ("7", "Optics", "535"))
    assert counts(import_books(path=path, now=NOW)) == (0, 1, 0, 0)
    assert shown("7")["source"] == "imported"


@pytest.mark.django_db
def test_categories_are_of_the_scheme_that_is_named(tmp_path):
    make_category(notation="535", scheme="local")
    path = write_csv(tmp_path / "books.csv", HEADER, OPTICS)
    report = import_books(path=path, scheme="ddc", now=NOW)
    assert report.made["categories"] == 1
    assert Book.objects.get().category.scheme == "ddc"
    assert counts(import_books(path=path, scheme="ddc", now=NOW)) == (0, 0, 1, 0)


@pytest.mark.django_db
def test_a_barcode_that_is_taken_is_not_given_twice(tmp_path):
    other = make_copy(barcode="7").book
    import_books(path=write_csv(tmp_path / "books.csv", HEADER, OPTICS), now=NOW)
    assert dict(Copy.objects.values_list("barcode", "book__control_number")) == {
        "7": other.control_number,
        "7-2": "7",
    }


@pytest.mark.django_db
def test_text_is_cleaned_before_it_is_kept(tmp_path):
    path = write_csv(
        tmp_path / "books.csv",
        "id,title,description",
        (" 7\t", "The  old\u3000man\x07\nand the sea ", "One\r\nCafe\u0301\x1b"),
    )
    import_books(path=path, now=NOW)
    assert (shown("7")["title"], shown("7")["description"]) == ("The old man and the sea", "One\nCafé")


@both_databases
def test_covers_beside_the_file_are_found_and_kept(database, tmp_path, data_folder):
    write_image(tmp_path / "covers" / "a.png")
    path = write_csv(
        tmp_path / "books.csv", "id,title,cover", ("7", "Optics", "a.png"), ("8", "Principia", "")
    )
    report = import_books(path=path, now=NOW)
    assert report.made["covers"] == 1
    assert (data_folder / "media" / shown("7")["cover"].name).is_file()
    assert shown("8")["cover"].name == ""
    again = import_books(path=path, now=NOW)
    assert counts(again) == (0, 0, 2, 0)
    assert "covers" not in again.made


@pytest.mark.django_db
def test_cover_names_without_a_folder_are_passed_over_with_a_warning(tmp_path):
    path = write_csv(tmp_path / "books.csv", "id,title,cover", ("7", "Optics", "a.png"))
    report = import_books(path=path, strict=True, now=NOW)
    assert report.warnings == ["1 covers were passed over: name their folder with --covers."]
    assert shown("7")["cover"].name == ""


@both_databases
def test_recordings_beside_the_file_are_kept_as_they_came(database, tmp_path, data_folder):
    content = write_recording(tmp_path / "audio" / "a.ogg").read_bytes()
    path = write_csv(
        tmp_path / "books.csv", "id,title,audio", ("7", "Optics", "a.ogg"), ("8", "Principia", "")
    )
    report = import_books(path=path, now=NOW)
    assert report.made["recordings"] == 1
    name = shown("7")["audio"].name
    assert name.startswith("audio/")
    assert name.endswith(".ogg")
    assert (data_folder / "media" / name).read_bytes() == content
    assert shown("8")["audio"].name == ""
    again = import_books(path=path, now=NOW)
    assert counts(again) == (0, 0, 2, 0)
    assert "recordings" not in again.made
    write_csv(path, "id,title,audio", ("7", "Optics", ""))
    assert counts(import_books(path=path, now=NOW)) == (0, 1, 0, 0)
    assert shown("7")["audio"].name == ""


@pytest.mark.django_db
def test_recordings_without_a_folder_are_passed_over_and_taken_from_one_that_is_named(tmp_path):
    write_recording(tmp_path / "sounds" / "a.wav")
    path = write_csv(tmp_path / "books.csv", "id,title,audio", ("7", "Optics", "a.wav"))
    report = import_books(path=path, strict=True, now=NOW)
    assert report.warnings == ["1 recordings were passed over: name their folder with --audio."]
    assert shown("7")["audio"].name == ""
    assert import_books(path=path, audio=tmp_path / "sounds", now=NOW).warnings == []
    assert shown("7")["audio"].name.endswith(".wav")


@both_databases
def test_a_dry_run_reports_all_and_keeps_nothing(database, tmp_path, data_folder):
    write_image(tmp_path / "covers" / "a.png")
    write_recording(tmp_path / "audio" / "a.wav")
    make_book(control_number="7", title="Old title")
    path = write_csv(tmp_path / "books.csv", HEADER, OPTICS, ("8", "Principia", *[""] * 8, "a.png", "a.wav"))
    report = import_books(path=path, dry_run=True, now=NOW)
    assert counts(report) == (1, 1, 0, 0)
    assert report.made == {"categories": 1, "copies": 1, "covers": 1, "recordings": 1}
    assert list(Book.objects.values_list("title", flat=True)) == ["Old title"]
    assert Category.objects.count() == Copy.objects.count() == 0
    assert not (data_folder / "media").exists()


@pytest.mark.django_db
def test_a_file_of_many_batches_is_imported_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("library.catalogue.importing.books.BATCH", 3)
    rows = [(f"{number}", f"Title {number}", f"{number % 3}") for number in range(20)]
    path = write_csv(tmp_path / "books.csv", "id,title,category", *rows)
    assert counts(import_books(path=path, now=NOW)) == (20, 0, 0, 0)
    assert set(Book.objects.values_list("control_number", "title", "category__notation")) == set(rows)
    assert counts(import_books(path=path, now=NOW)) == (0, 0, 20, 0)


@pytest.mark.parametrize("batch", [1, 2, 100])
@pytest.mark.django_db
def test_of_two_rows_with_one_id_the_last_counts_however_far_apart(tmp_path, monkeypatch, batch):
    monkeypatch.setattr("library.catalogue.importing.books.BATCH", batch)
    make_book(control_number="8", title="Principia", year=1687)
    path = write_csv(
        tmp_path / "books.csv",
        "id,title,year",
        ("7", "First", "1704"),
        ("8", "Principia", "1687"),
        ("7", "Last", ""),
        ("8", "Principia", "1713"),
    )
    report = import_books(path=path, now=NOW)
    assert (shown("7")["title"], shown("7")["year"]) == ("Last", None)
    assert shown("8")["year"] == 1713
    assert counts(report) == (1, 1, 0, 0)
    assert [(problem.row, problem.column, problem.message) for problem in report.problems] == [
        (4, "id", '"7" is on line 2 already; this line is the one that counts.'),
        (5, "id", '"8" is on line 3 already; this line is the one that counts.'),
    ]


@on_postgresql
def test_two_imports_of_one_file_at_the_same_time_keep_each_book_once(database, tmp_path):
    rows = [(f"{number}", f"Title {number}", f"{number % 7}") for number in range(300)]
    path = write_csv(tmp_path / "books.csv", "id,title,category", *rows)
    with ThreadPoolExecutor(2) as threads:
        imports = [in_thread(threads, lambda: import_books(path=path, now=NOW)) for _ in range(2)]
        assert [done.result().problems for done in imports] == [[], []]
    assert Book.objects.count() == 300
    assert set(Copy.objects.values_list("barcode", "book__control_number")) == {
        (row[0], row[0]) for row in rows
    }


@on_postgresql
def test_a_librarian_who_files_a_book_during_an_import_has_the_last_word(database, tmp_path):
    book = make_book(control_number="7", title="Optics")
    path = write_csv(tmp_path / "books.csv", "id,title,category", ("7", "Optics", "535"))
    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            Book.objects.filter(pk=book.pk).update(
                category=make_category(notation="500"), category_source="librarian"
            )
            importing = in_thread(threads, lambda: import_books(path=path, now=NOW))
            wait_until_blocked(importing)
        assert importing.result().updated == 0
    assert (shown("7")["category"], shown("7")["source"]) == ("500", "librarian")


def write_books(folder: Path, rows, *, pack=False) -> Path:
    path = folder / "books.csv"
    with (gzip.open if pack else open)(path, "wt", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("id", "title", "description", "category"), *rows])
    return path


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
ROWS = st.lists(
    st.tuples(st.sampled_from("abcdef"), TEXT, TEXT, TEXT), max_size=8, unique_by=lambda row: row[0]
)


@pytest.mark.django_db
@settings(max_examples=40)
@given(rows=ROWS, pack=st.booleans())
def test_any_text_comes_out_as_it_went_in_and_a_second_import_changes_nothing(rows, pack):
    rows = [(number, title or "?", *rest) for number, title, *rest in rows if clean_line(title)]
    with undone(), tempfile.TemporaryDirectory() as folder:
        path = write_books(Path(folder), rows, pack=pack)
        report = import_books(path=path, now=NOW)
        assert report.problems == []
        kept = Book.objects.values_list("control_number", "title", "description", "category__notation")
        expected = {(n, clean_line(t), clean_text(d), clean_line(c) or None) for n, t, d, c in rows}
        assert set(kept) == expected
        assert counts(import_books(path=path, now=NOW)) == (0, 0, len(rows), 0)
        assert set(kept.all()) == expected
        assert Copy.objects.count() == len(rows)


@pytest.mark.django_db
@settings(max_examples=40)
@given(rows=ROWS, batch=st.integers(1, 4))
def test_batches_make_no_difference(rows, batch):
    rows = [(number, title or "?", *rest) for number, title, *rest in rows if clean_line(title)]
    outcomes = []
    for size in (batch, 100):
        with undone(), tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            patch.setattr("library.catalogue.importing.books.BATCH", size)
            report = import_books(path=write_books(Path(folder), rows), now=NOW)
            books = Book.objects.values_list("control_number", "title", "description", "category__notation")
            outcomes.append((report.as_dict(), set(books)))
    assert outcomes[0] == outcomes[1]
