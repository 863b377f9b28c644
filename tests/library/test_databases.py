"""The databases that tests run on are real, empty and seen by every thread."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection

from library.catalogue.models import Book
from tests.databases import both_databases
from tests.factories import make_book, make_copy, make_loan


@both_databases
@pytest.mark.parametrize("turn", [1, 2])
def test_a_test_finds_its_database_empty_and_commits_to_it(database, turn):
    assert connection.vendor == database
    assert list(Book.objects.all()) == []
    make_book(control_number="kept")

    def read_in_a_thread():
        try:
            return connection.vendor, list(Book.objects.values_list("control_number", flat=True))
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(read_in_a_thread).result() == (database, ["kept"])


@both_databases
def test_a_copy_has_one_open_loan(database):
    copy = make_copy()
    make_loan(copy=copy)
    with pytest.raises(IntegrityError):
        make_loan(copy=copy)


@pytest.mark.django_db
def test_the_database_of_other_tests_is_left_as_it_was():
    assert connection.is_in_memory_db()
    assert list(Book.objects.all()) == []
