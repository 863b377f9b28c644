"""Limits of tuning: rejected catalogues, numerical failures, warnings."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from classifier.pipeline.errors import NotEnoughData
from classifier.pipeline.evaluation.splits import select_held_out
from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.pipeline.records import BookRecord, Catalogue
from classifier.pipeline.training.train import MIN_BOOKS, train
from tests.pipeline.training.small_searches import CONFIG, run


def test_numerical_failures_are_counted(shelf, tmp_path, monkeypatch):
    predict_proba = FusionClassifier.predict_proba

    def fragile(self, blocks):
        """Give no numbers where the search has left the defaults, and just as long as it is the search."""
        probabilities = predict_proba(self, blocks)
        return probabilities if self.config == CONFIG else np.full_like(probabilities, np.nan)

    monkeypatch.setattr(FusionClassifier, "predict_proba", fragile)
    result = run(shelf, tmp_path, trials=3)
    assert result.trials == {"finished": 3, "pruned": 0, "failed": 2, "new": 3}
    assert result.settings == []
    assert result.best == result.defaults
    assert result.gain == {"accuracy": 0, "macro_f1": 0, "won": 0, "lost": 0, "p_value": 1}


def books_in(*categories):
    return Catalogue(
        books=[BookRecord(id=str(i), title=f"title {i % 3}", category=c) for i, c in enumerate(categories)]
    )


def refusal(catalogue, folder):
    with pytest.raises(NotEnoughData) as caught:
        run(catalogue, folder / "tuning", trials=1)
    assert not (folder / "tuning").exists()
    return caught.value.message


@pytest.mark.parametrize("categories", [[], ["a", "b"] * 4 + ["a", None]])
def test_too_few_categorised_books_are_rejected(categories, tmp_path):
    books = sum(category is not None for category in categories)
    assert refusal(books_in(*categories), tmp_path) == (
        f"{books} of the books have a category; learning needs {MIN_BOOKS} at least."
    )


@pytest.mark.parametrize("categories", [["a"] * 12, [str(i) for i in range(12)], ["a"] * 12 + ["b", "c"]])
def test_training_errors_are_raised(categories, tmp_path):
    with pytest.raises(NotEnoughData) as caught:
        train(books_in(*categories), config=CONFIG, seed=1)
    assert refusal(books_in(*categories), tmp_path) == caught.value.message


def test_unsplittable_categories_are_rejected(tmp_path):
    out = select_held_out([str(i) for i in range(20)], share=0.2, max_books=1000)
    one, other = np.flatnonzero(~out)[0], np.flatnonzero(out)[0]
    categories = np.where(np.isin(np.arange(20), [one, other]), "rare", "common")
    assert refusal(books_in(*categories.tolist()), tmp_path).startswith(
        "Without the books held out, fewer than two categories have two books or more"
    )


def test_empty_books_are_rejected(tmp_path):
    books = [BookRecord(id=str(i), category="ab"[i % 2]) for i in range(20)]
    with pytest.raises(NotEnoughData, match="No book has anything to learn from"):
        run(Catalogue(books=books), tmp_path, trials=1)


def test_smallest_catalogue_is_tuned(tmp_path):
    result = run(books_in(*["a", "b"] * (MIN_BOOKS // 2)), tmp_path, trials=2)
    assert result.trials["finished"] == 2


def test_convergence_warnings_are_suppressed(shelf, tmp_path, monkeypatch):
    predict_proba = FusionClassifier.predict_proba

    def complaining(self, blocks):
        warnings.warn("Liblinear failed to converge", ConvergenceWarning, stacklevel=1)
        return predict_proba(self, blocks)

    monkeypatch.setattr(FusionClassifier, "predict_proba", complaining)
    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        run(shelf, tmp_path, trials=1)
    assert [str(complaint.message) for complaint in complaints] == []
