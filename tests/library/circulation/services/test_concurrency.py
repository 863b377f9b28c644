"""Many at once at the desk: one winner each time, the others refused, nothing lost."""

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
    """Run all at once, each on its own connection; return what each gave, or the codes of its refusal."""

    def attempt(work):
        try:
            return work()
        except CirculationRefused as refused:
            return refused.codes

    with ThreadPoolExecutor(len(works)) as threads:
        futures = [in_thread(threads, lambda work=work: attempt(work)) for work in works]
        return [future.result() for future in futures]


@both_databases
def test_one_of_many_borrowers_gets_the_last_copy(database):
    make_policy()
    copy = make_copy()
    borrowers = [make_borrower() for _ in range(THREADS)]
    given = outcomes([lambda b=b: checkout(copy=copy, borrower=b, branch=None, now=NOW) for b in borrowers])
    assert sum(isinstance(each, Loan) for each in given) == 1
    assert given.count(("already_on_loan",)) == THREADS - 1
    copy.refresh_from_db()
    assert (copy.status, copy.checkouts) == ("on_loan", 1)
    assert LoanEvent.objects.count() == Loan.objects.count() == 1


@both_databases
def test_the_same_hold_is_placed_once(database):
    make_policy()
    book, borrower = make_copy().book, make_borrower()
    given = outcomes(
        [lambda: place_hold(book=book, borrower=borrower, pickup_branch=None, now=NOW)] * THREADS
    )
    assert given.count(("hold_exists",)) == THREADS - 1
    assert LoanEvent.objects.count() == Hold.objects.count() == 1


@both_databases
def test_the_last_renewal_is_given_once(database):
    make_policy(renewals_allowed=1)
    loan = checkout(copy=make_copy(), borrower=make_borrower(), branch=None, now=NOW)
    given = outcomes([lambda: renew(loan=loan, now=NOW)] * THREADS)
    assert given.count(("renewals_exhausted",)) == THREADS - 1
    loan.refresh_from_db()
    assert (loan.renewals, Copy.objects.get().renewals) == (1, 1)


@both_databases
def test_no_two_wait_for_each_other_when_all_do_everything_with_one_title(database):
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
    out = set(Loan.objects.filter(returned_at=None).values_list("copy", flat=True))
    assert out == set(Copy.objects.filter(status="on_loan").values_list("pk", flat=True))
    ready = Hold.objects.filter(status="ready").values_list("copy", flat=True)
    assert set(ready) == set(Copy.objects.filter(status="on_hold_shelf").values_list("pk", flat=True))
    events = LoanEvent.objects.values_list("kind", flat=True)
    assert list(events).count("checkout") == Loan.objects.count()
