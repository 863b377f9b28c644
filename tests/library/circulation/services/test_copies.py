from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from library.circulation.importing.copies import FOREVER, assign_copies


def at(day):
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day)


def overlap(one, other):
    return one[0] < other[1] and other[0] < one[1]


SPANS = st.lists(
    st.tuples(st.integers(0, 30), st.none() | st.integers(0, 10)).map(
        lambda span: (at(span[0]), FOREVER if span[1] is None else at(span[0] + span[1]))
    ),
    max_size=15,
)


@given(SPANS, st.lists(SPANS, max_size=3))
def test_no_copy_is_lent_twice_at_a_time(loans, copies):
    loans = sorted(loans)
    lent = defaultdict(list, enumerate(copies))
    for loan, index in zip(loans, assign_copies(loans=loans, copies=copies), strict=True):
        assert not any(overlap(loan, other) for other in lent[index])
        lent[index].append(loan)


@given(SPANS)
def test_copies_never_lent_are_used_as_sparingly_as_can_be(loans):
    loans = sorted(loans)
    most_at_a_time = max(
        (sum(start <= loan[0] < end or (start, end) == loan for start, end in loans) for loan in loans),
        default=0,
    )
    assigned = assign_copies(loans=loans, copies=[])
    assert len(set(assigned)) <= most_at_a_time
    assert set(assigned) == set(range(len(set(assigned))))
    assert not any(
        overlap(loans[one], loans[other])
        for one, other in combinations(range(len(loans)), 2)
        if assigned[one] == assigned[other]
    )


def test_a_copy_is_lent_again_from_the_moment_it_is_back():
    assert assign_copies(loans=[(at(0), at(2)), (at(2), FOREVER)], copies=[[]]) == [0, 0]


def test_a_loan_fits_between_two_that_are_known():
    assert assign_copies(loans=[(at(2), at(3))], copies=[[(at(3), FOREVER), (at(0), at(2))]]) == [0]
    assert assign_copies(loans=[(at(2), at(4))], copies=[[(at(3), FOREVER), (at(0), at(2))]]) == [1]
