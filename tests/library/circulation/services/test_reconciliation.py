import pytest

from library.catalogue.models import Copy
from library.circulation.importing.loans import import_loans
from library.circulation.models import Hold, Loan, LoanEvent
from library.circulation.services.reconciliation import reconcile_copies
from tests.databases import both_databases
from tests.factories import (
    NOW,
    make_book,
    make_borrower,
    make_borrower_category,
    make_branch,
    make_copy,
    make_item_type,
    make_loan,
)
from tests.files import write_csv


def states():
    return list(Copy.objects.order_by("barcode").values_list("status", "checkouts", "renewals"))


def events():
    return [(event.kind, f"{event.occurred_at:%F}") for event in LoanEvent.objects.order_by("occurred_at")]


def copies_with_loans():
    """A copy on its second loan, a returned one, one without loans, and one lost on loan."""
    on_loan, returned, _unused, lost = (make_copy(barcode=name) for name in "1234")
    make_loan(copy=on_loan, returned_at=NOW, renewals=2)
    make_loan(copy=on_loan, borrowed_at=NOW, renewals=1)
    make_loan(copy=returned, returned_at=NOW)
    make_loan(copy=lost, lost_at=NOW)
    Copy.objects.filter(pk=lost.pk).update(status="lost")
    Copy.objects.filter(pk=returned.pk).update(status="on_loan")


@both_databases
def test_copies_match_their_loans(database):
    copies_with_loans()
    reconcile_copies(copy_ids=set(Copy.objects.values_list("pk", flat=True)))
    assert states() == [("on_loan", 2, 3), ("available", 1, 0), ("available", 0, 0), ("lost", 1, 0)]


@pytest.mark.django_db
def test_hold_waits_again_when_its_copy_is_on_loan():
    copy = make_copy(status="on_hold_shelf")
    ready = {"placed_at": NOW, "position": 1, "ready_at": NOW}
    hold = Hold.objects.create(book=copy.book, borrower=make_borrower(), status="ready", copy=copy, **ready)
    reconcile_copies(copy_ids=[copy.pk])
    hold.refresh_from_db()
    assert hold.status == "ready"
    make_loan(copy=copy)
    reconcile_copies(copy_ids=[copy.pk])
    hold.refresh_from_db()
    copy.refresh_from_db()
    assert (hold.status, hold.copy, copy.status) == ("waiting", None, "on_loan")


@both_databases
def test_import_reconciles_copies_and_records_events(database, tmp_path):
    copy = make_copy(book=make_book(control_number="7"), branch=make_branch(), item_type=make_item_type())
    student = make_borrower(card_number="P1", category=make_borrower_category())
    header = "borrower,book,borrowed_at,returned_at,renewals"
    rows = [("P1", "7", "2024-01-01", "2024-01-20", "2"), ("P2", "7", "2024-05-01", "", "1")]
    import_loans(path=write_csv(tmp_path / "loans.csv", header, *rows), now=NOW)
    assert states() == [("on_loan", 2, 3)]
    assert events() == [("checkout", "2024-01-01"), ("checkin", "2024-01-20"), ("checkout", "2024-05-01")]
    for event in LoanEvent.objects.filter(borrower=student):
        assert (event.book, event.copy, event.branch) == (copy.book, copy, copy.branch)
        assert (event.item_type, event.borrower_category) == (copy.item_type, student.category)
        assert event.loan.borrower == student
    with_return = [rows[0], ("P2", "7", "2024-05-01", "2024-05-09", "1")]
    for _ in range(2):
        import_loans(path=write_csv(tmp_path / "loans.csv", header, *with_return), now=NOW)
        assert states() == [("available", 2, 3)]
        assert events()[3:] == [("checkin", "2024-05-09")]


@pytest.mark.django_db
def test_inferred_return_is_not_an_event(tmp_path):
    make_book(control_number="7")
    rows = [("P1", "7", "2020-01-01"), ("P2", "7", "2020-05-01")]
    import_loans(path=write_csv(tmp_path / "loans.csv", "borrower,book,borrowed_at", *rows), now=NOW)
    assert not Loan.objects.filter(returned_at=None).exists()
    assert events() == [("checkout", "2020-01-01"), ("checkout", "2020-05-01")]
