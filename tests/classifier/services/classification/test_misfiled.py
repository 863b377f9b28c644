"""Possibly misfiled books: found honestly, said to be right once and for all, moved."""

import pytest

from classifier.models import Misfiled
from classifier.pipeline.monitoring.label_errors import Opinions
from classifier.selectors.records import all_books, catalogue
from classifier.services.classification.chunk_worker import Reader
from classifier.services.classification.label_errors import find_misfiled
from classifier.services.registry.versions import active_version
from classifier.services.review.misfiled import MisfiledSettledError, dismiss, move
from classifier.services.review.verdicts import correct_category, undo_last
from classifier.services.training.training import train
from library.catalogue.models import Book, Category
from tests.classifier.factories import make_misfiled
from tests.classifier.libraries import CATEGORISED, QUICK, WORDS, make_library
from tests.factories import NOW, make_book, make_category
from tests.logins import make_librarian

#: Filed by mistake; each is about something else by every word. Some are held out, some learned from.
WRONG = ["b003", "b010", "b017", "b022"]


def other(notation):
    names = list(WORDS)
    return names[(names.index(notation) + 1) % len(names)]


@pytest.fixture
def wrong(db, data_folder, settings):
    """A library with mistakes, the model of which learned them; by book: what it should be."""
    settings.MISFILED_PROBABILITY = 0.6
    make_library()
    truth = {}
    for book in Book.objects.filter(control_number__in=WRONG).select_related("category"):
        truth[book.control_number] = book.category.notation
        book.category = Category.objects.get(notation=other(book.category.notation))
        book.save()
    train(now=NOW, settings=QUICK)
    return truth


@pytest.fixture
def reader(wrong):
    return Reader.of(version=active_version(), precision=0.9)


def listed():
    rows = Misfiled.objects.filter(dismissed_at=None)
    return dict(rows.values_list("book__control_number", "category__notation"))


def test_mistakes_that_the_model_was_taught_are_found_all_the_same(wrong, reader):
    learned = set(wrong) - set(reader.model.held_out)
    assert learned
    # Asked the ordinary way, it says what it was told.
    assert find_misfiled(reader=reader, now=NOW) == Misfiled.objects.count()
    assert listed().items() >= {number: wrong[number] for number in learned}.items()
    rows = Misfiled.objects.filter(book__control_number__in=learned).select_related("filed", "book")
    for row in rows:
        assert row.filed == row.book.category
        assert 0.6 <= row.probability <= 1
        assert row.filed_probability < 0.4
        assert row.model_version == active_version()


def test_a_right_book_is_no_mistake_because_it_was_learned_from(wrong, reader):
    find_misfiled(reader=reader, now=NOW)
    assert set(listed()) <= set(wrong)


def test_the_reasons_are_words_of_the_other_category(wrong, reader):
    find_misfiled(reader=reader, now=NOW)
    for row in Misfiled.objects.select_related("category"):
        named = [word for _field, word, _gain in row.evidence["terms"]["for"]]
        assert named
        assert {word for pair in named for word in pair.split()} <= set(WORDS[row.category.notation].split())
        total = row.evidence["baseline"] + sum(row.evidence["shares"].values())
        assert total == pytest.approx(row.evidence["decision"], abs=3e-4)


def test_a_book_that_was_filed_after_the_training_is_judged_by_the_model_itself(wrong, reader):
    book = make_book(control_number="later", title="star comet orbit", description="galaxy nebula eclipse")
    correct_category(book=book, category=Category.objects.get(notation="COO"))
    find_misfiled(reader=reader, now=NOW)
    assert listed()["later"] == "AST"
    found = Misfiled.objects.get(book=book)
    part = catalogue(all_books().filter(pk=book.pk))
    expected = reader.model.predict_proba(part)[0].max()
    assert found.probability == pytest.approx(expected, abs=1e-5)


def test_a_book_filed_anew_since_the_training_is_left_in_peace(wrong, reader):
    find_misfiled(reader=reader, now=NOW)
    number = next(iter(set(listed()) - set(reader.model.held_out)))
    third = make_category()
    correct_category(book=Book.objects.get(control_number=number), category=third)
    assert find_misfiled(reader=reader, now=NOW) == Misfiled.objects.count()
    assert number not in listed()


def test_the_answers_kept_are_of_the_books_learned_from_each_by_a_network_that_had_not_seen_it(wrong, reader):
    model = reader.model
    learned = {model.gallery.ids[row] for row in model.unseen.rows}
    assert len(learned) == CATEGORISED
    assert set(model.unseen.fold.tolist()) == {0, 1}
    kept = {model.gallery.ids[row]: i for i, row in enumerate(model.unseen.rows.tolist())}
    for number in wrong:
        i = kept[number]
        assert model.classes[model.unseen.told[i]].endswith(other(wrong[number]))
    assert Opinions(model).disagreements(catalogue(all_books()), sure=1.1) == []


def test_said_to_be_right_it_does_not_come_back(wrong, reader):
    find_misfiled(reader=reader, now=NOW)
    row = Misfiled.objects.first()
    number = row.book.control_number
    dismiss(misfiled=row, now=NOW)
    find_misfiled(reader=reader, now=NOW)
    assert number not in listed()
    row.refresh_from_db()
    assert row.dismissed_at == NOW
    with pytest.raises(MisfiledSettledError):
        dismiss(misfiled=row, now=NOW)


def test_what_is_no_longer_so_is_taken_off(wrong, reader, settings):
    stale = make_misfiled(book=make_book(category=make_category()))
    find_misfiled(reader=reader, now=NOW)
    assert not Misfiled.objects.filter(pk=stale.pk).exists()
    settings.MISFILED_PROBABILITY = 0.999999
    assert find_misfiled(reader=reader, now=NOW) == Misfiled.objects.count() == 0


@pytest.mark.django_db
def test_moved_it_is_the_librarians_own_decision_and_a_review_that_can_be_undone():
    row, reviewer = make_misfiled(), make_librarian()
    book = move(misfiled=row, reviewer=reviewer, now=NOW)
    assert (book.category, book.category_source) == (row.category, "librarian")
    assert not Misfiled.objects.exists()
    review = undo_last(reviewer=reviewer, now=NOW)
    assert (review.verdict, review.suggested, review.probability) == ("accept", row.category, 0.97)
    assert (review.model_version, review.book.category) == (row.model_version, row.filed)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "what",
    [
        lambda m: move(misfiled=m, reviewer=make_librarian(), now=NOW),
        lambda m: dismiss(misfiled=m, now=NOW),
    ],
)
def test_a_book_filed_otherwise_meanwhile_is_settled(what):
    row = make_misfiled()
    category = make_category()
    correct_category(book=row.book, category=category)
    with pytest.raises(MisfiledSettledError, match="settled meanwhile"):
        what(row)
    row.book.refresh_from_db()
    assert row.book.category == category
