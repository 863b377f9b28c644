"""Bad input to the loan import: valid rows are kept and problems reported; strict imports keep nothing."""

import pytest
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from library.catalogue.models import Copy
from library.circulation.importing.loans import import_loans
from library.circulation.models import Loan
from library.errors import LibraryError
from library.people.models import Borrower
from library.tabular import ImportRefusedError, UnusableFileError
from tests.databases import both_databases, rolled_back
from tests.factories import NOW, make_book, make_copy
from tests.files import write_csv

HEADER = "borrower,book,borrowed_at,returned_at,due_at,renewals"
GOOD = ("P1", "7", "2024-01-01", "2024-01-02", "2024-01-29", "0")
SPAN = "is not between 1900-01-01 and 2024-06-02."

#: Values that skip their row: column, value, message.
BAD_ROWS = [
    ("book", "8", 'No book has the control number "8". Import the books first.'),
    ("book", "", "A value is required."),
    ("borrower", " ", "A value is required."),
    ("borrower", "9" * 101, f'"{"9" * 59}…" is longer than 100 characters.'),
    ("borrowed_at", "", '"" is not a valid date. Use ISO 8601, such as 2024-05-31 or 2024-05-31T14:30:00Z.'),
    (
        "borrowed_at",
        "2023-02-29",
        ('"2023-02-29" is not a valid date. Use ISO 8601, such as 2024-05-31 or 2024-05-31T14:30:00Z.'),
    ),
    (
        "borrowed_at",
        "31.12.2023",
        ('"31.12.2023" is not a valid date. Use ISO 8601, such as 2024-05-31 or 2024-05-31T14:30:00Z.'),
    ),
    ("borrowed_at", "2024-06-03", f'"2024-06-03" {SPAN}'),
    ("borrowed_at", "2204-01-01", f'"2204-01-01" {SPAN}'),
    ("borrowed_at", "0001-01-01", f'"0001-01-01" {SPAN}'),
    (
        "borrowed_at",
        "0001-01-01T00:00+14:00",
        (
            '"0001-01-01T00:00+14:00" is not a valid date. Use ISO 8601, such as 2024-05-31 or '
            "2024-05-31T14:30:00Z."
        ),
    ),
    ("returned_at", "2023-12-31", "The return time 2023-12-31 00:00 is before the checkout time."),
    (
        "returned_at",
        "2024-01-32",
        ('"2024-01-32" is not a valid date. Use ISO 8601, such as 2024-05-31 or 2024-05-31T14:30:00Z.'),
    ),
    ("returned_at", "2024-07-01", f'"2024-07-01" {SPAN}'),
]

#: Values that are ignored: column, value, message.
BAD_VALUES = [
    (
        "due_at",
        "2023-12-31",
        (
            '"2023-12-31" is before the checkout time. For a new loan, the due date is set to 28 days '
            "after checkout."
        ),
    ),
    (
        "due_at",
        "soon",
        (
            '"soon" is not a valid date. Use ISO 8601, such as 2024-05-31 or '
            "2024-05-31T14:30:00Z. For a new loan, the due date is set to 28 days after checkout."
        ),
    ),
    (
        "due_at",
        "9999-12-31",
        (
            '"9999-12-31" is not between 1900-01-01 and 2034-01-03. For a new loan, the due date '
            "is set to 28 days after checkout."
        ),
    ),
    ("renewals", "-1", '"-1" is not a whole number from 0 to 32,767. The value is skipped.'),
    ("renewals", "1.5", '"1.5" is not a whole number from 0 to 32,767. The value is skipped.'),
    ("renewals", "32768", '"32768" is not a whole number from 0 to 32,767. The value is skipped.'),
    ("renewals", "many", '"many" is not a whole number from 0 to 32,767. The value is skipped.'),
]


def row_with(column, value):
    row = ("P2", "7", "2024-01-03", "2024-01-04", "2024-01-31", "0")
    index = HEADER.split(",").index(column)
    return (*row[:index], value, *row[index + 1 :])


def make_shelf():
    make_copy(barcode="7", book=make_book(control_number="7"))


def problems_of(report):
    return [(problem.file, problem.row, problem.column, problem.message) for problem in report.problems]


@both_databases
@pytest.mark.parametrize(("column", "value", "message"), BAD_ROWS)
def test_invalid_row_is_skipped_and_reported(database, tmp_path, column, value, message):
    make_shelf()
    path = write_csv(tmp_path / "loans.csv", HEADER, row_with(column, value), GOOD)
    report = import_loans(path=path, now=NOW)
    assert problems_of(report) == [("loans.csv", 2, column, f"{message} Row skipped.")]
    assert (report.created, report.skipped) == (1, 1)
    assert Loan.objects.get().borrower.card_number == "P1"
    # A skipped loan creates no borrower.
    assert Borrower.objects.count() == 1


@both_databases
@pytest.mark.parametrize(("column", "value", "message"), BAD_VALUES)
def test_invalid_value_is_ignored_and_reported(database, tmp_path, column, value, message):
    make_shelf()
    path = write_csv(tmp_path / "loans.csv", HEADER, row_with(column, value), GOOD)
    report = import_loans(path=path, now=NOW)
    assert problems_of(report) == [("loans.csv", 2, column, message)]
    assert (report.created, report.skipped) == (2, 0)
    loan = Loan.objects.get(borrower__card_number="P2")
    assert (loan.due_at - loan.borrowed_at).days == 28
    assert loan.renewals == 0


