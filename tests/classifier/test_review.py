import threading

import pytest
from django.db import connection, transaction

from classifier.models import Suggestion
from classifier.services.review import SuggestionReplacedError, accept_suggestion, correct_category
from library.catalogue.models import Book
from tests.classifier.factories import make_suggestion
from tests.databases import on_postgresql
from tests.factories import make_book, make_category


@pytest.mark.django_db
def test_accepting_files_the_book_as_the_librarians_decision():
    suggestion = make_suggestion()
    returned = accept_suggestion(suggestion=suggestion)
    book = Book.objects.get()
    assert returned == book
    assert (book.category, book.category_source) == (suggestion.category, "librarian")


@pytest.mark.django_db
def test_accepting_replaces_a_category_that_a_model_set():
    book = make_book(category=make_category(), category_source="model")
    suggestion = make_suggestion(book=book)
    accept_suggestion(suggestion=suggestion)
    book.refresh_from_db()
    assert (book.category, book.category_source) == (suggestion.category, "librarian")


@pytest.mark.django_db
def test_a_replaced_suggestion_is_refused_and_the_book_stays():
    suggestion = make_suggestion()
    Suggestion.objects.all().delete()
    with pytest.raises(SuggestionReplacedError) as caught:
        accept_suggestion(suggestion=suggestion)
    assert caught.value.extra == {"suggestion": suggestion.pk}
    assert Book.objects.get().category_source == "none"


@pytest.mark.django_db
def test_correcting_keeps_what_others_changed_meanwhile():
    book = make_book(title="Old")
    Book.objects.update(title="New")
    category = make_category()
    correct_category(book=book, category=category)
    book.refresh_from_db()
    assert (book.title, book.category, book.category_source) == ("New", category, "librarian")


@pytest.mark.django_db
def test_clearing_a_category_leaves_no_source():
    book = make_book(category=make_category())
    correct_category(book=book, category=None)
    book.refresh_from_db()
    assert (book.category, book.category_source) == (None, "none")


@on_postgresql
def test_a_run_that_replaces_the_suggestion_wins_over_a_waiting_acceptance(database):
    suggestion = make_suggestion()
    refused = []

    def accept():
        try:
            accept_suggestion(suggestion=suggestion)
        except SuggestionReplacedError as error:
            refused.append(error)
        finally:
            connection.close()

    with transaction.atomic():
        Suggestion.objects.all().delete()
        thread = threading.Thread(target=accept)
        thread.start()
        # Until the acceptance waits for this transaction, or has wrongly gone on without it.
        while thread.is_alive() and not waits_for_lock():
            pass
    thread.join()
    assert len(refused) == 1
    assert Book.objects.get().category_source == "none"


def waits_for_lock():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0]
