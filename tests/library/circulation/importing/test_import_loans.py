from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from library.catalogue.models import Book, Copy
from library.circulation.importing.loans import import_loans
from library.circulation.models import Loan
from library.people.models import Borrower
from library.tabular import ConcurrentChangeError
from tests.databases import both_databases, in_thread, on_postgresql, wait_until_blocked
from tests.factories import NOW, make_book, make_borrower, make_copy, make_loan
from tests.files import write_csv

HISTORY = "borrower,book,borrowed_at"
FULL = "borrower,book,borrowed_at,returned_at,due_at,renewals"
DAY = timedelta(days=1)


def day(number, month=1):
    return datetime(2024, month, number, tzinfo=UTC)


def stored_loans():
    """Return borrower, barcode, checkout time and return time of all loans."""
    return list(
        Loan.objects.order_by("borrowed_at", "borrower__card_number").values_list(
            "borrower__card_number", "copy__barcode", "borrowed_at", "returned_at"
        )
    )


def counts(report):
    return report.created, report.updated, report.unchanged, report.skipped


@pytest.fixture
def book(request):
    request.getfixturevalue("database" if "database" in request.fixturenames else "db")
    return make_copy(barcode="7", book=make_book(control_number="7")).book


@both_databases
def test_loan_is_imported_as_given(database, book, tmp_path):
    row = ("P1", "7", "2024-01-01T10:00:00Z", "2024-01-20T12:30:00+02:00", "2024-02-01T00:00:00Z", "3")
    report = import_loans(path=write_csv(tmp_path / "loans.csv", FULL, row), now=NOW)
    assert list(Loan.objects.values_list("copy__barcode", "borrower__card_number", "renewals")) == [
        ("7", "P1", 3)
    ]
    loan = Loan.objects.get()
    assert loan.borrowed_at == datetime(2024, 1, 1, 10, tzinfo=UTC)
    assert loan.returned_at == datetime(2024, 1, 20, 10, 30, tzinfo=UTC)
    assert loan.due_at == datetime(2024, 2, 1, tzinfo=UTC)
    assert counts(report) == (1, 0, 0, 0)
    assert report.also_created == {"borrowers": 1}
    assert report.problems == []
    assert report.warnings == []


@pytest.mark.django_db
def test_default_loan_period_is_four_weeks(book, tmp_path):
    import_loans(path=write_csv(tmp_path / "loans.csv", FULL, ("P1", "7", "2024-01-01", "", "", "")), now=NOW)
    loan = Loan.objects.get()
    assert (loan.due_at, loan.returned_at, loan.renewals) == (day(29), None, 0)


@pytest.mark.django_db
def test_time_without_offset_is_local(book, tmp_path, settings):
    settings.TIME_ZONE = "Asia/Shanghai"
    import_loans(path=write_csv(tmp_path / "loans.csv", HISTORY, ("P1", "7", "2024-01-02T03:00")), now=NOW)
    assert Loan.objects.get().borrowed_at == datetime(2024, 1, 1, 19, tzinfo=UTC)


@both_databases
def test_checkout_history_needs_one_copy(database, book, tmp_path):
    path = write_csv(
        tmp_path / "loans.csv",
        HISTORY,
        ("P3", "7", "2024-05-20"),
        ("P1", "7", "2024-01-01"),
        ("P2", "7", "2024-01-10"),
    )
    report = import_loans(path=path, now=NOW)
    assert stored_loans() == [
        ("P1", "7", day(1), day(10)),  # when it was next checked out
        ("P2", "7", day(10), day(10) + 28 * DAY),  # when it was due
        ("P3", "7", day(20, month=5), None),  # not due yet
    ]
    assert report.warnings == [
        (
            "loans.csv has no returned_at column. Each loan is treated as returned on its due "
            "date, or when the book was next checked out if that was earlier; the last loan of a "
            "book stays open until it is due."
        )
    ]
    assert Copy.objects.count() == 1


@both_databases
def test_simultaneous_checkouts_need_one_copy(database, book, tmp_path):
    rows = [(f"P{number}", "7", "2004-01-01T00:00:00Z") for number in range(5)]
    import_loans(path=write_csv(tmp_path / "loans.csv", HISTORY, *rows), now=NOW)
    start = datetime(2004, 1, 1, tzinfo=UTC)
    assert [(card, returned) for card, _, _, returned in stored_loans()] == [
        *((f"P{number}", start) for number in range(4)),
        ("P4", start + 28 * DAY),
    ]
    assert Copy.objects.count() == 1


@both_databases
def test_overlapping_loans_create_copies(database, book, tmp_path):
    path = write_csv(
        tmp_path / "loans.csv",
        "borrower,book,borrowed_at,returned_at",
        ("P1", "7", "2024-01-01", "2024-01-10"),
        ("P2", "7", "2024-01-05", ""),
        ("P3", "7", "2024-01-10", "2024-01-20"),
        ("P4", "7", "2024-01-15", ""),
    )
    report = import_loans(path=path, now=NOW)
    assert stored_loans() == [
        ("P1", "7", day(1), day(10)),
        ("P2", "7-2", day(5), None),
        ("P3", "7", day(10), day(20)),
        ("P4", "7-3", day(15), None),
    ]
    assert report.also_created == {"copies": 2, "borrowers": 4}


@both_databases
def test_imported_loan_avoids_a_copy_on_loan(database, book, tmp_path):
    make_loan(copy=book.copies.get(), borrowed_at=day(1))
    path = write_csv(tmp_path / "loans.csv", FULL, ("P1", "7", "2024-01-05", "", "", ""))
    import_loans(path=path, now=NOW)
    assert [barcode for _, barcode, _, _ in stored_loans()] == ["7", "7-2"]


