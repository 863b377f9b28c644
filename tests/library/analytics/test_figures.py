"""Each figure is what its definition says, counted again in plain Python from the rows."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from library.analytics.selectors.collection import titles_by_decade, use_by_category
from library.analytics.selectors.disclosure_control import told_groups
from library.analytics.selectors.history import monthly_checkouts
from library.analytics.selectors.loans import GROUPS, METRICS, NotCountedError, by_season, counts
from library.analytics.selectors.overdue import overdue_by_branch
from library.analytics.selectors.purchase import holds_of_all, wanted_titles
from library.analytics.selectors.scope import INTERVALS, Scope, period_of, periods
from library.analytics.selectors.shelf_list import shelf_list
from library.analytics.selectors.titles import least_loaned, most_loaned, never_loaned
from library.analytics.selectors.tree import shown_under
from library.analytics.selectors.weeding import weeding_candidates, with_reasons
from library.analytics.services.refresh import refresh_statistics
from library.catalogue.models import Book
from library.circulation.models import Hold, LoanEvent
from library.circulation.services.anonymisation import forget_loans
from tests.databases import undone
from tests.factories import NOW, make_book, make_borrower, make_branch, make_category, make_copy, make_loan
from tests.library.analytics.histories import Town, events

ALL = Scope(date(2024, 1, 1), date(2024, 12, 31))
DAY = timedelta(days=1)
KEY_OF = {
    "none": lambda event: None,
    "branch": lambda event: event.branch_id,
    "category": lambda event: event.book.category_id,
    "item_type": lambda event: event.item_type_id,
}


def counted(scope, interval, key_of, metric):
    """By group and period, in plain Python."""
    found = defaultdict(Counter)
    for event in LoanEvent.objects.select_related("book", "loan"):
        day = event.at.date()
        of = {"checkouts": "checkout", "renewals": "renewal", "checkins": "checkin", "holds": "hold_placed"}
        if metric == "late":
            fits = event.kind == "checkin" and event.loan and event.loan.due_at < event.at
        else:
            fits = event.kind == of[metric]
        if not fits or not scope.start <= day <= scope.end:
            continue
        if scope.branch not in (None, event.branch_id):
            continue
        if scope.category is not None and event.book.category_id not in scope.categories:
            continue
        found[key_of(event)][period_of(day=day, interval=interval) if interval else scope.start] += 1
    return {key: dict(numbers) for key, numbers in found.items()}


@pytest.mark.django_db
@hypothesis_settings(max_examples=30)
@given(
    history=events,
    interval=st.sampled_from([*INTERVALS, None]),
    group_by=st.sampled_from(list(KEY_OF)),
    metric=st.sampled_from(METRICS),
    start=st.sampled_from([date(2024, 1, 1), date(2024, 3, 31)]),
    end=st.sampled_from([date(2024, 4, 1), date(2024, 4, 30)]),
    at_branch=st.booleans(),
    of_category=st.booleans(),
)
def test_counts_are_those_of_the_events(
    history, interval, group_by, metric, start, end, at_branch, of_category
):
    with undone():
        town = Town()
        for event in history:
            town.record(*event)
        refresh_statistics(now=NOW)
        scope = Scope(
            start,
            end,
            town.branches[0].pk if at_branch else None,
            town.categories[0].pk if of_category else None,
        )
        if of_category and group_by == "item_type":
            with pytest.raises(NotCountedError):
                counts(scope=scope, interval=interval, group_by=group_by, metrics=(metric,))
            return
        table = counts(scope=scope, interval=interval, group_by=group_by, metrics=(metric,))
        found = {
            group.key: {when: numbers[metric] for when, numbers in rows.items() if numbers[metric]}
            for group, rows in table.items()
        }
        assert {key: rows for key, rows in found.items() if rows} == counted(
            scope, interval, KEY_OF[group_by], metric
        )
        for rows in table.values():
            every = periods(start=scope.start, end=scope.end, interval=interval) if interval else [start]
            assert list(rows) == list(every)


@given(sizes=st.dictionaries(st.integers(), st.integers(0, 40), max_size=8), least=st.integers(2, 10))
def test_small_groups_are_not_told_and_cannot_be_worked_out(sizes, least):
    told = told_groups(sizes, least=least)
    shown = [number for number in told.values() if number is not None]
    assert told.keys() == sizes.keys()
    assert all(number == 0 or number >= least for number in shown)
    hidden = sum(sizes.values()) - sum(shown)
    # What is left is enough, or it is all there is.
    assert hidden == 0 or hidden >= least or not any(shown)
    assert all(told[key] == number for key, number in sizes.items() if told[key] is not None)


@pytest.mark.django_db
def test_a_group_of_few_borrowers_is_put_together_with_the_unknown(settings):
    settings.CO_BORROWING_MIN, settings.POPULARITY_MIN = 2, 2
    town = Town()  # each group has one borrower
    for number in range(4):
        town.record("checkout", NOW + number * DAY, 0, 0, 0, False)
    refresh_statistics(now=NOW)
    table = counts(scope=ALL, interval=None, group_by="borrower_category")
    assert [(group.key, *rows.values()) for group, rows in table.items()] == [(None, {"checkouts": 4})]
    make_borrower(category=town.borrowers[0].category)
    (group,) = counts(scope=ALL, interval=None, group_by="borrower_category")
    assert group.key == town.borrowers[0].category_id
    assert set(GROUPS) == {*KEY_OF, "borrower_category"}


@pytest.mark.django_db
@hypothesis_settings(max_examples=25)
@given(
    loans=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 1)), max_size=25),
    forgotten=st.booleans(),
)
def test_most_least_and_never_borrowed(loans, forgotten):
    """Of the third borrower, who is left out, nothing is told; of titles with few loans, how few."""
    with undone():
        branches = [make_branch(), make_branch()]
        books = [make_book() for _ in range(4)]
        copies = [make_copy(book=book, branch=branches[0]) for book in books]
        people = [make_borrower(), make_borrower(), make_borrower(left_out=True)]
        for number, (what, who, where) in enumerate(loans):
            at = datetime(2024, 1, 1, tzinfo=UTC) + number * DAY
            about = {"copy": copies[what], "borrower": people[who], "branch": branches[where]}
            loan = make_loan(borrowed_at=at, returned_at=at, **about)
            LoanEvent.objects.create(kind="checkout", at=at, book=books[what], loan=loan, **about)
        refresh_statistics(now=NOW)
        if forgotten:
            forget_loans(now=NOW + 3000 * DAY)
            refresh_statistics(now=NOW)
        counted = Counter(books[what].pk for what, who, _ in loans if who != 2)
        expected = [(pk, number) for pk, number in counted.items() if number >= 5]
        expected.sort(key=lambda pair: (-pair[1], pair[0]))
        found = most_loaned(scope=ALL, limit=3)
        assert [(lent.book.pk, lent.checkouts) for lent in found] == expected[:3]
        lent = Counter(books[what].pk for what, _, _ in loans)
        assert {use.pk for use in least_loaned(scope=ALL)} == {pk for pk, n in lent.items() if n < 5}
        assert {book.pk for book in never_loaned(scope=ALL)} == {
            book.pk for book in books if not lent[book.pk]
        }
        assert not never_loaned(scope=Scope(ALL.start, ALL.end, branches[1].pk)).exists()


@pytest.mark.django_db
def test_use_of_a_category_and_its_age():
    def year(**places):
        return Scope(ALL.start, ALL.end, **places)  # each remembers what it has read

    category = make_category()
    book = make_book(category=category, year=2001)
    unused = make_book(category=category, year=2011)
    copies = [make_copy(book=book), make_copy(book=book), make_copy(book=unused)]
    make_copy(book=make_book(category=category, year=1900), status="withdrawn")
    there = make_branch()
    make_copy(book=unused, branch=there)
    undated = make_copy(book=make_book(category=category), branch=there)
    for number in range(6):
        LoanEvent.objects.create(kind="checkout", at=NOW, book=book, copy=copies[number % 2])
    refresh_statistics(now=NOW)
    use = use_by_category(scope=year())[category.pk]
    assert (use.copies, use.checkouts, use.titles, use.never, use.year) == (5, 6, 3, 2, 2006)
    assert use.turnover == 6 / 5
    assert titles_by_decade(scope=year()) == {2000: (1, 1), 2010: (1, 0), None: (1, 0)}
    use = use_by_category(scope=year(branch=there.pk, category=category.pk))[category.pk]
    assert (use.copies, use.checkouts, use.titles, use.never, use.year) == (2, 0, 2, 2, 2011)
    # What is bought or given away counts from the next refresh on.
    undated.delete()
    assert use_by_category(scope=year())[category.pk].titles == 3
    refresh_statistics(now=NOW)
    assert use_by_category(scope=year())[category.pk].titles == 2


@pytest.mark.django_db
def test_a_season_is_the_mean_of_such_days():
    book = make_book()
    for day in (1, 1, 8):  # two Mondays of five in January 2024
        LoanEvent.objects.create(kind="checkout", at=datetime(2024, 1, day, tzinfo=UTC), book=book)
    refresh_statistics(now=NOW)
    found = by_season(scope=Scope(date(2024, 1, 1), date(2024, 2, 29)))
    assert found[1, 1] == 3 / 5
    assert found[2, 1] == 0
    assert (3, 1) not in found


@pytest.mark.django_db
def test_overdue_loans_stand_in_the_class_of_their_lateness():
    branch = make_branch()
    for days in (0, 1, 7, 8, 30, 31, 90, 91, 400):
        due_at = NOW - days * DAY
        make_loan(branch=branch, borrowed_at=due_at - DAY, due_at=due_at)
    make_loan(borrowed_at=NOW - 9 * DAY, due_at=NOW - 8 * DAY)
    assert overdue_by_branch(now=NOW, scope=ALL) == {branch.pk: [2, 2, 2, 2], None: [0, 1, 0, 0]}


@pytest.mark.django_db
def test_so_many_copies_are_to_be_bought_that_no_copy_has_too_many_holds(settings):
    settings.HOLDS_PER_COPY, settings.POPULARITY_MIN = 2, 3
    for holds, copies in ((3, 1), (5, 0), (4, 2), (2, 0)):
        book = make_book(title=f"{holds} for {copies}")
        for position in range(holds):
            Hold.objects.create(book=book, borrower=make_borrower(), position=position + 1, placed_at=NOW)
        for _ in range(copies):
            make_copy(book=book)
        make_copy(book=book, status="lost")
    found = {wanted.book.title: wanted.to_buy for wanted in wanted_titles(scope=ALL)}
    assert found == {"5 for 0": 3, "3 for 1": 1}
    assert holds_of_all(scope=ALL) == (14, 3)


@pytest.mark.django_db
def test_weeding_candidates_have_their_reasons_and_nothing_that_is_waited_for():
    def title(name, *, years, copies=1, year=None, since=2000):
        book = make_book(title=name, year=year)
        Book.objects.filter(pk=book.pk).update(created_at=datetime(since, 1, 1, tzinfo=UTC))
        for _ in range(copies):
            copy = make_copy(book=book)
        if years is not None:
            LoanEvent.objects.create(
                kind="checkout", at=NOW - timedelta(days=366 * years), book=book, copy=copy
            )
        return book

    title("lent lately", years=2)
    title("lent long ago", years=4, year=1990)
    title("never lent", years=None, copies=2, year=2020)
    title("new", years=None, since=2023)
    waited_for = title("waited for", years=None)
    Hold.objects.create(book=waited_for, borrower=make_borrower(), position=1, placed_at=NOW)
    title("gone", years=None, copies=0)
    refresh_statistics(now=NOW)
    books = weeding_candidates(scope=ALL, now=NOW)
    found = [
        (one.book.title, one.copies, one.last, one.reasons)
        for one in with_reasons(scope=ALL, books=books, now=NOW, limit=None)
    ]
    assert found == [
        ("never lent", 2, None, ("unborrowed", "spare_copies")),
        ("lent long ago", 1, 2020, ("unborrowed", "old")),
    ]


@pytest.mark.django_db
def test_an_edition_is_superseded_by_a_later_one_of_the_same_work_that_is_held():
    work = {"title": "On birds", "authors": "A. Hill", "language": "en"}
    editions = [
        make_book(**work | fields)
        for fields in (
            {"year": 1990},
            {"year": 2001},
            {"year": 2010},  # held no more
            {"year": 1985, "subtitle": "Volume two"},
            {"year": 1985, "authors": "B. Marsh"},
            {"year": 1985, "language": "fr"},
            {"year": None},
        )
    ]
    Book.objects.update(created_at=datetime(2000, 1, 1, tzinfo=UTC))
    for book in editions:
        make_copy(book=book, status="lost" if book.year == 2010 else "available")
    refresh_statistics(now=NOW)
    books = weeding_candidates(scope=ALL, now=NOW)
    found = with_reasons(scope=ALL, books=books, now=NOW, limit=None)
    assert [one.book for one in found if "superseded" in one.reasons] == [editions[0]]


@pytest.mark.django_db
def test_the_shelf_list_is_in_the_order_of_the_shelves():
    there = make_branch()
    for place, number in (("B", "1"), ("A", "2"), ("A", "1")):
        make_copy(branch=there, shelf_location=place, call_number=number)
    make_copy(branch=there, status="lost")
    make_copy()
    rows = shelf_list(scope=Scope(ALL.start, ALL.end, there.pk)).values_list("shelf_location", "call_number")
    assert list(rows) == [("A", "1"), ("A", "2"), ("B", "1")]


@pytest.mark.django_db
def test_categories_are_shown_at_one_level_of_the_tree():
    top, other = make_category(notation="1"), make_category(notation="2")
    child = make_category(notation="11", parent=top)
    grandchild = make_category(notation="111", parent=child)
    under, shown = shown_under(below=None)
    assert (shown, under[grandchild.pk]) == ([top, other], top.pk)
    under, shown = shown_under(below=top.pk)
    assert shown == [top, child]
    assert under == {top.pk: top.pk, child.pk: child.pk, grandchild.pk: child.pk}


@pytest.mark.django_db
def test_the_history_is_the_whole_months_without_gaps():
    book = make_book()
    for month, day in ((1, 15), (2, 1), (4, 30), (6, 1)):
        LoanEvent.objects.create(kind="checkout", at=datetime(2024, month, day, tzinfo=UTC), book=book)
    refresh_statistics(now=NOW)
    months, series = monthly_checkouts(scope=ALL, now=NOW)  # in June
    assert months == [date(2024, month, 1) for month in (2, 3, 4, 5)]
    assert series == {None: [1, 0, 1, 0]}


@given(day=st.dates(date(1999, 1, 1), date(2030, 1, 1)), interval=st.sampled_from(INTERVALS))
def test_every_day_is_in_one_period(day, interval):
    start = period_of(day=day, interval=interval)
    following = list(periods(start=day, end=day + timedelta(days=800), interval=interval))
    assert following[0] == start <= day < following[1]
    assert following == sorted(set(following))
    assert all(period_of(day=one, interval=interval) == one for one in following)
