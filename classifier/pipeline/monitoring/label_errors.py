"""Label errors: books whose category an out-of-fold prediction contradicts.

Training books are predicted by their stored `OutOfFold` prediction, other books by the model itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from classifier.pipeline.evidence import Evidence
from classifier.pipeline.explanation.evidence import explain, nearest_books
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.records import BookRecord, Catalogue

_ALL_NETWORKS = -1
_Prediction = tuple[BookRecord, int, float, float, int]
"""Book, predicted category, its probability, probability of the label, network that has not seen the book."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelIssue:
    """A book, its label, and the category that the model predicts, with calibrated probabilities.

    Attributes
    ----------
    network
        Index of the network that has not seen the book; -1 if none has.
    """

    book: str
    filed: str
    filed_probability: float
    category: str
    probability: float
    network: int


class Predictions:
    """Out-of-fold predictions for categorised books."""

    def __init__(self, model: TrainedModel) -> None:
        self.model = model
        ids = model.training_index.ids
        self._index = {name: i for i, name in enumerate(model.classes)}
        self._position = {ids[row]: i for i, row in enumerate(model.out_of_fold.rows.tolist())}
        self._learned = {ids[row] for row in np.flatnonzero(model.learned).tolist()}

    def label_issues(self, catalogue: Catalogue, *, min_confidence: float) -> list[LabelIssue]:
        """Return the books that the model assigns to another category, with at least `min_confidence`.

        Books of unknown categories are skipped, and books reclassified since training: a person has decided.
        """
        issues = [
            self._issue(book, category, confidence, label_probability, network)
            for book, category, confidence, label_probability, network in (
                *self._stored(catalogue),
                *self._predicted(catalogue),
            )
            if confidence >= min_confidence
        ]
        return [issue for issue in issues if issue.category != issue.filed]

    def _issue(
        self, book: BookRecord, category: int, confidence: float, label_probability: float, network: int
    ) -> LabelIssue:
        return LabelIssue(
            book=book.id,
            filed=book.category or "",
            filed_probability=label_probability,
            category=self.model.classes[category],
            probability=confidence,
            network=network,
        )

    def _stored(self, catalogue: Catalogue) -> Iterator[_Prediction]:
        out_of_fold = self.model.out_of_fold
        for book in catalogue.books:
            i = self._position.get(book.id)
            if (
                i is not None
                and book.category in self._index
                and out_of_fold.label[i] == self._index[book.category]
            ):
                yield (
                    book,
                    int(out_of_fold.prediction[i]),
                    float(out_of_fold.confidence[i]),
                    float(out_of_fold.label_probability[i]),
                    int(out_of_fold.fold[i]),
                )

    def _predicted(self, catalogue: Catalogue) -> Iterator[_Prediction]:
        books = [b for b in catalogue.books if b.category in self._index and b.id not in self._learned]
        probabilities = self.model.predict_proba(replace(catalogue, books=books))
        for book, row in zip(books, probabilities, strict=True):
            yield (
                book,
                int(row.argmax()),
                float(row.max()),
                float(row[self._index[book.category or ""]]),
                _ALL_NETWORKS,
            )


def explain_issues(
    model: TrainedModel, catalogue: Catalogue, issues: Sequence[LabelIssue]
) -> Iterator[tuple[LabelIssue, Evidence]]:
    """Yield each issue with the evidence by the network that has not seen the book; all books are given."""
    records = {book.id: book for book in catalogue.books}
    index = {name: i for i, name in enumerate(model.classes)}
    for network in sorted({issue.network for issue in issues}):
        of_network = [issue for issue in issues if issue.network == network]
        books: list[BookRecord] = [records[issue.book] for issue in of_network]
        blocks, words = model.extractor.transform_with_words(replace(catalogue, books=books))
        classifier = (
            model.serving_classifier
            if network == _ALL_NETWORKS
            else model.serving_classifier.with_network(network)
        )
        encoded = classifier.encode(blocks)
        ids = [book.id for book in books]
        rows = explain(
            classifier,
            blocks,
            encoded,
            classifier.scores(encoded),
            np.array([[index[issue.category]] for issue in of_network]),
            words=words,
            ids=ids,
            classes=model.classes,
            training_index=replace(model.training_index, rows={}),  # its codes are from the first network
        )
        near = nearest_books(
            model.serving_classifier,
            model.serving_classifier.encode(blocks),
            ids,
            model.classes,
            model.training_index,
        )
        for issue, (reason,), nearest in zip(of_network, rows, near, strict=True):
            yield issue, replace(reason, nearest_books=nearest)
