"""Properties of the loan import: the order of rows and the split into files do not matter."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from library.catalogue.models import Copy
from library.circulation.importing.loans import import_loans
from library.circulation.models import Loan
from tests.databases import rolled_back
from tests.factories import NOW, make_book, make_copy
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


def moments(days):
    return datetime(2024, 1, 1, tzinfo=UTC) + days * DAY


LOANS = st.lists(
    st.tuples(
        st.sampled_from("PQR"), st.sampled_from("789"), st.integers(0, 60), st.none() | st.integers(0, 30)
    ),
    max_size=12,
    unique_by=lambda row: row[:3],
)


def as_rows(loans, header):
    width = len(header.split(","))
    return [
        (
            borrower,
            number,
            moments(start).isoformat(),
            "" if length is None else moments(start + length).isoformat(),
        )[:width]
        for borrower, number, start, length in loans
    ]


@pytest.mark.django_db
@settings(max_examples=40)
@given(data=st.data(), loans=LOANS, header=st.sampled_from([HISTORY, f"{HISTORY},returned_at"]))
def test_row_order_and_reimport_make_no_difference(tmp_path_factory, data, loans, header):
    path = tmp_path_factory.mktemp("loans") / "loans.csv"
    shuffled = data.draw(st.permutations(loans))
    outcomes = []
    for order in (loans, shuffled):
        with rolled_back():
            for number in "789":
                make_copy(barcode=number, book=make_book(control_number=number))
            write_csv(path, header, *as_rows(order, header))
            report = import_loans(path=path, now=NOW)
            assert report.problems == []
            assert report.created == len(loans)
            outcomes.append(stored_loans())
            assert counts(import_loans(path=path, now=NOW)) == (0, 0, len(loans), 0)
            assert stored_loans() == outcomes[-1]
            if header == HISTORY:
                assert Copy.objects.count() == 3
    assert outcomes[0] == outcomes[1]


@pytest.mark.django_db
@settings(max_examples=40)
@given(loans=LOANS, cut=st.integers(0, 12))
def test_split_file_imports_the_same_loans(tmp_path_factory, loans, cut):
    path = tmp_path_factory.mktemp("loans") / "loans.csv"
    header = f"{HISTORY},returned_at"
    outcomes = []
    for parts in ([loans], [loans[:cut], loans[cut:], loans[:cut]]):
        with rolled_back():
            for number in "789":
                make_copy(barcode=number, book=make_book(control_number=number))
            for part in parts:
                import_loans(path=write_csv(path, header, *as_rows(part, header)), now=NOW)
            outcomes.append([(card, borrowed, returned) for card, _, borrowed, returned in stored_loans()])
    assert sorted(outcomes[0], key=str) == sorted(outcomes[1], key=str)
