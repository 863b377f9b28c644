"""Bad input to the import of books: problems are reported, and with strict nothing is imported."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from library.catalogue.importing.books import import_books
from library.catalogue.importing.file_store import NoFolderError
from library.catalogue.models import Book, Category, Copy
from library.errors import LibraryError
from library.tabular import ImportRefusedError, UnusableFileError
from tests.databases import both_databases, rolled_back
from tests.factories import NOW, make_book
from tests.files import write_csv, write_image, write_recording

HEADER = "id,title,year,isbn,language,category,cover,audio"
GOOD = ("1", "Good", "1999", "9780486602059", "en", "500", "good.png", "good.flac")

#: Invalid values: column, value, message.
BAD_VALUES = [
    ("year", "19xx", '"19xx" is not a year from 1 to 2029. The value is skipped.'),
    ("year", "0", '"0" is not a year from 1 to 2029. The value is skipped.'),
    ("year", "19999", '"19999" is not a year from 1 to 2029. The value is skipped.'),
    ("year", "-44", '"-44" is not a year from 1 to 2029. The value is skipped.'),
    ("year", "2030", '"2030" is not a year from 1 to 2029. The value is skipped.'),
    ("year", "1e3", '"1e3" is not a year from 1 to 2029. The value is skipped.'),
    (
        "isbn",
        "9780486602050",
        '"9780486602050" is not a valid ISBN (wrong check digit). The value is skipped.',
    ),
    ("isbn", "0486602050", '"0486602050" is not a valid ISBN (wrong check digit). The value is skipped.'),
    ("isbn", "12", '"12" is not a valid ISBN. The value is skipped.'),
    ("isbn", "4006381333931", '"4006381333931" is not a valid ISBN. The value is skipped.'),
    (
        "language",
        "English and Latin",
        ('"English and Latin" is not a language code such as en or zh-hans. The value is skipped.'),
    ),
    ("category", "5" * 201, f'"{"5" * 59}…" is longer than 200 characters. The value is skipped.'),
    ("cover", "missing.png", "The covers folder has no such file. File skipped."),
    ("cover", "empty.png", "The cover is an empty file. File skipped."),
    (
        "cover",
        "text.png",
        (
            "The cover is not in a supported image format (JPEG, PNG, GIF, WEBP, BMP). Save it "
            "as JPEG or PNG. File skipped."
        ),
    ),
    ("cover", "../../etc/passwd", "The cover is outside the covers folder. File skipped."),
    ("audio", "missing.wav", "The recordings folder has no such file. File skipped."),
    ("audio", "empty.wav", "The recording is an empty file. File skipped."),
    ("audio", "text.wav", "The recording is not a WAV, FLAC or OGG file. File skipped."),
    ("audio", "../covers/good.png", "The recording is outside the recordings folder. File skipped."),
    ("title", "x" * 1001, "The text has 1,001 characters. It is truncated to 1,000."),
]

#: Invalid rows: column, row, message.
BAD_ROWS = [
    ("id", ("", "Bad", *[""] * 6), "Missing id. Row skipped."),
    (
        "id",
        ("9" * 101, "Bad", *[""] * 6),
        f'"{"9" * 59}…" is longer than 100 characters. Row skipped.',
    ),
    ("title", ("2", " \x07", *[""] * 6), "Missing title. Row skipped."),
    ("", ("2", "Bad"), "Too few fields: 2 for 8 columns. Row skipped."),
    ("", ("2", "Bad", *[""] * 7), "Too many fields: 9 for 8 columns. Row skipped."),
    ("", ("2", "B\0d", *[""] * 6), "The row contains a NUL byte. Row skipped."),
]


def row_with(column, value, row=("2", "Bad", *[""] * 6)):
    index = HEADER.split(",").index(column)
    return (*row[:index], value, *row[index + 1 :])


def stored_files(data_folder):
    return [path for path in (data_folder / "media").rglob("*") if path.is_file()]


@pytest.fixture
def covers(tmp_path):
    write_image(tmp_path / "covers" / "good.png")
    (tmp_path / "covers" / "empty.png").touch()
    (tmp_path / "covers" / "text.png").write_text("no image")
    write_recording(tmp_path / "audio" / "good.flac")
    (tmp_path / "audio" / "empty.wav").touch()
    (tmp_path / "audio" / "text.wav").write_text("no recording")
    return tmp_path / "covers"


def problems(report):
    return [(problem.file, problem.row, problem.column, problem.message) for problem in report.problems]


@both_databases
@pytest.mark.parametrize(("column", "value", "message"), BAD_VALUES)
def test_bad_value_is_skipped_and_reported(database, tmp_path, covers, column, value, message):
    path = write_csv(tmp_path / "books.csv", HEADER, row_with(column, value), GOOD)
    report = import_books(path=path, now=NOW)
    assert problems(report) == [("books.csv", 2, column, message)]
    assert (report.created, report.skipped) == (2, 0)
    book = Book.objects.get(control_number="2")
    assert (book.year, book.isbn, book.language, book.category, book.cover.name) == (None, "", "", None, "")
    assert book.audio.name == ""
    assert book.title == ("x" * 1000 if column == "title" else "Bad")
    good = Book.objects.get(control_number="1")
    assert (good.year, good.isbn, good.category.notation) == (1999, "9780486602059", "500")
    assert good.cover
    assert good.audio


@pytest.mark.django_db
@pytest.mark.parametrize(("column", "value", "message"), BAD_VALUES)
def test_bad_value_leaves_existing_book_unchanged(tmp_path, covers, column, value, message):
    path = write_csv(tmp_path / "books.csv", HEADER, GOOD)
    import_books(path=path, now=NOW)
    before = Book.objects.values().get()
    report = import_books(path=write_csv(path, HEADER, row_with(column, value, GOOD)), now=NOW)
    assert problems(report) == [("books.csv", 2, column, message)]
    assert Book.objects.values().get() == before | ({"title": "x" * 1000} if column == "title" else {})


@pytest.mark.django_db
def test_long_description_is_truncated_and_reported(tmp_path):
    path = write_csv(tmp_path / "books.csv", "id,title,description", ("1", "Long", "<p>word, " * 100_000))
    report = import_books(path=path, now=NOW)
    message = "The text has 899,999 characters. It is truncated to 100,000."
    assert problems(report) == [("books.csv", 2, "description", message)]
    assert len(Book.objects.get().description) == 100_000


@pytest.mark.django_db
def test_row_that_is_too_long_is_skipped_and_reported(tmp_path):
    rows = [("1", "Long", "word, " * 300_000), ("2", "Good", "")]
    report = import_books(path=write_csv(tmp_path / "books.csv", "id,title,description", *rows), now=NOW)
    message = "The row is longer than 1,000,000 characters. Row skipped."
    assert problems(report) == [("books.csv", 2, "", message)]
    assert Book.objects.get().title == "Good"


@both_databases
@pytest.mark.parametrize(("column", "row", "message"), BAD_ROWS)
def test_bad_row_is_skipped_and_reported(database, tmp_path, covers, column, row, message):
    path = write_csv(tmp_path / "books.csv", HEADER, row, GOOD)
    report = import_books(path=path, now=NOW)
    assert problems(report) == [("books.csv", 2, column, message)]
    assert (report.created, report.skipped) == (1, 1)
    assert Book.objects.get().control_number == "1"


@both_databases
@pytest.mark.parametrize(
    ("column", "row", "message"),
    [(column, row_with(column, value), message) for column, value, message in BAD_VALUES] + BAD_ROWS,
)
def test_strict_import_keeps_not_even_a_cover(database, tmp_path, covers, data_folder, column, row, message):
    book = make_book(control_number="1", title="As it was")
    path = write_csv(tmp_path / "books.csv", HEADER, GOOD, row)
    with pytest.raises(ImportRefusedError) as refusal:
        import_books(path=path, strict=True, now=NOW)
    assert refusal.value.message == (
        "Nothing was imported: books.csv has 1 problem. Fix them, or run without --strict."
    )
    assert refusal.value.extra["problems"] == [
        {"file": "books.csv", "row": 3, "column": column, "message": message}
    ]
    assert list(Book.objects.values_list("pk", "title")) == [(book.pk, "As it was")]
    assert Category.objects.count() == Copy.objects.count() == 0
    assert stored_files(data_folder) == []


@pytest.mark.django_db
def test_refused_import_keeps_existing_files(tmp_path, covers, data_folder):
    path = write_csv(tmp_path / "books.csv", HEADER, GOOD)
    import_books(path=path, now=NOW)
    write_image(covers / "other.png", colour=(255, 0, 0))
    write_csv(
        path, HEADER, GOOD, ("2", "New", "", "", "", "", "other.png", ""), ("3", "Bad", "19xx", *[""] * 5)
    )
    with pytest.raises(ImportRefusedError):
        import_books(path=path, strict=True, now=NOW)
    book = Book.objects.get()
    assert set(stored_files(data_folder)) == {
        data_folder / "media" / name for name in (book.cover.name, book.audio.name)
    }


@both_databases
def test_late_unusable_line_rolls_back_all(database, tmp_path, covers, data_folder, monkeypatch):
    monkeypatch.setattr("library.catalogue.importing.books.ROWS_PER_BATCH", 1)
    path = write_csv(tmp_path / "books.csv", HEADER, GOOD, ("2", "Second", *[""] * 6))
    path.write_bytes(path.read_bytes() + b"3,\xff,,,,,,\n")
    with pytest.raises(UnusableFileError, match=r"books\.csv, line 4: invalid UTF-8"):
        import_books(path=path, now=NOW)
    assert Book.objects.count() == Category.objects.count() == 0
    assert stored_files(data_folder) == []


@both_databases
def test_broken_quote_rolls_back_all(database, tmp_path, covers, data_folder, monkeypatch):
    monkeypatch.setattr("library.catalogue.importing.books.ROWS_PER_BATCH", 1)
    path = write_csv(tmp_path / "books.csv", HEADER, GOOD)
    path.write_bytes(path.read_bytes() + b'2,"Open,,,,,,\n3,Third,,,,,,\n')
    with pytest.raises(UnusableFileError, match="line 3: The quote that opens in column title") as refusal:
        import_books(path=path, now=NOW)
    assert refusal.value.extra == {"file": "books.csv", "row": 3, "column": "title"}
    assert Book.objects.count() == Category.objects.count() == 0
    assert stored_files(data_folder) == []


@pytest.mark.django_db
def test_file_with_only_bad_rows_is_refused(tmp_path):
    path = write_csv(tmp_path / "books.csv", "id,title", ("", "x"), ("2", ""))
    with pytest.raises(ImportRefusedError, match=r"no usable rows \(2 problems\)"):
        import_books(path=path, now=NOW)


@pytest.mark.django_db
def test_file_without_rows_gets_a_warning(tmp_path):
    report = import_books(path=write_csv(tmp_path / "books.csv", HEADER), strict=True, now=NOW)
    assert report.warnings == ["books.csv has no data rows."]
    assert Book.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize(("option", "noun"), [("covers", "covers"), ("audio", "recordings")])
def test_missing_folder_is_reported(tmp_path, option, noun):
    path = write_csv(tmp_path / "books.csv", HEADER, GOOD)
    with pytest.raises(NoFolderError, match=f"There is no {noun} folder"):
        import_books(path=path, **{option: tmp_path / "nowhere"}, now=NOW)
    assert Book.objects.count() == 0


@pytest.mark.django_db
@settings(max_examples=50)
@given(
    st.one_of(st.binary(max_size=300), st.text('123,"\n\r\0éxX-9', max_size=200).map(str.encode)),
    st.booleans(),
)
def test_arbitrary_bytes_raise_only_library_errors(tmp_path_factory, content, strict):
    path = tmp_path_factory.mktemp("bytes") / "books.csv"
    path.write_bytes(b"id,title,year,isbn,category\n" + content)
    with rolled_back():
        try:
            report = import_books(path=path, strict=strict, now=NOW)
        except LibraryError:
            assert Book.objects.count() == 0
        else:
            assert Book.objects.count() == report.created
            assert not (strict and report.problems)
