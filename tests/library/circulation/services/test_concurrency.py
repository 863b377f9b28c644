"""Concurrent desk operations: one succeeds, the others are refused, nothing is lost."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from library.catalogue.models import Copy
from library.circulation.models import Hold, Loan, LoanEvent
from library.circulation.services.checkin import checkin
from library.circulation.services.checkout import checkout
from library.circulation.services.holds import place_hold
from library.circulation.services.refusals import CirculationRefused
from library.circulation.services.renewals import renew
from tests.databases import both_databases, in_thread
from tests.factories import NOW, make_book, make_borrower, make_copy, make_policy

THREADS = 64


def outcomes(works):
    """Run all concurrently, each on its own connection; return results or codes of refusals."""

    def attempt(work):
        try:
            return work()
        except CirculationRefused as refused:
            return refused.codes

    with ThreadPoolExecutor(len(works)) as threads:
        futures = [in_thread(threads, lambda work=work: attempt(work)) for work in works]
        return [future.result() for future in futures]


@both_databases
def test_last_copy_goes_to_one_borrower(database):
    make_policy()
    copy = make_copy()
    borrowers = [make_borrower() for _ in range(THREADS)]
    results = outcomes([lambda b=b: checkout(copy=copy, borrower=b, branch=None, now=NOW) for b in borrowers])
    assert sum(isinstance(result, Loan) for result in results) == 1
    assert results.count(("already_on_loan",)) == THREADS - 1
    copy.refresh_from_db()
    assert (copy.status, copy.checkouts) == ("on_loan", 1)
    assert LoanEvent.objects.count() == Loan.objects.count() == 1


@both_databases
def test_same_hold_is_placed_once(database):
    make_policy()
    book, borrower = make_copy().book, make_borrower()
    results = outcomes(
        [lambda: place_hold(book=book, borrower=borrower, pickup_branch=None, now=NOW)] * THREADS
    )
    assert results.count(("hold_exists",)) == THREADS - 1
    assert LoanEvent.objects.count() == Hold.objects.count() == 1


@both_databases
def test_last_renewal_is_granted_once(database):
    make_policy(renewals_allowed=1)
    loan = checkout(copy=make_copy(), borrower=make_borrower(), branch=None, now=NOW)
    results = outcomes([lambda: renew(loan=loan, now=NOW)] * THREADS)
    assert results.count(("renewals_exhausted",)) == THREADS - 1
    loan.refresh_from_db()
    assert (loan.renewals, Copy.objects.get().renewals) == (1, 1)


@both_databases
def test_concurrent_operations_do_not_deadlock(database):
    make_policy(max_loans=100, holds_allowed=100, renewals_allowed=100)
    book = make_book()
    copies = [make_copy(book=book) for _ in range(3)]
    borrowers = [make_borrower() for _ in range(8)]
    for number, copy in enumerate(copies):
        checkout(copy=copy, borrower=borrowers[number], branch=None, now=NOW)
    loans = list(Loan.objects.select_related("copy"))
    works = [
        work
        for number in range(8)
        for work in (
            lambda n=number: checkin(copy=copies[n % 3], branch=None, now=NOW + timedelta(hours=1)),
            lambda n=number: checkout(
                copy=copies[n % 3], borrower=borrowers[n], branch=None, now=NOW + timedelta(hours=n + 2)
            ),
            lambda n=number: place_hold(book=book, borrower=borrowers[n], pickup_branch=None, now=NOW),
            lambda n=number: renew(loan=loans[n % 3], now=NOW),
        )
    ]
    outcomes(works)
    on_loan = set(Loan.objects.filter(returned_at=None).values_list("copy", flat=True))
    assert on_loan == set(Copy.objects.filter(status="on_loan").values_list("pk", flat=True))
    ready = Hold.objects.filter(status="ready").values_list("copy", flat=True)
    assert set(ready) == set(Copy.objects.filter(status="on_hold_shelf").values_list("pk", flat=True))
    events = LoanEvent.objects.values_list("kind", flat=True)
    assert list(events).count("checkout") == Loan.objects.count()
