"""Import of books in batches, concurrently, and with arbitrary text."""

import csv
import gzip
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from library.catalogue.importing.books import import_books
from library.catalogue.models import Book, Copy
from library.tabular import clean_line, clean_text
from tests.databases import in_thread, on_postgresql, rolled_back, wait_until_blocked
from tests.factories import NOW, make_book, make_category
from tests.files import write_csv
from tests.library.catalogue.importing.books import counts, shown


@pytest.mark.django_db
def test_many_batches_are_imported(tmp_path, monkeypatch):
    monkeypatch.setattr("library.catalogue.importing.books.ROWS_PER_BATCH", 3)
    rows = [(f"{number}", f"Title {number}", f"{number % 3}") for number in range(20)]
    path = write_csv(tmp_path / "books.csv", "id,title,category", *rows)
    assert counts(import_books(path=path, now=NOW)) == (20, 0, 0, 0)
    assert set(Book.objects.values_list("control_number", "title", "category__notation")) == set(rows)
    assert counts(import_books(path=path, now=NOW)) == (0, 0, 20, 0)


@pytest.mark.parametrize("batch", [1, 2, 100])
@pytest.mark.django_db
def test_last_row_with_an_id_wins(tmp_path, monkeypatch, batch):
    monkeypatch.setattr("library.catalogue.importing.books.ROWS_PER_BATCH", batch)
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
        (4, "id", '"7" duplicates line 2. This line will be used.'),
        (5, "id", '"8" duplicates line 3. This line will be used.'),
    ]


@on_postgresql
def test_concurrent_imports_create_each_book_once(database, tmp_path):
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
def test_librarian_wins_over_concurrent_import(database, tmp_path):
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
def test_any_text_is_imported_and_reimport_changes_nothing(rows, pack):
    rows = [(number, title or "?", *rest) for number, title, *rest in rows if clean_line(title)]
    with rolled_back(), tempfile.TemporaryDirectory() as folder:
        path = write_books(Path(folder), rows, pack=pack)
        report = import_books(path=path, now=NOW)
        assert report.problems == []
        stored = Book.objects.values_list("control_number", "title", "description", "category__notation")
        expected = {(n, clean_line(t), clean_text(d), clean_line(c) or None) for n, t, d, c in rows}
        assert set(stored) == expected
        assert counts(import_books(path=path, now=NOW)) == (0, 0, len(rows), 0)
        assert set(stored.all()) == expected
        assert Copy.objects.count() == len(rows)


@pytest.mark.django_db
@settings(max_examples=40)
@given(rows=ROWS, batch=st.integers(1, 4))
def test_batch_size_does_not_matter(rows, batch):
    rows = [(number, title or "?", *rest) for number, title, *rest in rows if clean_line(title)]
    outcomes = []
    for size in (batch, 100):
        with rolled_back(), tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            patch.setattr("library.catalogue.importing.books.ROWS_PER_BATCH", size)
            report = import_books(path=write_books(Path(folder), rows), now=NOW)
            books = Book.objects.values_list("control_number", "title", "description", "category__notation")
            outcomes.append((report.as_dict(), set(books)))
    assert outcomes[0] == outcomes[1]
