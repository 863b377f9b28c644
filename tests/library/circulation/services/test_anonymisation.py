from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from threading import Barrier

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from library.circulation.importing.loans import import_loans
from library.circulation.models import CoBorrowing, FineEntry, Hold, Loan, LoanEvent
from library.circulation.services import anonymisation
from library.circulation.services.anonymisation import forget_loans
from library.circulation.services.checkin import checkin
from library.circulation.services.checkout import checkout
from library.circulation.services.erasure import erase_borrower
from library.circulation.services.fines import pay_fine, waive_fine
from library.circulation.services.holds import cancel_hold, place_hold
from library.circulation.services.lost import mark_found, mark_lost
from library.circulation.services.refusals import CirculationRefused
from library.circulation.services.renewals import renew
from library.circulation.tasks import forget_loans as nightly
from library.people.models import Borrower
from tests.classifier.factories import make_recommendation
from tests.databases import both_databases, in_thread
from tests.factories import (
    NOW,
    make_book,
    make_borrower,
    make_borrower_category,
    make_branch,
    make_copy,
    make_loan,
    make_policy,
)
from tests.files import write_csv

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def two_years(settings):
    settings.RETENTION_MONTHS = 24


def lent(borrower=None, copy=None, now=NOW, **policy):
    make_policy(**{"loan_days": 5, "fine_per_day": Decimal(1), "fine_cap": Decimal(9)} | policy)
    return checkout(copy=copy or make_copy(), borrower=borrower or make_borrower(), branch=None, now=now)


def returned(days_ago, **fields):
    at = NOW - days_ago * DAY
    return make_loan(borrowed_at=at - DAY, due_at=at, returned_at=at, **fields)


def borrowers_of(*models):
    return [list(model.objects.values_list("borrower", flat=True)) for model in models]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("retention", "months", "days_ago", "is_forgotten"),
    [
        ("default", 24, 732, True),
        ("default", 24, 729, False),
        ("default", 12, 367, True),
        ("default", 0, 0, True),
        ("keep", 0, 5000, False),
        ("forget", 24, 0, True),
    ],
)
def test_the_borrower_or_else_the_library_says_when_a_loan_is_forgotten(
    settings, retention, months, days_ago, is_forgotten
):
    settings.RETENTION_MONTHS = months
    loan = returned(days_ago, borrower=make_borrower(retention=retention))
    LoanEvent.objects.create(
        kind="checkout", at=NOW, book=loan.copy.book, loan=loan, borrower=loan.borrower, copy=loan.copy
    )
    assert forget_loans(now=NOW).loans == is_forgotten
    loan.refresh_from_db()
    assert (loan.borrower is None) == is_forgotten
    assert (LoanEvent.objects.get().borrower is None) == is_forgotten
    assert (loan.copy.book, loan.returned_at) == (loan.copy.book, NOW - days_ago * DAY)


@pytest.mark.django_db
def test_two_years_are_two_years_of_the_calendar():
    on_the_day = make_loan(borrowed_at=NOW.replace(year=2022), returned_at=NOW.replace(year=2022))
    later = make_loan(
        borrowed_at=NOW.replace(year=2022), returned_at=NOW.replace(year=2022) + timedelta(seconds=1)
    )
    forget_loans(now=NOW)
    assert set(Loan.objects.filter(borrower=None)) == {on_the_day}
    assert Loan.objects.get(pk=later.pk).borrower


@pytest.mark.django_db
def test_loans_that_are_out_or_lost_are_spared(settings):
    settings.RETENTION_MONTHS = 0
    make_loan(borrowed_at=NOW - 5000 * DAY)
    lost = lent(borrower=make_borrower(retention="forget"), now=NOW - 900 * DAY)
    mark_lost(copy=lost.copy, now=NOW - 800 * DAY)
    assert forget_loans(now=NOW).loans == 0
    FineEntry.objects.update(kind="waiver", reason="settled")
    mark_found(copy=lost.copy, branch=None, now=NOW)
    lost.refresh_from_db()
    assert lost.borrower is None


@pytest.mark.django_db
def test_a_loan_is_spared_while_something_is_owed_for_it():
    loan = returned(1000)
    line = {"loan": loan, "borrower": loan.borrower, "at": NOW}
    FineEntry.objects.create(kind="charge", amount=Decimal("0.30"), **line)
    FineEntry.objects.create(kind="payment", amount=Decimal("0.10"), **line)
    other = returned(1000, borrower=loan.borrower)
    report = forget_loans(now=NOW)
    assert (report.loans, report.owed) == (1, 1)
    assert set(Loan.objects.filter(borrower=None)) == {other}
    # In floating point 0.3 - 0.1 - 0.2 is not nothing.
    waive_fine(loan=loan, amount=Decimal("0.20"), reason="moved to Rome", now=NOW)
    assert forget_loans(now=NOW).loans == 1
    assert borrowers_of(Loan, FineEntry) == [[None, None], [None] * 3]
    assert set(FineEntry.objects.values_list("kind", "reason")) == {
        ("charge", ""),
        ("payment", ""),
        ("waiver", anonymisation.REASON_FORGOTTEN),
    }
    assert sum(FineEntry.objects.values_list("amount", flat=True)) == Decimal("0.60")


