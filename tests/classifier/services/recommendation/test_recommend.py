import csv
import io
import re
from datetime import timedelta
from itertools import groupby

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from classifier.errors import ClassifierError
from classifier.models import Recommendation, TitleLinks
from classifier.selectors.recommendations import similar_titles
from classifier.services.fingerprints import fingerprint_of
from classifier.services.recommendation.recommend import recommend
from library.catalogue.models import Book
from library.circulation.models import Loan, LoanEvent
from library.people.models import AuditEntry, Borrower
from library.people.services.audit import system_user
from tests.classifier.factories import make_feedback
from tests.classifier.libraries import BORROWERS, make_library
from tests.factories import NOW, make_book, make_borrower, make_loan

pytestmark = pytest.mark.django_db


def recommended():
    """Recommended titles by card number, best first."""
    rows = Recommendation.objects.order_by("borrower__card_number", "rank").select_related("borrower", "book")
    return {card: list(ranked) for card, ranked in groupby(rows, key=lambda row: row.borrower.card_number)}


def history(card):
    """The books a borrower has had."""
    return set(Book.objects.filter(copies__loans__borrower__card_number=card))


def contents(model):
    """All rows but for their primary keys."""
    fields = [field.attname for field in model._meta.fields if not field.primary_key]
    return list(model.objects.order_by(*fields).values_list(*fields))


def similar():
    """Titles like each book, by its key, the nearest first."""
    return {book: similar_titles(book=book, n=10) for book in Book.objects.values_list("pk", flat=True)}


def test_each_borrower_gets_ranked_titles_that_are_new_to_them():
    make_library()
    result = recommend(now=NOW, n=4)
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
        "made_anew": BORROWERS,
        "linked_titles": TitleLinks.objects.count(),
        "output": None,
    }


def test_a_borrower_who_keeps_to_one_category_is_recommended_that_category():
    make_library()
    recommend(now=NOW, n=1)
    for card, (best,) in recommended().items():
        shelf = {book.category_id for book in history(card) if book.category_id}
        assert shelf == {best.book.category_id} or best.book.category_id is None


def test_borrowed_titles_come_again_only_when_asked_for():
    make_library()
    recommend(now=NOW, n=50, include_borrowed=True)
    for card, rows in recommended().items():
        assert history(card) <= {row.book for row in rows}


def test_a_reason_names_a_title_the_borrower_has_had():
    make_library()
    recommend(now=NOW)
    kinds = set()
    for card, rows in recommended().items():
        titles = {book.title for book in history(card)}
        for row in rows:
            kind, title, rest = re.split("[“”]", row.reason)
            kinds.add((kind, rest))
            assert title in titles
            assert row.because.title == title
    assert ("Borrowed by readers of ", "") in kinds
    assert ("Like ", " in words") in kinds
    assert kinds <= {
        ("Borrowed by readers of ", ""),
        ("Like ", " in words"),
        ("Borrowed by readers of ", ", and like it in words"),
    }


def test_what_only_popularity_speaks_for_says_so():
    star, comet, popular, _ = (make_book(title=title) for title in ("star", "a star", "soup", "a soup"))
    reader = make_loan(book=star).borrower
    for _number in range(5):
        LoanEvent.objects.create(kind="checkout", at=NOW, book=popular)
    recommend(now=NOW)
    rows = Recommendation.objects.filter(borrower=reader)
    assert [(row.book, row.reason) for row in rows] == [
        (comet, "Like “star” in words"),
        (popular, "Much borrowed in this library"),
    ]


def test_a_very_long_title_is_cut_in_the_reason():
    long, other = make_book(title="star " * 200), make_book(title="star")
    reader = make_loan(book=long).borrower
    recommend(now=NOW)
    row = Recommendation.objects.get(borrower=reader)
    assert row.book == other
    assert row.reason == f"Like “{('star ' * 60)[:299]}…” in words"


def test_books_without_a_common_word_are_no_error():
    make_loan(book=make_book(title="star"))
    make_book(title="soup")
    result = recommend(now=NOW)
    assert (result["recommendations"], result["linked_titles"]) == (0, 0)


def test_recommending_twice_leaves_the_same_rows():
    make_library()
    recommend(now=NOW)
    before = contents(Recommendation), contents(TitleLinks)
    recommend(now=NOW)
    assert (contents(Recommendation), contents(TitleLinks)) == before


def test_shorter_lists_replace_longer_ones():
    make_library()
    recommend(now=NOW, n=10)
    recommend(now=NOW, n=2)
    assert {len(rows) for rows in recommended().values()} == {2}


def test_without_loans_there_are_similar_titles_and_no_recommendations():
    make_library()
    Loan.objects.all().delete()
    result = recommend(now=NOW)
    assert (result["borrowers"], result["recommendations"]) == (0, 0)
    assert result["linked_titles"] == TitleLinks.objects.count() > 0
    assert not Recommendation.objects.exists()


def test_similar_titles_are_ranked_and_share_words():
    make_library()
    Loan.objects.all().delete()
    recommend(now=NOW)
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


def test_an_empty_catalogue_is_an_error_that_names_the_way_out():
    with pytest.raises(ClassifierError) as caught:
        recommend(now=NOW)
    assert caught.value.message == ("The catalogue is empty. Import books first: manage.py import_books FILE")


def test_a_first_loan_made_meanwhile_gives_no_one_anothers_recommendations():
    newcomer = make_borrower(card_number="a newcomer with a lower key")
    make_library()
    recommend(now=NOW)
    before = contents(Recommendation)
    borrowed = []

    def borrow(phase, done, total):
        if not borrowed:
            borrowed.append(make_loan(borrower=newcomer))

    recommend(now=NOW, progress=borrow)
    assert borrowed
    assert contents(Recommendation) == before


