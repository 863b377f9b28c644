"""The summary tables match the events, whenever these arrive, and survive anonymisation."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from django.core.management import call_command
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from library.analytics.models import BorrowerMonth, CategoryDay, CountedDay, Statistics, TitleUse
from library.analytics.services import refresh
from library.analytics.services.refresh import refresh_statistics
from library.analytics.tasks import refresh_statistics as task
from library.circulation.models import LoanEvent
from library.circulation.services.anonymisation import anonymise_loans
from library.circulation.services.checkin import checkin
from library.circulation.services.checkout import checkout
from library.circulation.services.erasure import erase_borrower
from tests.databases import both_databases, in_thread, rolled_back
from tests.factories import NOW, make_book, make_borrower, make_borrower_category, make_copy
from tests.library.analytics.histories import MOMENTS, Town, all_expected, all_stored, events

DAY = timedelta(days=1)
STEPS = [
    "_invalidate_moved_titles",
    "_count_titles",
    "_count_days",
    "count_borrowers",
    "_add_unused_titles",
    "count_holdings",
]


@pytest.mark.django_db
@hypothesis_settings(max_examples=40)
@given(before=events, after=events, refiled=st.sampled_from([None, 0, 1]))
def test_tables_match_events(before, after, refiled):
    with rolled_back():
        town = Town()
        for event in before:
            town.record(*event)
        refresh_statistics(now=NOW)
        assert all_stored() == all_expected()
        for event in after:  # on the same and other days, some of them late
            town.record(*event)
        if refiled is not None:
            book = town.books[0]
            book.category = town.categories[1] if refiled else None
            book.category_source = "librarian" if refiled else "none"
            book.save()
        refresh_statistics(now=NOW)
        assert all_stored() == all_expected()
        assert refresh_statistics(now=NOW)["days"] == 0


@pytest.mark.django_db
def test_only_changed_days_are_counted_again(django_assert_max_num_queries):
    town = Town()
    for moment in MOMENTS:
        town.record("checkout", moment, 0, 0, 0, False)
    assert refresh_statistics(now=NOW)["days"] == len({moment.date() for moment in MOMENTS})
    untouched = set(CategoryDay.objects.values_list("pk", flat=True))
    town.record("checkin", MOMENTS[10], 1, None, 1, True)
    assert refresh_statistics(now=NOW) == {"days": 1, "titles": 2, "events": 31}
    gone = untouched - set(CategoryDay.objects.values_list("pk", flat=True))
    assert len(gone) == 1
    with django_assert_max_num_queries(17):
        assert refresh_statistics(now=NOW)["days"] == 0


@pytest.mark.django_db
def test_days_are_in_library_time_zone(settings):
    settings.TIME_ZONE = "Asia/Shanghai"
    Town().record("checkout", MOMENTS[0], 0, 0, 0, False)  # half past six in the morning there
    refresh_statistics(now=NOW)
    assert list(CategoryDay.objects.values_list("day", flat=True)) == [date(2024, 3, 31)]


@pytest.mark.django_db
@hypothesis_settings(max_examples=15)
@given(
    loans=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=10),
    erased=st.integers(0, 5),
)
def test_anonymisation_and_erasure_change_no_number(loans, erased):
    with rolled_back():
        group = make_borrower_category()
        people = [
            make_borrower(category=group, retention="anonymise" if n == 0 else "default") for n in range(6)
        ]
        books = [make_book() for _ in range(4)]
        for number, (who, what) in enumerate(loans):
            copy, at = make_copy(book=books[what]), NOW - (1500 - number) * DAY
            checkout(copy=copy, borrower=people[who], branch=None, now=at)
            checkin(copy=copy, branch=None, now=at + DAY)
        refresh_statistics(now=NOW)
        before, months = all_stored(), list(BorrowerMonth.objects.values())
        anonymise_loans(now=NOW)
        erase_borrower(borrower=people[erased], now=NOW)
        refresh_statistics(now=NOW)
        assert (all_stored(), list(BorrowerMonth.objects.values())) == (before, months)
        # A rebuild from nothing gives the same, except for the borrower counts.
        CountedDay.objects.all().delete()
        refresh_statistics(now=NOW)
        assert all_stored() == before


@pytest.mark.django_db
def test_anonymised_borrower_category_leaves_the_table():
    copy, alone = make_copy(), make_borrower(category=make_borrower_category())
    checkout(copy=copy, borrower=alone, branch=None, now=NOW - 1500 * DAY)
    checkin(copy=copy, branch=None, now=NOW - 1499 * DAY)
    refresh_statistics(now=NOW)
    assert {key[2] for key in all_stored()["BorrowerCategoryDay"]} == {alone.category_id}
    anonymise_loans(now=NOW)
    refresh_statistics(now=NOW)
    assert {key[2] for key in all_stored()["BorrowerCategoryDay"]} == {None}


@pytest.mark.django_db
def test_borrowers_are_new_only_in_their_first_month():
    first, second, excluded = make_borrower(), make_borrower(), make_borrower(excluded_from_statistics=True)
    for who, months in ((first, [0, 0, 1]), (second, [1]), (excluded, [0])):
        for month in months:
            copy, at = make_copy(), NOW + 31 * month * DAY
            checkout(copy=copy, borrower=who, branch=None, now=at)
            checkin(copy=copy, branch=None, now=at)
    refresh_statistics(now=NOW)
    rows = BorrowerMonth.objects.order_by("pk").values_list("new", "returning", "checkouts", "unattributed")
    assert list(rows) == [(1, 0, 3, 1), (1, 1, 2, 0)]
    # Anonymisation and a late checkout do not reduce the counts.
    anonymise_loans(now=NOW + 3000 * DAY)
    checkout(copy=make_copy(), borrower=second, branch=None, now=NOW)
    refresh_statistics(now=NOW)
    assert list(rows) == [(1, 0, 3, 1), (1, 1, 2, 0)]


@both_databases
def test_concurrent_refreshes_count_nothing_twice(database):
    town = Town()
    for moment in MOMENTS:
        town.record("checkout", moment, 0, 0, 0, False)
        town.record("checkin", moment, 1, 1, 1, True)
    with ThreadPoolExecutor() as threads:
        works = [in_thread(threads, lambda: refresh_statistics(now=NOW)) for _ in range(3)]
        assert {work.result()["events"] for work in works} == {60}
    assert all_stored() == all_expected()
    assert refresh_statistics(now=NOW)["days"] == 0


@both_databases
def test_event_during_refresh_counts_next_time(database, monkeypatch):
    town = Town()
    town.record("checkout", MOMENTS[0], 0, 0, 0, False)
    count_titles = refresh._count_titles

    def count_titles_then_check_out(*arguments):
        result = count_titles(*arguments)
        town.record("checkout", MOMENTS[0], 1, 0, 0, False)
        return result

    monkeypatch.setattr(refresh, "_count_titles", count_titles_then_check_out)
    refresh_statistics(now=NOW)
    monkeypatch.undo()
    assert TitleUse.objects.get(book=town.books[1]).checkouts == 0
    assert refresh_statistics(now=NOW)["days"] == 1
    assert all_stored() == all_expected()


@both_databases
@pytest.mark.parametrize("step", STEPS)
def test_refresh_recovers_after_crash(database, step, monkeypatch):
    town = Town()
    for event in MOMENTS:
        town.record("checkout", event, 0, 0, 0, False)
    refresh_statistics(now=NOW)
    town.books[0].category = town.categories[1]
    town.books[0].save()
    town.record("checkin", MOMENTS[-1], 1, 1, 1, True)

    class Crash(BaseException):
        """Not caught by anything, like a kill."""

    original = getattr(refresh, step)

    def crash(*arguments, **named):
        original(*arguments, **named)
        raise Crash

    monkeypatch.setattr(refresh, step, crash)
    with pytest.raises(Crash):
        refresh_statistics(now=NOW + DAY)
    monkeypatch.undo()
    assert Statistics.objects.get().refreshed_at == NOW
    refresh_statistics(now=NOW + DAY)
    assert all_stored() == all_expected()
    assert Statistics.objects.get().refreshed_at == NOW + DAY


@pytest.mark.django_db
def test_refreshed_at_never_goes_back():
    refresh_statistics(now=NOW)
    refresh_statistics(now=NOW - DAY)
    assert Statistics.objects.get().refreshed_at == NOW


@pytest.mark.django_db
def test_command_and_task_refresh(capsys):
    Town().record("checkout", MOMENTS[0], 0, 0, 0, False)
    call_command("refresh_statistics", "--json")
    assert json.loads(capsys.readouterr().out) == {"days": 1, "titles": 1, "events": 1}
    assert task() == {"days": 0, "titles": 0, "events": LoanEvent.objects.count()}
    call_command("refresh_statistics")
    assert capsys.readouterr().out == ("Days counted: 0, titles counted: 0. Events in the statistics: 1.\n")
