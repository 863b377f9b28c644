from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from library.circulation.importing.copies import FOREVER, assign_copies


def at(day):
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day)


def overlap(first, second):
    return first[0] < second[1] and second[0] < first[1]


SPANS = st.lists(
    st.tuples(st.integers(0, 30), st.none() | st.integers(0, 10)).map(
        lambda span: (at(span[0]), FOREVER if span[1] is None else at(span[0] + span[1]))
    ),
    max_size=15,
)


@given(SPANS, st.lists(SPANS, max_size=3))
def test_loans_of_a_copy_never_overlap(loans, copies):
    loans = sorted(loans)
    assigned = defaultdict(list, enumerate(copies))
    for loan, index in zip(loans, assign_copies(loans=loans, copies=copies), strict=True):
        assert not any(overlap(loan, other) for other in assigned[index])
        assigned[index].append(loan)


@given(SPANS)
def test_unused_copies_are_assigned_sparingly(loans):
    loans = sorted(loans)
    max_simultaneous = max(
        (sum(start <= loan[0] < end or (start, end) == loan for start, end in loans) for loan in loans),
        default=0,
    )
    assigned = assign_copies(loans=loans, copies=[])
    assert len(set(assigned)) <= max_simultaneous
    assert set(assigned) == set(range(len(set(assigned))))
    assert not any(
        overlap(loans[i], loans[j])
        for i, j in combinations(range(len(loans)), 2)
        if assigned[i] == assigned[j]
    )


def test_copy_is_free_from_the_moment_of_return():
    assert assign_copies(loans=[(at(0), at(2)), (at(2), FOREVER)], copies=[[]]) == [0, 0]


def test_loan_fits_between_existing_loans():
    assert assign_copies(loans=[(at(2), at(3))], copies=[[(at(3), FOREVER), (at(0), at(2))]]) == [0]
    assert assign_copies(loans=[(at(2), at(4))], copies=[[(at(3), FOREVER), (at(0), at(2))]]) == [1]
