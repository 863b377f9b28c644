from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from classifier.errors import ClassifierError
from classifier.models import ItemNeighbours, Recommendation
from classifier.selectors.recommendations import similar_titles
from classifier.services.fingerprints import fingerprint_of
from classifier.services.recommendation.recommend import recommend
from classifier.services.runs.context import JobContext
from library.catalogue.models import Book
from library.circulation.models import Loan
from library.people.models import Borrower
from tests.classifier.factories import make_feedback
from tests.classifier.libraries import BORROWERS, make_library
from tests.classifier.stored_recommendations import history, recommended
from tests.factories import NOW, make_book, make_borrower, make_loan

pytestmark = pytest.mark.django_db


def contents(model):
    """All rows but for their primary keys."""
    fields = [field.attname for field in model._meta.fields if not field.primary_key]
    return list(model.objects.order_by(*fields).values_list(*fields))


def similar():
    """Titles like each book, by its key, the nearest first."""
    return {book: similar_titles(book=book, n=10) for book in Book.objects.values_list("pk", flat=True)}


def test_borrowers_get_ranked_new_titles():
    make_library()
    result = recommend(JobContext(now=NOW), n=4)
    found = recommended()
    assert set(found) == set(Borrower.objects.values_list("card_number", flat=True))
    for card, rows in found.items():
        assert [row.rank for row in rows] == [1, 2, 3, 4]
        assert [row.score for row in rows] == sorted((row.score for row in rows), reverse=True)
        assert len({row.book for row in rows}) == 4
        assert {row.book for row in rows}.isdisjoint(history(card))
    assert result == {
        "borrowers": BORROWERS,
        "recommendations": 4 * BORROWERS,
        "updated_lists": BORROWERS,
        "linked_titles": ItemNeighbours.objects.count(),
        "output": None,
    }


def test_recommendations_follow_the_category():
    make_library()
    recommend(JobContext(now=NOW), n=1)
    for card, (best,) in recommended().items():
        shelf = {book.category_id for book in history(card) if book.category_id}
        assert shelf == {best.book.category_id} or best.book.category_id is None


def test_borrowed_titles_are_excluded_by_default():
    make_library()
    recommend(JobContext(now=NOW), n=50, include_borrowed=True)
    for card, rows in recommended().items():
        assert history(card) <= {row.book for row in rows}


def test_books_without_a_common_word_are_no_error():
    make_loan(book=make_book(title="star"))
    make_book(title="soup")
    result = recommend(JobContext(now=NOW))
    assert (result["recommendations"], result["linked_titles"]) == (0, 0)


def test_recommending_twice_leaves_the_same_rows():
    make_library()
    recommend(JobContext(now=NOW))
    before = contents(Recommendation), contents(ItemNeighbours)
    recommend(JobContext(now=NOW))
    assert (contents(Recommendation), contents(ItemNeighbours)) == before


def test_shorter_lists_replace_longer_ones():
    make_library()
    recommend(JobContext(now=NOW), n=10)
    recommend(JobContext(now=NOW), n=2)
    assert {len(rows) for rows in recommended().values()} == {2}


def test_no_loans_no_recommendations():
    make_library()
    Loan.objects.all().delete()
    result = recommend(JobContext(now=NOW))
    assert (result["borrowers"], result["recommendations"]) == (0, 0)
    assert result["linked_titles"] == ItemNeighbours.objects.count() > 0
    assert not Recommendation.objects.exists()


def test_similar_titles_are_ranked_and_share_words():
    make_library()
    Loan.objects.all().delete()
    recommend(JobContext(now=NOW))
    found = similar()
    for key, ranked in found.items():
        book = Book.objects.get(pk=key)
        assert [row.rank for row in ranked] == list(range(1, len(ranked) + 1))
        assert [row.score for row in ranked] == sorted((row.score for row in ranked), reverse=True)
        assert {row.sources for row in ranked} == {("text",)}
        words = set(f"{book.title} {book.description}".split())
        for row in ranked:
            assert words & set(f"{row.book.title} {row.book.description}".split())
    assert all(found.values())


def test_empty_catalogue_names_the_command():
    with pytest.raises(ClassifierError) as caught:
        recommend(JobContext(now=NOW))
    assert caught.value.message == ("The catalogue is empty. Import books first: manage.py import_books FILE")