@both_databases
def test_repeated_rows_are_one_loan(database, book, tmp_path):
    row = ("P1", "7", "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z", "", "1")
    same_moment = ("P1", "7", "2024-01-01T01:00:00+01:00", "2024-01-02T00:00:00Z", "", "1")
    path = write_csv(tmp_path / "loans.csv", FULL, row, same_moment, row)
    report = import_loans(path=path, strict=True, now=NOW)
    assert counts(report) == (1, 0, 0, 0)
    before = list(Loan.objects.values())
    assert counts(import_loans(path=path, now=NOW)) == (0, 0, 1, 0)
    assert list(Loan.objects.values()) == before


@pytest.mark.django_db
def test_conflicting_rows_merge_to_the_latest_values(book, tmp_path):
    path = write_csv(
        tmp_path / "loans.csv",
        FULL,
        ("P1", "7", "2024-01-01", "2024-01-20", "", "1"),
        ("P1", "7", "2024-01-01", "", "2024-02-15", "2"),
    )
    import_loans(path=path, now=NOW)
    assert list(Loan.objects.values_list("returned_at", "due_at", "renewals")) == [
        (day(20), day(15, month=2), 2)
    ]


@both_databases
def test_later_file_closes_open_loan(database, book, tmp_path):
    path = write_csv(tmp_path / "loans.csv", FULL, ("P1", "7", "2024-01-01", "", "", ""))
    import_loans(path=path, now=NOW)
    write_csv(
        path, FULL, ("P1", "7", "2024-01-01", "2024-01-09", "", "1"), ("P2", "7", "2024-01-09", "", "", "")
    )
    assert counts(import_loans(path=path, now=NOW)) == (1, 1, 0, 0)
    assert stored_loans() == [("P1", "7", day(1), day(9)), ("P2", "7", day(9), None)]
    # An older file with less data changes nothing.
    write_csv(path, FULL, ("P1", "7", "2024-01-01", "", "", ""))
    assert counts(import_loans(path=path, now=NOW)) == (0, 0, 1, 0)


@both_databases
def test_longer_history_closes_open_loan(database, book, tmp_path):
    path = write_csv(tmp_path / "loans.csv", HISTORY, ("P1", "7", "2024-01-01"))
    import_loans(path=path, now=day(5))
    assert stored_loans() == [("P1", "7", day(1), None)]
    write_csv(path, HISTORY, ("P1", "7", "2024-01-01"), ("P2", "7", "2024-01-08"))
    assert counts(import_loans(path=path, now=day(9))) == (1, 1, 0, 0)
    assert stored_loans() == [("P1", "7", day(1), day(8)), ("P2", "7", day(8), None)]


@pytest.mark.django_db
def test_history_does_not_override_the_desk(book, tmp_path):
    renewed = make_loan(
        copy=book.copies.get(), borrower=make_borrower(card_number="P1"), borrowed_at=day(1), due_at=NOW + DAY
    )
    second = make_copy(book=book)
    make_loan(copy=second, borrower=make_borrower(card_number="P2"), borrowed_at=day(1), returned_at=day(2))
    path = write_csv(tmp_path / "loans.csv", HISTORY, ("P2", "7", "2024-01-01"))
    assert counts(import_loans(path=path, now=NOW)) == (0, 0, 1, 0)
    write_csv(path, HISTORY, ("P1", "7", "2024-01-01"))
    assert counts(import_loans(path=path, now=NOW)) == (0, 0, 1, 0)
    renewed.refresh_from_db()
    assert (renewed.returned_at, renewed.due_at) == (None, NOW + DAY)
    assert Loan.objects.get(copy=second).returned_at == day(2)


@both_databases
def test_dry_run_reports_and_keeps_nothing(database, book, tmp_path):
    rows = [("P1", "7", "2024-05-30", "", "", ""), ("P2", "7", "2024-05-30", "", "", "")]
    report = import_loans(path=write_csv(tmp_path / "loans.csv", FULL, *rows), dry_run=True, now=NOW)
    assert counts(report) == (2, 0, 0, 0)
    assert report.also_created == {"copies": 1, "borrowers": 2}
    assert (Loan.objects.count(), Borrower.objects.count(), Copy.objects.count()) == (0, 0, 1)


@on_postgresql
def test_concurrent_imports_keep_each_loan_once(database, tmp_path):
    book = make_book(control_number="8")
    rows = [(f"P{number}", "8", f"2024-01-{number + 1:02}") for number in range(20)]
    path = write_csv(tmp_path / "loans.csv", HISTORY, *rows)
    with ThreadPoolExecutor(2) as threads:
        with transaction.atomic():
            Book.objects.select_for_update().get(pk=book.pk)  # blocks both, so that neither finishes first
            imports = [in_thread(threads, lambda: counts(import_loans(path=path, now=NOW))) for _ in range(2)]
            wait_until_blocked(*imports)
        assert sorted(done.result() for done in imports) == [(0, 0, 20, 0), (20, 0, 0, 0)]
    assert Loan.objects.count() == 20
    assert Copy.objects.get().barcode == "8"


@on_postgresql
def test_concurrent_checkout_stops_the_import(database, book, tmp_path):
    path = write_csv(tmp_path / "loans.csv", FULL, ("P1", "7", "2024-05-31", "", "", ""))
    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            make_loan(copy=book.copies.get(), borrowed_at=day(30, month=5))
            importing = in_thread(threads, lambda: import_loans(path=path, now=NOW))
            wait_until_blocked(importing)
        with pytest.raises(ConcurrentChangeError, match="Import the file again"):
            importing.result()
    assert [barcode for _, barcode, _, _ in stored_loans()] == ["7"]
    import_loans(path=path, now=NOW)
    assert [barcode for _, barcode, _, _ in stored_loans()] == ["7", "7-2"]
