"""Loans, holds and events are anonymised when their retention period is over."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from library.circulation.importing.loans import import_loans
from library.circulation.models import FineEntry, Hold, Loan, LoanEvent
from library.circulation.services import anonymisation
from library.circulation.services.anonymisation import anonymise_loans
from library.circulation.services.checkin import checkin
from library.circulation.services.erasure import erase_borrower
from library.circulation.services.fines import pay_fine, waive_fine
from library.circulation.services.holds import cancel_hold, place_hold
from library.circulation.services.lost import mark_found, mark_lost
from library.circulation.services.refusals import CirculationRefused
from library.circulation.services.renewals import renew
from library.people.models import Borrower
from tests.classifier.factories import make_recommendation
from tests.factories import (
    NOW,
    make_book,
    make_borrower,
    make_borrower_category,
    make_copy,
    make_loan,
)
from tests.files import write_csv
from tests.library.circulation.retention import DAY, borrowers_of, lend, make_returned


@pytest.fixture(autouse=True)
def two_years(settings):
    settings.RETENTION_MONTHS = 24


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("retention", "months", "days_ago", "is_anonymised"),
    [
        ("default", 24, 732, True),
        ("default", 24, 729, False),
        ("default", 12, 367, True),
        ("default", 0, 0, True),
        ("keep", 0, 5000, False),
        ("anonymise", 24, 0, True),
    ],
)
def test_retention_follows_borrower_then_library(settings, retention, months, days_ago, is_anonymised):
    settings.RETENTION_MONTHS = months
    loan = make_returned(days_ago, borrower=make_borrower(retention=retention))
    LoanEvent.objects.create(
        kind="checkout",
        occurred_at=NOW,
        book=loan.copy.book,
        loan=loan,
        borrower=loan.borrower,
        copy=loan.copy,
    )
    assert anonymise_loans(now=NOW).loans == is_anonymised
    loan.refresh_from_db()
    assert (loan.borrower is None) == is_anonymised
    assert (LoanEvent.objects.get().borrower is None) == is_anonymised
    assert (loan.copy.book, loan.returned_at) == (loan.copy.book, NOW - days_ago * DAY)


@pytest.mark.django_db
def test_retention_counts_calendar_months():
    on_the_day = make_loan(borrowed_at=NOW.replace(year=2022), returned_at=NOW.replace(year=2022))
    later = make_loan(
        borrowed_at=NOW.replace(year=2022), returned_at=NOW.replace(year=2022) + timedelta(seconds=1)
    )
    anonymise_loans(now=NOW)
    assert set(Loan.objects.filter(borrower=None)) == {on_the_day}
    assert Loan.objects.get(pk=later.pk).borrower


@pytest.mark.django_db
def test_open_and_lost_loans_are_skipped(settings):
    settings.RETENTION_MONTHS = 0
    make_loan(borrowed_at=NOW - 5000 * DAY)
    lost = lend(borrower=make_borrower(retention="anonymise"), now=NOW - 900 * DAY)
    mark_lost(copy=lost.copy, now=NOW - 800 * DAY)
    assert anonymise_loans(now=NOW).loans == 0
    FineEntry.objects.update(kind="waiver", reason="settled")
    mark_found(copy=lost.copy, branch=None, now=NOW)
    lost.refresh_from_db()
    assert lost.borrower is None


@pytest.mark.django_db
def test_loan_with_balance_due_is_skipped():
    loan = make_returned(1000)
    entry = {"loan": loan, "borrower": loan.borrower, "created_at": NOW}
    FineEntry.objects.create(kind="charge", amount=Decimal("0.30"), **entry)
    FineEntry.objects.create(kind="payment", amount=Decimal("0.10"), **entry)
    other = make_returned(1000, borrower=loan.borrower)
    report = anonymise_loans(now=NOW)
    assert (report.loans, report.owed) == (1, 1)
    assert set(Loan.objects.filter(borrower=None)) == {other}
    # In floating point, 0.3 - 0.1 - 0.2 is not zero.
    waive_fine(loan=loan, amount=Decimal("0.20"), reason="moved to Rome", now=NOW)
    assert anonymise_loans(now=NOW).loans == 1
    assert borrowers_of(Loan, FineEntry) == [[None, None], [None] * 3]
    assert set(FineEntry.objects.values_list("kind", "reason")) == {
        ("charge", ""),
        ("payment", ""),
        ("waiver", anonymisation.REDACTED_REASON),
    }
    assert sum(FineEntry.objects.values_list("amount", flat=True)) == Decimal("0.60")


@pytest.mark.django_db
def test_loan_is_anonymised_at_return():
    borrower = make_borrower(retention="anonymise", category=make_borrower_category())
    book = make_book()
    place_hold(book=make_copy(book=book).book, borrower=borrower, pickup_branch=None, now=NOW)
    loan = lend(borrower=borrower, copy=book.copies.get())
    make_recommendation(borrower=borrower, book=book)
    result = checkin(copy=loan.copy, branch=None, now=NOW + DAY)
    assert result.loan.borrower is None
    assert borrowers_of(Loan, Hold) == [[None], [None]]
    assert set(LoanEvent.objects.values_list("borrower", "borrower_category")) == {(None, None)}
    assert LoanEvent.objects.count() == 4
    assert not borrower.recommendations.exists()


@pytest.mark.django_db
def test_loan_is_anonymised_at_night_once_paid():
    loan = lend(borrower=make_borrower(retention="anonymise"))
    checkin(copy=loan.copy, branch=None, now=NOW + 7 * DAY)
    assert anonymise_loans(now=NOW + 8 * DAY).owed == 1
    pay_fine(loan=loan, amount=Decimal(2), now=NOW + 9 * DAY)
    anonymise_loans(now=NOW + 10 * DAY)
    assert borrowers_of(Loan, FineEntry) == [[None], [None, None]]


@pytest.mark.django_db
def test_loan_is_kept_at_return_by_default():
    loan = lend()
    checkin(copy=loan.copy, branch=None, now=NOW + DAY)
    assert Loan.objects.get().borrower == loan.borrower


@pytest.mark.django_db
def test_ended_holds_and_events_are_anonymised():
    book = make_copy().book
    old = NOW - 1000 * DAY
    finished = place_hold(book=book, borrower=make_borrower(), pickup_branch=None, now=old)
    cancel_hold(hold=finished, now=old + DAY)
    waiting = place_hold(book=book, borrower=make_borrower(), pickup_branch=None, now=old)
    report = anonymise_loans(now=NOW)
    assert (report.loans, report.holds, report.events) == (0, 1, 3)
    assert Hold.objects.get(pk=finished.pk).borrower is None
    assert Hold.objects.get(pk=waiting.pk).borrower == waiting.borrower
    assert borrowers_of(LoanEvent) == [[None] * 3]


@pytest.mark.django_db
def test_rare_category_is_removed_with_the_borrower(settings):
    settings.CO_BORROWING_MIN = 2
    common, rare = make_borrower_category(), make_borrower_category()
    make_borrower(category=common)
    for category in (common, rare):
        loan = make_returned(1000, borrower=make_borrower(category=category))
        LoanEvent.objects.create(
            kind="checkin",
            occurred_at=NOW,
            book=loan.copy.book,
            loan=loan,
            borrower=loan.borrower,
            borrower_category=category,
        )
    anonymise_loans(now=NOW)
    assert set(LoanEvent.objects.values_list("borrower", "borrower_category")) == {
        (None, common.pk),
        (None, None),
    }


@pytest.mark.django_db
def test_open_loans_and_active_holds_need_a_borrower():
    loan = make_loan()
    with pytest.raises(IntegrityError, match="loan_open_has_borrower"), transaction.atomic():
        Loan.objects.update(borrower=None)
    place_hold(book=loan.copy.book, borrower=make_borrower(), pickup_branch=None, now=NOW)
    with pytest.raises(IntegrityError, match="hold_active_has_borrower"), transaction.atomic():
        Hold.objects.update(borrower=None)


@pytest.mark.django_db
def test_anonymised_loan_cannot_be_renewed_or_paid():
    loan = make_returned(1000)
    anonymise_loans(now=NOW)
    loan.refresh_from_db()
    with pytest.raises(CirculationRefused) as refused:
        renew(loan=loan, now=NOW)
    assert refused.value.codes == ("not_on_loan",)
    with pytest.raises(CirculationRefused) as refused:
        pay_fine(loan=loan, amount=Decimal(1), now=NOW)
    assert refused.value.codes == ("more_than_owed",)
    assert str(loan) == f"{loan.copy} → anonymised"


@pytest.mark.django_db
def test_reimport_restores_no_borrower(tmp_path):
    make_book(control_number="7")
    rows = [("borrower", "7", "2020-01-01", "2020-01-20"), ("other", "7", "2024-05-01", "2024-05-02")]
    file = write_csv(tmp_path / "loans.csv", "borrower,book,borrowed_at,returned_at", *rows)
    import_loans(path=file, now=NOW)
    anonymise_loans(now=NOW)
    erase_borrower(borrower=Borrower.objects.get(card_number="borrower"), now=NOW)
    report = import_loans(path=file, now=NOW)
    assert (report.created, report.updated, report.unchanged) == (0, 0, 2)
    assert not Borrower.objects.filter(card_number="borrower").exists()