@pytest.mark.django_db
def test_who_wants_it_is_forgotten_in_the_return_itself():
    borrower = make_borrower(retention="forget", category=make_borrower_category())
    book = make_book()
    place_hold(book=make_copy(book=book).book, borrower=borrower, pickup_branch=None, now=NOW)
    loan = lent(borrower=borrower, copy=book.copies.get())
    make_recommendation(borrower=borrower, book=book)
    result = checkin(copy=loan.copy, branch=None, now=NOW + DAY)
    assert result.loan.borrower is None
    assert borrowers_of(Loan, Hold) == [[None], [None]]
    assert set(LoanEvent.objects.values_list("borrower", "borrower_category")) == {(None, None)}
    assert LoanEvent.objects.count() == 4
    assert not borrower.recommendations.exists()


@pytest.mark.django_db
def test_who_owes_for_it_is_forgotten_by_night_once_it_is_paid():
    loan = lent(borrower=make_borrower(retention="forget"))
    checkin(copy=loan.copy, branch=None, now=NOW + 7 * DAY)
    assert forget_loans(now=NOW + 8 * DAY).owed == 1
    pay_fine(loan=loan, amount=Decimal(2), now=NOW + 9 * DAY)
    forget_loans(now=NOW + 10 * DAY)
    assert borrowers_of(Loan, FineEntry) == [[None], [None, None]]


@pytest.mark.django_db
def test_others_are_remembered_at_return():
    loan = lent()
    checkin(copy=loan.copy, branch=None, now=NOW + DAY)
    assert Loan.objects.get().borrower == loan.borrower


@pytest.mark.django_db
def test_finished_holds_and_what_happened_to_them_are_forgotten_and_the_queue_is_not():
    book = make_copy().book
    old = NOW - 1000 * DAY
    finished = place_hold(book=book, borrower=make_borrower(), pickup_branch=None, now=old)
    cancel_hold(hold=finished, now=old + DAY)
    waiting = place_hold(book=book, borrower=make_borrower(), pickup_branch=None, now=old)
    report = forget_loans(now=NOW)
    assert (report.loans, report.holds, report.events) == (0, 1, 3)
    assert Hold.objects.get(pk=finished.pk).borrower is None
    assert Hold.objects.get(pk=waiting.pk).borrower == waiting.borrower
    assert borrowers_of(LoanEvent) == [[None] * 3]


@pytest.mark.django_db
def test_a_category_that_few_have_goes_with_the_borrower_and_a_common_one_stays(settings):
    settings.CO_BORROWING_MIN = 2
    common, rare = make_borrower_category(), make_borrower_category()
    make_borrower(category=common)
    for category in (common, rare):
        loan = returned(1000, borrower=make_borrower(category=category))
        LoanEvent.objects.create(
            kind="checkin",
            at=NOW,
            book=loan.copy.book,
            loan=loan,
            borrower=loan.borrower,
            borrower_category=category,
        )
    forget_loans(now=NOW)
    assert set(LoanEvent.objects.values_list("borrower", "borrower_category")) == {
        (None, common.pk),
        (None, None),
    }


@pytest.mark.django_db
def test_a_dry_run_says_the_same_and_keeps_everything(settings):
    settings.CO_BORROWING_MIN = 2
    branch, one, other = make_branch(code="north"), make_book(), make_book()
    for _ in range(3):
        borrower = make_borrower()
        returned(1000, borrower=borrower, copy=make_copy(book=one), branch=branch)
        returned(1000, borrower=borrower, copy=make_copy(book=other))
    before = list(Loan.objects.values())
    dry = forget_loans(now=NOW, dry_run=True)
    assert list(Loan.objects.values()) == before
    assert not CoBorrowing.objects.exists()
    wet = forget_loans(now=NOW)
    assert wet.as_dict() == dry.as_dict() | {"dry_run": False}
    assert wet.branches == {
        "north": {"loans": 3, "holds": 0, "owed": 0},
        "-": {"loans": 3, "holds": 0, "owed": 0},
    }
    assert (wet.loans, wet.pairs_kept, wet.pairs_lost) == (6, 3, 0)
    again = forget_loans(now=NOW)
    assert (again.loans, again.holds, again.events, again.branches) == (0, 0, 0, {})