def test_borrowers_and_titles_deleted_meanwhile_are_left_out():
    make_library()
    book = make_book(title="star comet")
    recommend(now=NOW, n=50)
    assert Recommendation.objects.filter(book=book).exists()
    leaver = Borrower.objects.get(card_number="p000")

    def delete(phase, done, total):
        Loan.objects.filter(borrower=leaver).delete()
        Borrower.objects.filter(pk=leaver.pk).delete()
        Book.objects.filter(pk=book.pk).delete()

    recommend(now=NOW, n=50, progress=delete)
    assert recommended().keys() == {f"p{number:03}" for number in range(1, BORROWERS)}
    assert not any(row.book.pk == book.pk for rows in similar().values() for row in rows)


def test_the_file_holds_what_the_rows_hold(tmp_path):
    make_library()
    file = tmp_path / "recommendations.csv"
    assert recommend(now=NOW, n=3, output=file)["output"] == str(file)
    expected = io.StringIO(newline="")
    writer = csv.writer(expected)
    writer.writerow(["borrower", "rank", "book", "score", "reason"])
    for card, rows in recommended().items():
        for row in rows:
            writer.writerow([card, row.rank, row.book.control_number, f"{row.score:.6f}", row.reason])
    assert file.read_bytes().decode() == expected.getvalue()
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.user_name, entry.path) == (
        "exported",
        system_user(),
        "manage.py recommend --output",
    )
    assert (entry.at, entry.object_type) == (NOW, "people.borrower")
    borrowers = Recommendation.objects.values_list("borrower", flat=True).distinct().order_by("borrower")
    assert entry.listed.split() == [str(pk) for pk in borrowers]


def test_there_is_no_file_without_its_entry(tmp_path, monkeypatch):
    make_library()
    recommend(now=NOW)
    assert not AuditEntry.objects.exists()

    def fail(**fields):
        raise DatabaseError("disk full")

    monkeypatch.setattr("classifier.services.recommendation.recommend.write_entry", fail)
    with pytest.raises(DatabaseError, match="disk full"):
        recommend(now=NOW, output=tmp_path / "recommendations.csv")
    assert list(tmp_path.glob("*.csv")) == []


def test_a_file_in_a_folder_that_is_not_there_is_refused_by_name(tmp_path):
    make_library()
    file = tmp_path / "nowhere" / "recommendations.csv"
    with pytest.raises(ClassifierError) as caught:
        recommend(now=NOW, output=file)
    assert caught.value.message == f"{file} cannot be written: No such file or directory."


def test_the_queries_do_not_grow_with_the_borrowers():
    make_library()

    def queries():
        TitleLinks.objects.all().delete()
        Recommendation.objects.all().delete()
        with CaptureQueriesContext(connection) as found:
            recommend(now=NOW)
        return len(found)

    few = queries()
    for number in range(BORROWERS):
        newcomer = make_borrower(card_number=f"q{number:03}")
        for loan in Loan.objects.filter(borrower__card_number=f"p{number:03}"):
            make_loan(book=loan.copy.book, borrower=newcomer, borrowed_at=loan.borrowed_at)
    # Twice the loans bring one more list of keys.
    assert few <= queries() <= few + 2
    assert few < 50


def test_lists_are_made_anew_only_where_loans_opinions_or_linked_titles_changed():
    make_library()
    assert recommend(now=NOW, n=3)["made_anew"] == BORROWERS
    before = contents(Recommendation)
    later = NOW + timedelta(days=1)
    assert recommend(now=later, n=3)["made_anew"] == 0
    assert contents(Recommendation) == before
    borrower = Borrower.objects.get(card_number="p000")
    make_feedback(borrower=borrower, book=Recommendation.objects.filter(borrower=borrower).first().book)
    assert recommend(now=later, n=3)["made_anew"] == 1
    # A loan changes what follows titles alike: not those that share no piece of a word with its own.
    fresh = Book.objects.exclude(copies__loans__borrower=borrower).filter(category__notation="AST").first()
    make_loan(book=fresh, borrower=borrower)
    assert 1 <= recommend(now=later, n=3)["made_anew"] < BORROWERS
    history_readers = Recommendation.objects.filter(borrower__card_number="p002")
    assert set(history_readers.values_list("created_at", flat=True)) == {NOW}
    TitleLinks.objects.all().delete()
    kept = contents(Recommendation)
    assert recommend(now=later, n=3)["made_anew"] == 0
    assert contents(Recommendation) == kept
    assert recommend(now=later, n=4)["made_anew"] == BORROWERS


def test_a_list_that_lost_a_title_is_made_whole_again():
    make_library()
    recommend(now=NOW, n=3)
    before = contents(Recommendation)
    Recommendation.objects.filter(borrower__card_number="p003", rank=2).delete()
    assert recommend(now=NOW, n=3)["made_anew"] == 1
    assert contents(Recommendation) == before


def test_the_library_says_how_many_borrowers_a_pair_of_titles_is_of(settings):
    make_library()
    recommend(now=NOW)
    shared = Recommendation.objects.filter(sources__startswith="loans").count()
    before = fingerprint_of(kind="recommend", parameters={}, now=NOW)
    settings.RECOMMEND_MIN_BORROWERS = 1000
    assert fingerprint_of(kind="recommend", parameters={}, now=NOW) != before
    recommend(now=NOW)
    assert shared > 0
    assert not Recommendation.objects.filter(sources__startswith="loans").exists()
