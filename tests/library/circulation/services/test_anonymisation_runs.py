"""Runs of anonymising: dry runs, interruption, concurrency, task and command."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.core.management import call_command
from django.utils import timezone

from library.circulation.models import CoBorrowing, Loan
from library.circulation.services import anonymisation
from library.circulation.services.anonymisation import anonymise_loans
from library.circulation.services.checkin import checkin
from library.circulation.services.checkout import checkout
from library.circulation.tasks import anonymise_loans as nightly_task
from tests.databases import both_databases, in_thread
from tests.factories import (
    NOW,
    make_book,
    make_borrower,
    make_branch,
    make_copy,
    make_loan,
    make_policy,
)
from tests.library.circulation.retention import DAY, lend, make_returned


@pytest.fixture(autouse=True)
def two_years(settings):
    settings.RETENTION_MONTHS = 24


@pytest.mark.django_db
def test_dry_run_reports_the_same_and_changes_nothing(settings):
    settings.CO_BORROWING_MIN = 2
    branch, first, second = make_branch(code="north"), make_book(), make_book()
    for _ in range(3):
        borrower = make_borrower()
        make_returned(1000, borrower=borrower, copy=make_copy(book=first), branch=branch)
        make_returned(1000, borrower=borrower, copy=make_copy(book=second))
    before = list(Loan.objects.values())
    dry_report = anonymise_loans(now=NOW, dry_run=True)
    assert list(Loan.objects.values()) == before
    assert not CoBorrowing.objects.exists()
    report = anonymise_loans(now=NOW)
    assert report.as_dict() == dry_report.as_dict() | {"dry_run": False}
    assert report.branches == {
        "north": {"loans": 3, "holds": 0, "owed": 0},
        "-": {"loans": 3, "holds": 0, "owed": 0},
    }
    assert (report.loans, report.pairs_kept, report.pairs_lost) == (6, 3, 0)
    again = anonymise_loans(now=NOW)
    assert (again.loans, again.holds, again.events, again.branches) == (0, 0, 0, {})


@pytest.mark.django_db
def test_interrupted_run_resumes(settings, monkeypatch):
    settings.CO_BORROWING_MIN = 2
    monkeypatch.setattr(anonymisation, "BORROWERS_PER_BATCH", 1)
    first, second = make_book(), make_book()
    for _ in range(4):
        borrower = make_borrower()
        for book in (first, second):
            make_returned(1000, borrower=borrower, copy=make_copy(book=book))

    def stop(phase, done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        anonymise_loans(now=NOW, progress=stop)
    assert Loan.objects.filter(borrower=None).count() == 4
    assert anonymise_loans(now=NOW).loans == 4
    assert CoBorrowing.objects.get().count == 4


@pytest.mark.django_db
@pytest.mark.parametrize("borrowers", [1, 20])
def test_query_count_per_batch_is_constant(borrowers, django_assert_num_queries):
    for _ in range(borrowers):
        make_returned(1000)
    with django_assert_num_queries(31):
        assert anonymise_loans(now=NOW).loans == borrowers


@both_databases
def test_concurrent_returns_count_a_pair_once(database, settings):
    settings.CO_BORROWING_MIN = 2
    first, second = make_book(), make_book()
    companion = make_borrower()
    for book in (first, second):
        make_loan(copy=make_copy(book=book), borrower=companion, returned_at=NOW)
    borrower = make_borrower(retention="anonymise")
    loans = [lend(borrower=borrower, copy=make_copy(book=book)) for book in (first, second)]
    barrier = Barrier(2)

    def check_in(loan):
        barrier.wait()
        return checkin(copy=loan.copy, branch=None, now=NOW + DAY)

    with ThreadPoolExecutor(2) as threads:
        works = [in_thread(threads, lambda loan=loan: check_in(loan)) for loan in loans]
        for work in works:
            assert work.result().loan.borrower is None
    assert CoBorrowing.objects.get().count == 1


@both_databases
def test_desk_works_during_the_nightly_run(database):
    borrowers = [make_borrower() for _ in range(4)]
    copies = [make_copy() for _ in borrowers]
    for borrower in borrowers:
        for _ in range(5):
            make_returned(1000, borrower=borrower)
    make_policy()
    barrier = Barrier(2)

    def desk():
        barrier.wait()
        for copy, borrower in zip(copies, borrowers, strict=True):
            checkout(copy=copy, borrower=borrower, branch=None, now=NOW)
            checkin(copy=copy, branch=None, now=NOW + DAY)

    def night():
        barrier.wait()
        return anonymise_loans(now=NOW)

    with ThreadPoolExecutor(2) as threads:
        works = [in_thread(threads, work) for work in (desk, night)]
        assert [work.result() for work in works][1].loans == 20
    assert Loan.objects.filter(borrower=None).count() == 20
    assert Loan.objects.filter(borrower__isnull=False).count() == 4


@pytest.mark.django_db
def test_nightly_task_reports_only_numbers():
    make_loan(
        borrowed_at=timezone.now() - 2000 * DAY,
        returned_at=timezone.now() - 1999 * DAY,
        borrower=make_borrower(card_number="SECRET"),
    )
    result = nightly_task()
    assert result["loans"] == 1
    assert "SECRET" not in str(result)


@pytest.mark.django_db
def test_command_reports_by_branch(capsys):
    borrowed_at = timezone.now() - 2000 * DAY
    make_loan(borrowed_at=borrowed_at, returned_at=borrowed_at, branch=make_branch(code="north"))
    call_command("anonymise_loans", "--dry-run")
    printed = capsys.readouterr().out
    assert "Would be anonymised" in printed
    assert "north" in printed
    assert Loan.objects.get().borrower
    call_command("anonymise_loans")
    assert "\nAnonymised: loans: 1, holds: 0, events of holds: 0. Loans skipped" in capsys.readouterr().out
    assert Loan.objects.get().borrower is None
    call_command("anonymise_loans")
    assert capsys.readouterr().out.startswith("Anonymised: loans: 0, ")  # no empty table