@both_databases
@pytest.mark.parametrize(("column", "value", "message"), BAD_ROWS + BAD_VALUES)
def test_strict_import_keeps_nothing_on_problems(database, tmp_path, column, value, message):
    make_shelf()
    path = write_csv(tmp_path / "loans.csv", HEADER, GOOD, row_with(column, value))
    with pytest.raises(ImportRefusedError) as refusal:
        import_loans(path=path, strict=True, now=NOW)
    (problem,) = refusal.value.extra["problems"]
    assert (problem["row"], problem["column"]) == (3, column)
    assert Loan.objects.count() == Borrower.objects.count() == 0
    assert Copy.objects.count() == 1


@pytest.mark.django_db
def test_each_row_of_an_unknown_book_is_reported(tmp_path):
    make_shelf()
    rows = [("P1", "8", "2024-01-01"), ("P1", "7", "2024-01-01"), ("P1", "8", "2024-01-01")]
    report = import_loans(path=write_csv(tmp_path / "loans.csv", "borrower,book,borrowed_at", *rows), now=NOW)
    assert [(problem.row, problem.column) for problem in report.problems] == [(2, "book"), (4, "book")]
    assert (report.created, report.skipped) == (1, 2)


@pytest.mark.django_db
def test_loans_without_books_are_refused(tmp_path):
    path = write_csv(tmp_path / "loans.csv", "borrower,book,borrowed_at", ("P1", "7", "2024-01-01"))
    with pytest.raises(ImportRefusedError, match=r"has no usable rows \(1 problem\)"):
        import_loans(path=path, now=NOW)


@pytest.mark.parametrize("header", [HEADER, "borrower,book,borrowed_at"])
@pytest.mark.django_db
def test_empty_file_is_imported_with_a_warning(tmp_path, header):
    report = import_loans(path=write_csv(tmp_path / "loans.csv", header), now=NOW)
    assert report.warnings[0] == "loans.csv has no data rows."


@pytest.mark.parametrize("missing", ["borrower", "book", "borrowed_at"])
@pytest.mark.django_db
def test_missing_required_column_is_refused(tmp_path, missing):
    header = ",".join(name for name in HEADER.split(",") if name != missing)
    with pytest.raises(UnusableFileError, match=f"required columns are missing: {missing};"):
        import_loans(path=write_csv(tmp_path / "loans.csv", header, GOOD[1:]), now=NOW)


@pytest.mark.django_db
@settings(max_examples=50)
@given(st.text('P7,"\n\r\0é0124-T:Z', max_size=200), st.sampled_from([HEADER, "borrower,book,borrowed_at"]))
def test_random_text_raises_only_library_errors(tmp_path_factory, content, header):
    path = tmp_path_factory.mktemp("text") / "loans.csv"
    path.write_text(f"{header}\nP1,7,2024-01-01{',' * (header.count(',') - 2)}\n{content}", newline="")
    with rolled_back():
        make_shelf()
        try:
            report = import_loans(path=path, now=NOW)
        except LibraryError:
            assert Loan.objects.count() == 0
        else:
            assert Loan.objects.count() == report.created >= 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("book", "8", '没有控制号为 "8" 的图书。请先导入图书。 已跳过该行。'),
        ("book", "", "必须填写。 已跳过该行。"),
        ("borrower", "9" * 101, f'"{"9" * 59}…" 超过 100 个字符。 已跳过该行。'),
        (
            "borrowed_at",
            "soon",
            '"soon" 不是有效日期。请使用 ISO 8601 格式，如 2024-05-31 或 2024-05-31T14:30:00Z。 已跳过该行。',
        ),
        ("borrowed_at", "2024-06-03", '"2024-06-03" 不在 1900-01-01 至 2024-06-02 之间。 已跳过该行。'),
        ("returned_at", "2023-12-31", "归还时间 2023-12-31 00:00 早于借出时间。 已跳过该行。"),
        ("due_at", "2023-12-31", '"2023-12-31" 早于借出时间。 如为新增借阅，应还日期按借出后 28 天计算。'),
        ("renewals", "many", '"many" 不是 0 至 32,767 之间的整数，已跳过该值。'),
    ],
)
def test_problems_are_translated(tmp_path, column, value, message):
    make_shelf()
    path = write_csv(tmp_path / "loans.csv", HEADER, row_with(column, value), GOOD)
    with translation.override("zh-hans"):
        report = import_loans(path=path, now=NOW)
    assert problems_of(report) == [("loans.csv", 2, column, message)]


@pytest.mark.django_db
def test_file_warnings_are_translated(tmp_path):
    path = write_csv(tmp_path / "loans.csv", "borrower,book,borrowed_at")
    with translation.override("zh-hans"):
        assert import_loans(path=path, now=NOW).warnings == [
            "loans.csv 没有数据行。",
            "loans.csv 没有 returned_at 列。每次借阅视为在应还日期归还；若该书在此之前再次借出，"
            "则视为在再次借出时归还。每种图书的最后一次借阅在应还日期之前视为未还。",
        ]