@pytest.mark.django_db
def test_stopped_in_the_middle_it_goes_on_where_it_was(settings, monkeypatch):
    settings.CO_BORROWING_MIN = 2
    monkeypatch.setattr(anonymisation, "BORROWERS_A_BATCH", 1)
    one, other = make_book(), make_book()
    for _ in range(4):
        borrower = make_borrower()
        for book in (one, other):
            returned(1000, borrower=borrower, copy=make_copy(book=book))

    def stop(phase, done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        forget_loans(now=NOW, progress=stop)
    assert Loan.objects.filter(borrower=None).count() == 4
    assert forget_loans(now=NOW).loans == 4
    assert CoBorrowing.objects.get().count == 4


@pytest.mark.django_db
@pytest.mark.parametrize("borrowers", [1, 20])
def test_a_batch_takes_the_same_queries_however_many_are_in_it(borrowers, django_assert_num_queries):
    for _ in range(borrowers):
        returned(1000)
    with django_assert_num_queries(31):
        assert forget_loans(now=NOW).loans == borrowers


@pytest.mark.django_db
def test_what_is_out_has_a_borrower_and_so_has_what_is_in_a_queue():
    loan = make_loan()
    with pytest.raises(IntegrityError, match="loan_open_has_borrower"), transaction.atomic():
        Loan.objects.update(borrower=None)
    place_hold(book=loan.copy.book, borrower=make_borrower(), pickup_branch=None, now=NOW)
    with pytest.raises(IntegrityError, match="hold_active_has_borrower"), transaction.atomic():
        Hold.objects.update(borrower=None)


@pytest.mark.django_db
def test_a_forgotten_loan_is_refused_what_only_a_borrower_can_do():
    loan = returned(1000)
    forget_loans(now=NOW)
    loan.refresh_from_db()
    with pytest.raises(CirculationRefused) as refused:
        renew(loan=loan, now=NOW)
    assert refused.value.codes == ("not_on_loan",)
    with pytest.raises(CirculationRefused) as refused:
        pay_fine(loan=loan, amount=Decimal(1), now=NOW)
    assert refused.value.codes == ("more_than_owed",)
    assert str(loan) == f"{loan.copy} → forgotten"


@pytest.mark.django_db
def test_importing_the_same_file_again_brings_nobody_back(tmp_path):
    make_book(control_number="7")
    rows = [("reader", "7", "2020-01-01", "2020-01-20"), ("other", "7", "2024-05-01", "2024-05-02")]
    file = write_csv(tmp_path / "loans.csv", "borrower,book,borrowed_at,returned_at", *rows)
    import_loans(path=file, now=NOW)
    forget_loans(now=NOW)
    erase_borrower(borrower=Borrower.objects.get(card_number="reader"), now=NOW)
    report = import_loans(path=file, now=NOW)
    assert (report.created, report.updated, report.unchanged) == (0, 0, 2)
    assert not Borrower.objects.filter(card_number="reader").exists()


@both_databases
def test_two_returns_at_once_of_one_reader_count_a_pair_once(database, settings):
    settings.CO_BORROWING_MIN = 2
    one, other = make_book(), make_book()
    companion = make_borrower()
    for book in (one, other):
        make_loan(copy=make_copy(book=book), borrower=companion, returned_at=NOW)
    reader = make_borrower(retention="forget")
    loans = [lent(borrower=reader, copy=make_copy(book=book)) for book in (one, other)]
    together = Barrier(2)

    def bring_back(loan):
        together.wait()
        return checkin(copy=loan.copy, branch=None, now=NOW + DAY)

    with ThreadPoolExecutor(2) as threads:
        works = [in_thread(threads, lambda loan=loan: bring_back(loan)) for loan in loans]
        for work in works:
            assert work.result().loan.borrower is None
    assert CoBorrowing.objects.get().count == 1


@both_databases
def test_the_desk_goes_on_while_the_nightly_run_forgets(database):
    readers = [make_borrower() for _ in range(4)]
    copies = [make_copy() for _ in readers]
    for reader in readers:
        for _ in range(5):
            returned(1000, borrower=reader)
    make_policy()
    together = Barrier(2)

    def desk():
        together.wait()
        for copy, reader in zip(copies, readers, strict=True):
            checkout(copy=copy, borrower=reader, branch=None, now=NOW)
            checkin(copy=copy, branch=None, now=NOW + DAY)

    def night():
        together.wait()
        return forget_loans(now=NOW)

    with ThreadPoolExecutor(2) as threads:
        works = [in_thread(threads, work) for work in (desk, night)]
        assert [work.result() for work in works][1].loans == 20
    assert Loan.objects.filter(borrower=None).count() == 20
    assert Loan.objects.filter(borrower__isnull=False).count() == 4


@pytest.mark.django_db
def test_the_nightly_task_reports_in_numbers_alone():
    make_loan(
        borrowed_at=timezone.now() - 2000 * DAY,
        returned_at=timezone.now() - 1999 * DAY,
        borrower=make_borrower(card_number="SECRET"),
    )
    result = nightly()
    assert result["loans"] == 1
    assert "SECRET" not in str(result)


@pytest.mark.django_db
def test_the_command_says_by_branch_what_it_would_do_and_does_it(capsys):
    borrowed_at = timezone.now() - 2000 * DAY
    make_loan(borrowed_at=borrowed_at, returned_at=borrowed_at, branch=make_branch(code="north"))
    call_command("forget_loans", "--dry-run")
    printed = capsys.readouterr().out
    assert "What would be forgotten" in printed
    assert "north" in printed
    assert Loan.objects.get().borrower
    call_command("forget_loans")
    assert "1 loans, 0 holds and 0 events of holds; 0 loans spared." in capsys.readouterr().out
    assert Loan.objects.get().borrower is None


class TestErasing:
    pytestmark = pytest.mark.django_db

    def test_nothing_of_the_person_is_left_and_every_number_stays(self):
        borrower = make_borrower(card_number="P1", name="Anna Chen", email="anna@example.org")
        loan = lent(borrower=borrower)
        checkin(copy=loan.copy, branch=None, now=NOW + 7 * DAY)
        pay_fine(loan=loan, amount=Decimal(2), now=NOW + 8 * DAY)
        held = make_copy().book
        place_hold(book=held, borrower=borrower, pickup_branch=None, now=NOW)
        make_recommendation(borrower=borrower, book=held)
        erasure = erase_borrower(borrower=borrower, now=NOW + 9 * DAY)
        assert (erasure.loans, erasure.holds) == (1, 1)
        assert not Borrower.objects.exists()
        assert borrowers_of(Loan, Hold, FineEntry) == [[None], [None], [None, None]]
        assert set(LoanEvent.objects.values_list("borrower", flat=True)) == {None}
        assert Hold.objects.get().status == "cancelled"
        loan.copy.refresh_from_db()
        assert loan.copy.checkouts == 1

    def test_it_is_refused_while_something_is_out_and_while_something_is_owed(self):
        borrower = make_borrower()
        late = lent(borrower=borrower)
        checkin(copy=late.copy, branch=None, now=NOW + 7 * DAY)
        out = lent(borrower=borrower, now=NOW + 7 * DAY)
        with pytest.raises(CirculationRefused) as refused:
            erase_borrower(borrower=borrower, now=NOW + 8 * DAY)
        assert refused.value.codes == ("loans_open", "fines_owed")
        checkin(copy=out.copy, branch=None, now=NOW + 8 * DAY)
        with pytest.raises(CirculationRefused) as refused:
            erase_borrower(borrower=borrower, now=NOW + 8 * DAY)
        assert refused.value.codes == ("fines_owed",)
        assert set(Loan.objects.values_list("borrower", flat=True)) == {borrower.pk}

    def test_a_copy_that_lay_ready_goes_to_the_next(self):
        book = make_copy().book
        first, second = make_borrower(), make_borrower()
        for borrower in (first, second):
            place_hold(book=book, borrower=borrower, pickup_branch=None, now=NOW)
        checkin(copy=book.copies.get(), branch=None, now=NOW)
        erase_borrower(borrower=first, now=NOW)
        assert Hold.objects.get(borrower=second).status == "ready"

    def test_a_pair_of_titles_that_enough_had_is_counted(self, settings):
        settings.CO_BORROWING_MIN = 2
        one, other = make_book(), make_book()
        for _ in range(2):
            borrower = make_borrower()
            for book in (one, other):
                make_loan(copy=make_copy(book=book), borrower=borrower, returned_at=NOW)
        erase_borrower(borrower=borrower, now=NOW)
        assert CoBorrowing.objects.get().count == 1

    def test_the_command_takes_the_card(self, capsys):
        loan = returned(1, borrower=make_borrower(card_number="P1"))
        with pytest.raises(CommandError, match="No borrower has the card P2") as caught:
            call_command("erase_borrower", "P2")
        assert caught.value.returncode == 1
        call_command("erase_borrower", "P1")
        assert capsys.readouterr().out == "Erased. 1 loans and 0 holds are now of nobody known.\n"
        loan.refresh_from_db()
        assert loan.borrower is None
