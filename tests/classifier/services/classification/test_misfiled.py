"""Possibly misfiled books: found, confirmed, moved."""

import pytest

from classifier.models import Misfiled
from classifier.pipeline.monitoring.label_errors import Predictions
from classifier.selectors.records import all_books, catalogue
from classifier.services.classification.chunk_worker import BatchContext
from classifier.services.classification.label_errors import find_misfiled
from classifier.services.registry.versions import active_version
from classifier.services.review.misfiled import NotListedError, dismiss, move
from classifier.services.review.verdicts import undo_last
from classifier.services.runs.context import JobContext
from classifier.services.training.training import train
from library.catalogue.models import Book, Category
from tests.classifier.factories import file_book, make_misfiled
from tests.classifier.libraries import CATEGORISED, QUICK, WORDS, make_library
from tests.factories import NOW, make_book, make_category
from tests.logins import make_librarian

#: Misfiled books; every word of them belongs to another category. Some are held out, some trained on.
WRONG = ["b003", "b010", "b017", "b022"]


def other(notation):
    names = list(WORDS)
    return names[(names.index(notation) + 1) % len(names)]


@pytest.fixture
def wrong(db, data_folder, settings):
    """A library with mistakes that its model was trained on; the right notation of each of these books."""
    settings.MISFILED_PROBABILITY = 0.6
    make_library()
    truth = {}
    for book in Book.objects.filter(control_number__in=WRONG).select_related("category"):
        truth[book.control_number] = book.category.notation
        book.category = Category.objects.get(notation=other(book.category.notation))
        book.save()
    train(JobContext(now=NOW), settings=QUICK)
    return truth


@pytest.fixture
def context(wrong):
    return BatchContext.load(version=active_version(), precision=0.9)


def listed():
    rows = Misfiled.objects.filter(dismissed_at=None)
    return dict(rows.values_list("book__control_number", "category__notation"))


def test_mistakes_in_training_books_are_found(wrong, context):
    learned = set(wrong) - set(context.model.held_out)
    assert learned
    assert find_misfiled(context=context, now=NOW) == Misfiled.objects.count()
    assert listed().items() >= {number: wrong[number] for number in learned}.items()
    rows = Misfiled.objects.filter(book__control_number__in=learned).select_related("filed", "book")
    for row in rows:
        assert row.filed == row.book.category
        assert 0.6 <= row.probability <= 1
        assert row.filed_probability < 0.4
        assert row.model_version == active_version()


def test_correct_training_books_are_not_listed(wrong, context):
    find_misfiled(context=context, now=NOW)
    assert set(listed()) <= set(wrong)


def test_evidence_has_words_of_the_predicted_category(wrong, context):
    find_misfiled(context=context, now=NOW)
    for row in Misfiled.objects.select_related("category"):
        named = [word for _field, word, _gain in row.evidence["terms"]["for"]]
        assert named
        assert {word for pair in named for word in pair.split()} <= set(WORDS[row.category.notation].split())
        total = row.evidence["baseline"] + sum(row.evidence["contributions"].values())
        assert total == pytest.approx(row.evidence["score"], abs=3e-4)


def test_book_filed_after_training_uses_the_model(wrong, context):
    book = make_book(control_number="later", title="star comet orbit", description="galaxy nebula eclipse")
    file_book(book=book, category=Category.objects.get(notation="COO"))
    find_misfiled(context=context, now=NOW)
    assert listed()["later"] == "AST"
    found = Misfiled.objects.get(book=book)
    part = catalogue(all_books().filter(pk=book.pk))
    expected = context.model.predict_proba(part)[0].max()
    assert found.probability == pytest.approx(expected, abs=1e-5)


def test_book_filed_elsewhere_is_not_listed(wrong, context):
    find_misfiled(context=context, now=NOW)
    number = next(iter(set(listed()) - set(context.model.held_out)))
    third = make_category()
    file_book(book=Book.objects.get(control_number=number), category=third)
    assert find_misfiled(context=context, now=NOW) == Misfiled.objects.count()
    assert number not in listed()


def test_out_of_fold_predictions_cover_training_books(wrong, context):
    model = context.model
    learned = {model.training_index.ids[row] for row in model.out_of_fold.rows}
    assert len(learned) == CATEGORISED
    assert set(model.out_of_fold.fold.tolist()) == {0, 1}
    kept = {model.training_index.ids[row]: i for i, row in enumerate(model.out_of_fold.rows.tolist())}
    for number in wrong:
        i = kept[number]
        assert model.classes[model.out_of_fold.label[i]].endswith(other(wrong[number]))
    assert Predictions(model).label_issues(catalogue(all_books()), min_confidence=1.1) == []


def test_confirmed_book_is_not_listed_again(wrong, context):
    find_misfiled(context=context, now=NOW)
    row = Misfiled.objects.first()
    number = row.book.control_number
    dismiss(misfiled=row, now=NOW)
    find_misfiled(context=context, now=NOW)
    assert number not in listed()
    row.refresh_from_db()
    assert row.dismissed_at == NOW
    with pytest.raises(NotListedError):
        dismiss(misfiled=row, now=NOW)


def test_outdated_rows_leave_the_list(wrong, context, settings):
    stale = make_misfiled(book=make_book(category=make_category()))
    find_misfiled(context=context, now=NOW)
    assert not Misfiled.objects.filter(pk=stale.pk).exists()
    settings.MISFILED_PROBABILITY = 0.999999
    assert find_misfiled(context=context, now=NOW) == Misfiled.objects.count() == 0


@pytest.mark.django_db
def test_move_is_a_review():
    row, reviewer = make_misfiled(), make_librarian()
    book = move(misfiled=row, reviewer=reviewer, now=NOW)
    assert (book.category, book.category_source) == (row.category, "librarian")
    assert not Misfiled.objects.exists()
    review = undo_last(reviewer=reviewer, now=NOW)
    assert (review.verdict, review.suggested, review.probability) == ("accept", row.category, 0.97)
    assert (review.model_version, review.book.category) == (row.model_version, row.filed)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "action",
    [
        lambda m: move(misfiled=m, reviewer=make_librarian(), now=NOW),
        lambda m: dismiss(misfiled=m, now=NOW),
    ],
)
def test_book_filed_elsewhere_is_refused(action):
    row = make_misfiled()
    category = make_category()
    file_book(book=row.book, category=category)
    with pytest.raises(NotListedError, match="no longer listed"):
        action(row)
    row.book.refresh_from_db()
    assert row.book.category == category
