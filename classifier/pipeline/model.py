"""A trained model, and what it can be asked about books."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from classifier.pipeline.config import Config
from classifier.pipeline.evaluation.calibration import threshold
from classifier.pipeline.explanation.evidence import evidence
from classifier.pipeline.explanation.training_index import Gallery
from classifier.pipeline.features.extractor import FeatureExtractor
from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.pipeline.fusion.out_of_fold import Unseen
from classifier.pipeline.records import Bool, Catalogue, Float32, Float64
from classifier.pipeline.suggestion import Suggestion, best_categories, best_suggestions, gathered, without


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """Everything needed to classify books, and to judge the classifying again.

    Attributes
    ----------
    config : Config
    seed : int
    classes : list of str
        Category of each column of probabilities.
    extractor : FeatureExtractor
    serving : FusionClassifier
        Classifies; may have learned from the held-out books too.
    judged : FusionClassifier
        Has never seen the held-out books; the same object as `serving` where that is trained once.
    gallery : Gallery
        The books that `serving` was fitted on.
    unseen : Unseen
        What `serving` says of those that it learned from, without having been told.
    held_out : list of str
        Ids of the held-out books.
    confidence : float array (n_held_out,)
        Probability of the answer that `judged` gives of each held-out book.
    correct : bool array (n_held_out,)
        Whether that answer is right.
    """

    config: Config
    seed: int
    classes: list[str]
    extractor: FeatureExtractor
    serving: FusionClassifier
    judged: FusionClassifier
    gallery: Gallery
    unseen: Unseen
    held_out: list[str]
    confidence: Float64
    correct: Bool

    @property
    def learned(self) -> Bool:
        """Which of the gallery's books `serving` was told the category of, (n_known,)."""
        told = self.gallery.categories >= 0
        if self.judged is self.serving:
            told &= ~np.isin(self.gallery.ids, self.held_out)
        return np.asarray(told)

    def threshold(self, *, precision: float) -> float:
        """Return the probability below which nothing is suggested, for a precision of what is.

        Infinite if the held-out books reach that precision at no probability.
        """
        return threshold(self.confidence, self.correct, precision=precision)

    def predict_proba(self, catalogue: Catalogue) -> Float64:
        """Return calibrated probabilities (n_books, n_classes)."""
        if not catalogue.books:
            return np.zeros((0, len(self.classes)))
        return self.serving.predict_proba(self.extractor.transform(catalogue))

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
        catalogue : Catalogue
        ranks : int
        rejected : mapping of str to str, optional
            By book, the categories that it is known not to have: they are not suggested, and the
            probabilities are those without them. For a book that has none left, nothing is suggested.
        current : mapping of str to str or None, optional
            What classes are called now that were merged into another since the training; None of those that
            were given up, which are not suggested.
        """
        ids = [book.id for book in catalogue.books]
        probabilities = self._current(self.predict_proba(catalogue), rejected or {}, current or {}, ids)
        found = best_suggestions(probabilities, ids=ids, classes=self.classes, ranks=ranks)
        return _there(found, rejected or {}, current or {})

    def codes(self, catalogue: Catalogue) -> Float32:
        """Return books as the networks encode them, (n_books, d): near each other where an answer about one
        is likely to hold for the other.
        """
        if not catalogue.books:
            return np.zeros((0, 1), np.float32)
        books = self.serving.encode(self.extractor.transform(catalogue))
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
        """Return what `suggest` does, each suggestion with its evidence."""
        if not catalogue.books:
            return []
        ids = [book.id for book in catalogue.books]
        blocks, words = self.extractor.transform_with_words(catalogue)
        books = self.serving.encode(blocks)
        scores = self.serving.scores(books)
        probabilities = self._current(
            self.serving.temperature_.probabilities(scores), rejected or {}, current or {}, ids
        )
        best = best_categories(probabilities, ranks=ranks)
        found = best_suggestions(probabilities, ids=ids, classes=self.classes, ranks=ranks)
        reasons = evidence(
            self.serving,
            blocks,
            books,
            scores,
            best,
            words=words,
            ids=ids,
            classes=self.classes,
            gallery=self.gallery,
        )
        of_all = (reason for of_book in reasons for reason in of_book)
        explained = [
            replace(suggestion, evidence=reason) for suggestion, reason in zip(found, of_all, strict=True)
        ]
        return _there(explained, rejected or {}, current or {})

    def _current(
        self,
        probabilities: Float64,
        rejected: Mapping[str, Collection[str]],
        current: Mapping[str, str | None],
        ids: Sequence[str],
    ) -> Float64:
        """Return the probabilities of the categories of today that a book may have.

        Whoever rejected a class that has become another since has not rejected that other one.
        """
        never = {
            book: {*names, *(name for name, now in current.items() if now in names)}
            for book, names in rejected.items()
        }
        possible = without(probabilities, never, ids=ids, classes=self.classes)
        return gathered(possible, current, classes=self.classes) if current else possible


def _there(
    found: Sequence[Suggestion],
    rejected: Mapping[str, Collection[str]],
    current: Mapping[str, str | None],
) -> list[Suggestion]:
    """Return suggestions under the names of today, without those that a book cannot have."""
    named: list[Suggestion] = []
    ranks: Counter[str] = Counter()
    seen: set[tuple[str, str]] = set()
    for one in found:
        never = rejected.get(one.book, ())
        name = current.get(one.category, one.category)
        if name is None or (one.book, name) in seen or one.category in never or name in never:
            continue
        seen.add((one.book, name))
        ranks[one.book] += 1
        named.append(replace(one, category=name, rank=ranks[one.book]))
    return named
