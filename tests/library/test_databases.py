"""Test databases are real, empty, and visible to all threads."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection

from library.catalogue.models import Book
from tests.databases import both_databases
from tests.factories import make_book, make_copy, make_loan


@both_databases
@pytest.mark.parametrize("repetition", [1, 2])
def test_database_starts_empty_and_commits(database, repetition):
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
def test_copy_has_one_open_loan(database):
    copy = make_copy()
    make_loan(copy=copy)
    with pytest.raises(IntegrityError):
        make_loan(copy=copy)


@pytest.mark.django_db
def test_default_test_database_is_unchanged():
    assert connection.is_in_memory_db()
    assert list(Book.objects.all()) == []
