"""Small histories of a library, made by Hypothesis, and what they come to, counted in plain Python."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from library.analytics.models import BorrowerCategoryDay, CategoryDay, DayCount, ItemTypeDay, TitleUse
from library.circulation.models import LoanEvent
from tests.factories import (
    make_book,
    make_borrower,
    make_borrower_category,
    make_branch,
    make_category,
    make_copy,
    make_item_type,
    make_loan,
)

#: Before and after midnight of several days, the turn of a month among them.
MOMENTS = [datetime(2024, 3, 30, 22, 30, tzinfo=UTC) + timedelta(hours=1.5 * n) for n in range(30)]
KINDS = ["checkout", "renewal", "checkin", "hold_placed", "fine_paid"]

events = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.sampled_from(MOMENTS),
        st.integers(0, 2),  # the book
        st.sampled_from([None, 0, 1]),  # the branch
        st.sampled_from([None, 0, 1]),  # the borrower
        st.booleans(),  # whether it comes late
    ),
    max_size=20,
)


class Town:
    """What events are about."""

    def __init__(self):
        self.categories = [make_category(), make_category()]
        self.books = [make_book(category=self.categories[n % 2]) for n in range(2)] + [make_book()]
        self.copies = [make_copy(book=book) for book in self.books]
        self.copies[0].item_type = make_item_type()
        self.branches = [make_branch(), make_branch()]
        self.borrowers = [make_borrower(category=make_borrower_category()), make_borrower()]

    def record(self, kind, at, book, branch, borrower, is_late):
        """Write an event, and of a checkin the loan."""
        who = None if borrower is None else self.borrowers[borrower]
        loan = None
        if kind == "checkin":
            borrowed_at = at - timedelta(days=40)
            due_at = at + timedelta(seconds=-1 if is_late else 1)
            loan = make_loan(
                copy=make_copy(book=self.books[book]),
                borrower=who,
                borrowed_at=borrowed_at,
                due_at=due_at,
                returned_at=at,
            )
        copy = self.copies[book]
        return LoanEvent.objects.create(
            kind=kind,
            at=at,
            book=self.books[book],
            copy=copy,
            branch=None if branch is None else self.branches[branch],
            item_type=copy.item_type,
            borrower=who,
            borrower_category=who and who.category,
            loan=loan,
        )


def expected(model, key_of):
    """Return by day, branch and key the five numbers, counted event by event; days in UTC."""
    found = {}
    for event in LoanEvent.objects.select_related("book", "loan"):
        name = {"checkout": 0, "renewal": 1, "checkin": 2, "hold_placed": 4}.get(event.kind)
        if name is None:
            continue
        numbers = found.setdefault((event.at.date(), event.branch_id, key_of(event)), [0] * 5)
        numbers[name] += 1
        if event.kind == "checkin" and event.loan and event.loan.due_at < event.at:
            numbers[3] += 1
    return found


def stored(model, column):
    """Return the same from a summary table; a row that is there twice would be an error."""
    rows = model.objects.values_list("day", "branch", column, *DayCount.METRICS)
    found = {row[:3]: list(row[3:]) for row in rows}
    assert len(found) == len(rows)
    return found


def all_stored():
    """Return the contents of all summary tables that are counted from events."""
    return {
        **{model.__name__: stored(model, column) for model, (column, _) in KEYS.items()},
        "titles": {
            use.book_id: (use.checkouts, use.last_checkout, use.category_id) for use in TitleUse.objects.all()
        },
    }


def all_expected():
    """Return what `all_stored` has to be."""
    lent, last, seen = Counter(), {}, {}
    for event in LoanEvent.objects.select_related("book").exclude(kind="fine_paid"):
        seen[event.book_id] = event.book.category_id
        if event.kind == "checkout":
            lent[event.book_id] += 1
            last[event.book_id] = max(last.get(event.book_id, event.at.date()), event.at.date())
    return {
        **{model.__name__: expected(model, key_of) for model, (_, key_of) in KEYS.items()},
        "titles": {book: (lent[book], last.get(book), category) for book, category in seen.items()},
    }


KEYS = {
    CategoryDay: ("category", lambda event: event.book.category_id),
    ItemTypeDay: ("item_type", lambda event: event.item_type_id),
    BorrowerCategoryDay: ("borrower_category", lambda event: event.borrower_category_id),
}
