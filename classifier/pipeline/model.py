"""A trained model: classification, explanation and held-out confidences."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from classifier.pipeline.config import Config
from classifier.pipeline.evaluation.calibration import threshold
from classifier.pipeline.explanation.evidence import explain
from classifier.pipeline.explanation.training_index import TrainingIndex
from classifier.pipeline.features.extractor import FeatureExtractor
from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.pipeline.fusion.out_of_fold import OutOfFold
from classifier.pipeline.records import Bool, Catalogue, Float32, Float64
from classifier.pipeline.suggestion import (
    Suggestion,
    exclude_rejected,
    merge_classes,
    rank_suggestions,
    top_categories,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """Everything needed to classify books and to evaluate the classifier again.

    Attributes
    ----------
    classes
        Category of each column of probabilities.
    serving_classifier
        Classifies; may have learned from the held-out books too.
    evaluation_classifier
        Has never seen the held-out books; the same object without a refit.
    training_index, out_of_fold
        Of the books that `serving_classifier` was fitted on.
    held_out
        Ids of the held-out books.
    confidence, correct : (n_held_out,)
        Of the predictions of `evaluation_classifier` for these.
    """

    config: Config
    seed: int
    classes: list[str]
    extractor: FeatureExtractor
    serving_classifier: FusionClassifier
    evaluation_classifier: FusionClassifier
    training_index: TrainingIndex
    out_of_fold: OutOfFold
    held_out: list[str]
    confidence: Float64
    correct: Bool

    @property
    def learned(self) -> Bool:
        """Return which indexed books `serving_classifier` learned the category of, (n_known,)."""
        learned = self.training_index.categories >= 0
        if self.evaluation_classifier is self.serving_classifier:
            learned &= ~np.isin(self.training_index.ids, self.held_out)
        return np.asarray(learned)

    def threshold(self, *, precision: float) -> float:
        """Return the probability below which the model abstains, to reach a precision; infinite: always."""
        return threshold(self.confidence, self.correct, precision=precision)

    def predict_proba(self, catalogue: Catalogue) -> Float64:
        """Return calibrated probabilities (n_books, n_classes)."""
        if not catalogue.books:
            return np.zeros((0, len(self.classes)))
        return self.serving_classifier.predict_proba(self.extractor.transform(catalogue))

    def suggest(
        self,
        catalogue: Catalogue,
        *,
        ranks: int = 3,
        rejected: Mapping[str, Collection[str]] | None = None,
        current: Mapping[str, str | None] | None = None,
    ) -> list[Suggestion]:
        """Return the best `ranks` categories of each book, in the order of the books.

        Parameters
        ----------
        rejected
            By book, categories it is known not to have; probabilities are conditional on that. A book without
            remaining categories gets no suggestion.
        current
            Current name of classes merged since training; None for retired ones: no suggestion.
        """
        ids = [book.id for book in catalogue.books]
        probabilities = self._current_probabilities(
            self.predict_proba(catalogue), rejected or {}, current or {}, ids
        )
        suggestions = rank_suggestions(probabilities, ids=ids, classes=self.classes, ranks=ranks)
        return _current_suggestions(suggestions, rejected or {}, current or {})

    def codes(self, catalogue: Catalogue) -> Float32:
        """Return books as encoded by the networks, (n_books, d), similar for books of one category."""
        if not catalogue.books:
            return np.zeros((0, 1), np.float32)
        books = self.serving_classifier.encode(self.extractor.transform(catalogue))
        parts = [code for codes in books.codes for code in codes.values()]
        return np.concatenate(parts, axis=1).astype(np.float32)

    def explain(
        self,
        catalogue: Catalogue,
        *,
        ranks: int = 3,
        rejected: Mapping[str, Collection[str]] | None = None,
        current: Mapping[str, str | None] | None = None,
    ) -> list[Suggestion]:
        """Return the result of `suggest`, with evidence."""
        if not catalogue.books:
            return []
        ids = [book.id for book in catalogue.books]
        blocks, words = self.extractor.transform_with_words(catalogue)
        books = self.serving_classifier.encode(blocks)
        scores = self.serving_classifier.scores(books)
        probabilities = self._current_probabilities(
            self.serving_classifier.temperature_.probabilities(scores), rejected or {}, current or {}, ids
        )
        categories = top_categories(probabilities, ranks=ranks)
        suggestions = rank_suggestions(probabilities, ids=ids, classes=self.classes, ranks=ranks)
        evidence = explain(
            self.serving_classifier,
            blocks,
            books,
            scores,
            categories,
            words=words,
            ids=ids,
            classes=self.classes,
            training_index=self.training_index,
        )
        in_order = (reason for of_book in evidence for reason in of_book)
        explained = [
            replace(suggestion, evidence=reason)
            for suggestion, reason in zip(suggestions, in_order, strict=True)
        ]
        return _current_suggestions(explained, rejected or {}, current or {})

    def _current_probabilities(
        self,
        probabilities: Float64,
        rejected: Mapping[str, Collection[str]],
        current: Mapping[str, str | None],
        ids: Sequence[str],
    ) -> Float64:
        """Return the probabilities of the current categories that a book may have.

        Rejecting a class that has since been merged does not reject the class it was merged into.
        """
        excluded = {
            book: {*names, *(name for name, new_name in current.items() if new_name in names)}
            for book, names in rejected.items()
        }
        possible = exclude_rejected(probabilities, excluded, ids=ids, classes=self.classes)
        return merge_classes(possible, current, classes=self.classes) if current else possible


def _current_suggestions(
    suggestions: Sequence[Suggestion],
    rejected: Mapping[str, Collection[str]],
    current: Mapping[str, str | None],
) -> list[Suggestion]:
    kept: list[Suggestion] = []
    ranks: Counter[str] = Counter()
    seen: set[tuple[str, str]] = set()
    for suggestion in suggestions:
        excluded = rejected.get(suggestion.book, ())
        name = current.get(suggestion.category, suggestion.category)
        if (
            name is None
            or (suggestion.book, name) in seen
            or suggestion.category in excluded
            or name in excluded
        ):
            continue
        seen.add((suggestion.book, name))
        ranks[suggestion.book] += 1
        kept.append(replace(suggestion, category=name, rank=ranks[suggestion.book]))
    return kept