def test_new_borrower_during_the_run_shifts_no_list():
    newcomer = make_borrower(card_number="a newcomer with a lower key")
    make_library()
    recommend(JobContext(now=NOW))
    before = contents(Recommendation)
    borrowed = []

    def borrow(phase, done, total):
        if not borrowed:
            borrowed.append(make_loan(borrower=newcomer))

    recommend(JobContext(now=NOW, progress=borrow))
    assert borrowed
    assert contents(Recommendation) == before


def test_deleted_borrowers_and_titles_are_excluded():
    make_library()
    book = make_book(title="star comet")
    recommend(JobContext(now=NOW), n=50)
    assert Recommendation.objects.filter(book=book).exists()
    leaver = Borrower.objects.get(card_number="p000")

    def delete(phase, done, total):
        Loan.objects.filter(borrower=leaver).delete()
        Borrower.objects.filter(pk=leaver.pk).delete()
        Book.objects.filter(pk=book.pk).delete()

    recommend(JobContext(now=NOW, progress=delete), n=50)
    assert recommended().keys() == {f"p{number:03}" for number in range(1, BORROWERS)}
    assert not any(row.book.pk == book.pk for rows in similar().values() for row in rows)


def test_the_queries_do_not_grow_with_the_borrowers():
    make_library()

    def queries():
        ItemNeighbours.objects.all().delete()
        Recommendation.objects.all().delete()
        with CaptureQueriesContext(connection) as found:
            recommend(JobContext(now=NOW))
        return len(found)

    few = queries()
    for number in range(BORROWERS):
        newcomer = make_borrower(card_number=f"q{number:03}")
        for loan in Loan.objects.filter(borrower__card_number=f"p{number:03}"):
            make_loan(book=loan.copy.book, borrower=newcomer, borrowed_at=loan.borrowed_at)
    # Twice the loans bring one more list of keys.
    assert few <= queries() <= few + 2
    assert few < 50


def test_only_changed_lists_are_updated():
    make_library()
    assert recommend(JobContext(now=NOW), n=3)["updated_lists"] == BORROWERS
    before = contents(Recommendation)
    later = NOW + timedelta(days=1)
    assert recommend(JobContext(now=later), n=3)["updated_lists"] == 0
    assert contents(Recommendation) == before
    borrower = Borrower.objects.get(card_number="p000")
    make_feedback(borrower=borrower, book=Recommendation.objects.filter(borrower=borrower).first().book)
    assert recommend(JobContext(now=later), n=3)["updated_lists"] == 1
    # A loan changes the neighbours of similar titles, not of those without a common n-gram.
    fresh = Book.objects.exclude(copies__loans__borrower=borrower).filter(category__notation="AST").first()
    make_loan(book=fresh, borrower=borrower)
    assert 1 <= recommend(JobContext(now=later), n=3)["updated_lists"] < BORROWERS
    history_readers = Recommendation.objects.filter(borrower__card_number="p002")
    assert set(history_readers.values_list("created_at", flat=True)) == {NOW}
    ItemNeighbours.objects.all().delete()
    kept = contents(Recommendation)
    assert recommend(JobContext(now=later), n=3)["updated_lists"] == 0
    assert contents(Recommendation) == kept
    assert recommend(JobContext(now=later), n=4)["updated_lists"] == BORROWERS


def test_incomplete_list_is_completed():
    make_library()
    recommend(JobContext(now=NOW), n=3)
    before = contents(Recommendation)
    Recommendation.objects.filter(borrower__card_number="p003", rank=2).delete()
    assert recommend(JobContext(now=NOW), n=3)["updated_lists"] == 1
    assert contents(Recommendation) == before


def test_min_borrowers_setting(settings):
    make_library()
    recommend(JobContext(now=NOW))
    shared = Recommendation.objects.filter(sources__startswith="loans").count()
    before = fingerprint_of(kind="recommend", parameters={}, now=NOW)
    settings.RECOMMEND_MIN_BORROWERS = 1000
    assert fingerprint_of(kind="recommend", parameters={}, now=NOW) != before
    recommend(JobContext(now=NOW))
    assert shared > 0
    assert not Recommendation.objects.filter(sources__startswith="loans").exists()
