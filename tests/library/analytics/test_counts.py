"""Counts over time: compared with plain Python on the events."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from library.analytics.selectors.disclosure_control import suppress_small_cells
from library.analytics.selectors.history import monthly_checkouts
from library.analytics.selectors.loans import GROUPINGS, METRICS, UnsupportedGroupingError, by_season, counts
from library.analytics.selectors.overdue import overdue_by_branch
from library.analytics.selectors.scope import INTERVALS, Scope, period_of, periods
from library.analytics.selectors.tree import shown_under
from library.analytics.services.refresh import refresh_statistics
from library.circulation.models import LoanEvent
from tests.databases import rolled_back
from tests.factories import NOW, make_book, make_borrower, make_branch, make_category, make_loan
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
    """Return the counts by group and period, in plain Python."""
    totals = defaultdict(Counter)
    for event in LoanEvent.objects.select_related("book", "loan"):
        day = event.occurred_at.date()
        kinds = {
            "checkouts": "checkout",
            "renewals": "renewal",
            "checkins": "checkin",
            "holds": "hold_placed",
        }
        if metric == "late":
            fits = event.kind == "checkin" and event.loan and event.loan.due_at < event.occurred_at
        else:
            fits = event.kind == kinds[metric]
        if not fits or not scope.start <= day <= scope.end:
            continue
        if scope.branch not in (None, event.branch_id):
            continue
        if scope.category is not None and event.book.category_id not in scope.categories:
            continue
        totals[key_of(event)][period_of(day=day, interval=interval) if interval else scope.start] += 1
    return {key: dict(numbers) for key, numbers in totals.items()}


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
def test_counts_match_events(history, interval, group_by, metric, start, end, at_branch, of_category):
    with rolled_back():
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
            with pytest.raises(UnsupportedGroupingError):
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


@given(sizes=st.dictionaries(st.integers(), st.integers(0, 40), max_size=8), minimum=st.integers(2, 10))
def test_small_groups_are_hidden_and_cannot_be_derived(sizes, minimum):
    published = suppress_small_cells(sizes, minimum=minimum)
    shown = [number for number in published.values() if number is not None]
    assert published.keys() == sizes.keys()
    assert all(number == 0 or number >= minimum for number in shown)
    hidden = sum(sizes.values()) - sum(shown)
    # The hidden sum is large enough, or everything is hidden.
    assert hidden == 0 or hidden >= minimum or not any(shown)
    assert all(published[key] == number for key, number in sizes.items() if published[key] is not None)


@pytest.mark.django_db
def test_small_borrower_category_is_merged_with_unknown(settings):
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
    assert set(GROUPINGS) == {*KEY_OF, "borrower_category"}


@pytest.mark.django_db
def test_season_is_mean_of_matching_days():
    book = make_book()
    for day in (1, 1, 8):  # two Mondays of five in January 2024
        LoanEvent.objects.create(kind="checkout", occurred_at=datetime(2024, 1, day, tzinfo=UTC), book=book)
    refresh_statistics(now=NOW)
    found = by_season(scope=Scope(date(2024, 1, 1), date(2024, 2, 29)))
    assert found[1, 1] == 3 / 5
    assert found[2, 1] == 0
    assert (3, 1) not in found


@pytest.mark.django_db
def test_overdue_loans_by_days_late():
    branch = make_branch()
    for days in (0, 1, 7, 8, 30, 31, 90, 91, 400):
        due_at = NOW - days * DAY
        make_loan(branch=branch, borrowed_at=due_at - DAY, due_at=due_at)
    make_loan(borrowed_at=NOW - 9 * DAY, due_at=NOW - 8 * DAY)
    assert overdue_by_branch(now=NOW, scope=ALL) == {branch.pk: [2, 2, 2, 2], None: [0, 1, 0, 0]}


@pytest.mark.django_db
def test_categories_are_shown_at_one_level():
    top, other = make_category(notation="1"), make_category(notation="2")
    child = make_category(notation="11", parent=top)
    grandchild = make_category(notation="111", parent=child)
    under, shown = shown_under(below=None)
    assert (shown, under[grandchild.pk]) == ([top, other], top.pk)
    under, shown = shown_under(below=top.pk)
    assert shown == [top, child]
    assert under == {top.pk: top.pk, child.pk: child.pk, grandchild.pk: child.pk}


@pytest.mark.django_db
def test_history_is_whole_months_without_gaps():
    book = make_book()
    for month, day in ((1, 15), (2, 1), (4, 30), (6, 1)):
        LoanEvent.objects.create(
            kind="checkout", occurred_at=datetime(2024, month, day, tzinfo=UTC), book=book
        )
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
    assert all(period_of(day=start, interval=interval) == start for start in following)
