"""Training splits: rejected catalogues and grouped authors."""

from collections.abc import Callable

import numpy as np
import pytest

from classifier.pipeline.errors import NotEnoughData
from classifier.pipeline.evaluation.splits import select_held_out
from classifier.pipeline.records import BookRecord, Catalogue
from classifier.pipeline.training.train import MIN_BOOKS, train
from tests.pipeline.training.small_shelves import QUICK, shelf


def refusal(catalogue: Catalogue) -> str:
    with pytest.raises(NotEnoughData) as error:
        train(catalogue, config=QUICK, seed=0)
    return error.value.message


def test_empty_catalogue_is_rejected():
    assert refusal(shelf()) == f"0 of the books have a category; learning needs {MIN_BOOKS} at least."


def test_too_few_categorised_books_are_rejected():
    categories = ["a", "b"] * 5
    assert refusal(shelf(*categories[:9], None, "")) == (
        f"9 of the books have a category; learning needs {MIN_BOOKS} at least."
    )


def test_one_category_is_rejected():
    assert refusal(shelf(*["history"] * 12, None)) == (
        "All categorised books are in one category, history; learning needs two."
    )


@pytest.mark.parametrize("categories", [[str(i) for i in range(12)], ["a"] * 12 + ["b", "c"]])
def test_single_book_categories_are_rejected(categories):
    assert refusal(shelf(*categories)) == (
        "Almost every category has one book only; at least two categories need two books or more."
    )


def test_holdout_must_leave_two_categories():
    ids = [str(i) for i in range(30)]
    out = select_held_out(ids, share=QUICK.training.holdout, max_books=QUICK.training.max_holdout)
    assert out.sum() >= 2
    message = refusal(shelf(*np.where(out, "rare", "common").tolist()))
    assert message.startswith("Without the books held out, fewer than two categories are left")


def test_empty_books_are_rejected():
    books = [BookRecord(id=str(i), category="ab"[i % 2]) for i in range(20)]
    assert refusal(Catalogue(books=books)) == (
        "No book has anything to learn from: no text, no cover, no recording, no loan."
    )


def written(authors: Callable[[int], str]) -> Catalogue:
    """Return 60 categorised books, and 60 without a category, by the authors of their numbers."""
    books = [
        BookRecord(
            id=f"b{i}",
            title=f"title {'xyz'[i % 3]} {i % 7}",
            authors=authors(i),
            category="abc"[i % 3] if i < 60 else None,
        )
        for i in range(120)
    ]
    return Catalogue(books=books)


def test_different_authors_are_kept_apart():
    catalogue = written(lambda i: f"Author {i // 3}" if i % 6 else "")
    result = train(catalogue, config=QUICK, seed=0)
    (note,) = result.metrics["notes"]
    assert note.startswith("The books without a category are by other authors than those with one.")
    out = set(result.model.held_out)
    inside, outside = (
        {book.authors for book in catalogue.books[:60] if (book.id in out) == is_out} - {""}
        for is_out in (True, False)
    )
    assert inside
    assert not inside & outside
    # Books without an author are not one author's.
    nameless = [book.id in out for book in catalogue.books[:60] if not book.authors]
    assert 0 < sum(nameless) < len(nameless)


def test_shared_authors_split_by_book():
    catalogue = written(lambda i: f"Author {i % 20}")
    result = train(catalogue, config=QUICK, seed=0)
    assert result.metrics["notes"] == []
    out = select_held_out([f"b{i}" for i in range(60)], share=0.2, max_books=1000)
    assert result.model.held_out == [f"b{i}" for i in range(60) if out[i]]
