"""Small library histories for Hypothesis, and the expected summary tables, counted in plain Python."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from django.conf import settings
from hypothesis import strategies as st

from library.analytics.models import (
    BorrowerCategoryDay,
    CategoryDay,
    CategoryMonth,
    DayCount,
    HoldingCount,
    ItemTypeDay,
    TitleUse,
)
from library.catalogue.models import Book, Branch, Copy
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

#: Times around midnight on several days, including the end of a month.
MOMENTS = [datetime(2024, 3, 30, 22, 30, tzinfo=UTC) + timedelta(hours=1.5 * n) for n in range(30)]
KINDS = ["checkout", "renewal", "checkin", "hold_placed", "fine_paid"]

events = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.sampled_from(MOMENTS),
        st.integers(0, 2),  # the book
        st.sampled_from([None, 0, 1]),  # the branch
        st.sampled_from([None, 0, 1]),  # the borrower
        st.booleans(),  # whether a checkin is late
    ),
    max_size=20,
)


class Town:
    """Books, branches and borrowers for events."""

    def __init__(self):
        self.categories = [make_category(), make_category()]
        self.branches = [make_branch(), make_branch()]
        self.books = [make_book(category=self.categories[n % 2], year=1989 + n) for n in range(2)]
        self.books.append(make_book())
        self.copies = [make_copy(book=book) for book in self.books]
        self.copies[0].item_type = make_item_type()
        make_copy(book=self.books[0], branch=self.branches[0])
        make_copy(book=self.books[1], branch=self.branches[1], status="lost")
        self.borrowers = [make_borrower(category=make_borrower_category()), make_borrower()]

    def record(self, kind, at, book, branch, borrower, is_late):
        """Create an event and, for a checkin, its loan."""
        borrower_record = None if borrower is None else self.borrowers[borrower]
        loan = None
        if kind == "checkin":
            borrowed_at = at - timedelta(days=40)
            due_at = at + timedelta(seconds=-1 if is_late else 1)
            loan = make_loan(
                copy=make_copy(book=self.books[book]),
                borrower=borrower_record,
                borrowed_at=borrowed_at,
                due_at=due_at,
                returned_at=at,
            )
        copy = self.copies[book]
        return LoanEvent.objects.create(
            kind=kind,
            occurred_at=at,
            book=self.books[book],
            copy=copy,
            branch=None if branch is None else self.branches[branch],
            item_type=copy.item_type,
            borrower=borrower_record,
            borrower_category=borrower_record and borrower_record.category,
            loan=loan,
        )


def expected(model, key_of):
    """Return the five counts by day (UTC), branch and key, counted event by event."""
    found = {}
    for event in LoanEvent.objects.select_related("book", "loan"):
        name = {"checkout": 0, "renewal": 1, "checkin": 2, "hold_placed": 4}.get(event.kind)
        if name is None:
            continue
        numbers = found.setdefault((event.occurred_at.date(), event.branch_id, key_of(event)), [0] * 5)
        numbers[name] += 1
        if event.kind == "checkin" and event.loan and event.loan.due_at < event.occurred_at:
            numbers[3] += 1
    return found


def stored(model, column):
    """Return the same from a summary table, and check that no row occurs twice."""
    rows = model.objects.values_list("day", "branch", column, *DayCount.METRICS)
    found = {row[:3]: list(row[3:]) for row in rows}
    assert len(found) == len(rows)
    return found


def all_stored():
    """Return the contents of all summary tables except those about borrowers."""
    months = CategoryMonth.objects.values_list("month", "branch", "category", "checkouts")
    held = HoldingCount.objects.values_list("branch", "category", "decade", *HOLDING_COLUMNS)
    found = {
        "months": {row[:3]: row[3] for row in months if row[3]},
        "holdings": {row[:3]: row[3:] for row in held},
    }
    assert (len({row[:3] for row in months}), len(found["holdings"])) == (len(months), len(held))
    return {
        **found,
        **{model.__name__: stored(model, column) for model, (column, _) in KEYS.items()},
        "titles": {
            use.book_id: (use.checkouts, use.last_checkout, use.category_id) for use in TitleUse.objects.all()
        },
    }


def all_expected():
    """Return the expected result of `all_stored`."""
    checkouts, last, months = Counter(), {}, Counter()
    for event in LoanEvent.objects.select_related("book").filter(kind="checkout"):
        day = event.occurred_at.date()
        checkouts[event.book_id] += 1
        last[event.book_id] = max(last.get(event.book_id, day), day)
        months[day.replace(day=1), event.branch_id, event.book.category_id] += 1
    books = Book.objects.all()
    return {
        **{model.__name__: expected(model, key_of) for model, (_, key_of) in KEYS.items()},
        "months": dict(months),
        "titles": {book.pk: (checkouts[book.pk], last.get(book.pk), book.category_id) for book in books},
        "holdings": expected_holdings(checkouts),
    }


def expected_holdings(checkouts):
    """Return the holdings by branch (None: all branches), category and decade."""
    found = {}
    for branch in [None, *Branch.objects.values_list("pk", flat=True)]:
        for book in Book.objects.all():
            copies = [
                copy
                for copy in Copy.objects.filter(book=book)
                if copy.status not in ("lost", "withdrawn") and branch in (None, copy.branch_id)
            ]
            if not copies:
                continue
            decade = None if book.year is None else book.year // 10 * 10
            numbers = found.setdefault((branch, book.category_id, decade), [0, 0, 0, 0, None])
            numbers[0] += len(copies)
            numbers[1] += 1
            numbers[2] += checkouts[book.pk] > 0
            numbers[3] += 0 < checkouts[book.pk] < settings.POPULARITY_MIN
            if book.year is not None:
                numbers[4] = (numbers[4] or 0) + book.year
    return {key: tuple(numbers) for key, numbers in found.items()}


HOLDING_COLUMNS = ("copies", "titles", "borrowed", "rarely_borrowed", "year_sum")
KEYS = {
    CategoryDay: ("category", lambda event: event.book.category_id),
    ItemTypeDay: ("item_type", lambda event: event.item_type_id),
    BorrowerCategoryDay: ("borrower_category", lambda event: event.borrower_category_id),
}
