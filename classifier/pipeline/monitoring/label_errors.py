"""Books that are filed otherwise than a model, not having been told, would file them.

Honest for every book: one that the model learned from is judged by the answer kept of when it had not
(`Unseen`), any other one by the model itself, which knows no more of its category.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from classifier.pipeline.explanation.evidence import evidence, nearest_books
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.records import BookRecord, Catalogue

_SERVING = -1  # in the place of a network: all of them
_Answer = tuple[BookRecord, int, float, float, int]
"""Book, category, its probability, that of the category it is filed under, network that had not seen it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """A book, the category it is filed under, and the one that the model names.

    Attributes
    ----------
    book : str
    filed, category : str
    filed_probability, probability : float
        Calibrated, of the two.
    network : int
        The one that has not seen the book; -1 where none has.
    """

    book: str
    filed: str
    filed_probability: float
    category: str
    probability: float
    network: int


class Opinions:
    """What a model, not having been told, says of categorised books.

    Parameters
    ----------
    model : TrainedModel
    """

    def __init__(self, model: TrainedModel) -> None:
        self.model = model
        ids = model.gallery.ids
        self._index = {name: i for i, name in enumerate(model.classes)}
        self._at = {ids[row]: i for i, row in enumerate(model.unseen.rows.tolist())}
        self._learned = {ids[row] for row in np.flatnonzero(model.learned).tolist()}

    def disagreements(self, catalogue: Catalogue, *, sure: float) -> list[Disagreement]:
        """Return the categorised books of a catalogue that the model is sure to be of another category.

        Left out are books of a category that the model does not know, and those filed anew since it learned
        from them: a person has decided since.

        Parameters
        ----------
        catalogue : Catalogue
        sure : float
            The least probability of the other category.
        """
        found = [
            self._judged(book, best, most, own, network)
            for book, best, most, own, network in (*self._kept(catalogue), *self._asked(catalogue))
            if most >= sure
        ]
        return [one for one in found if one.category != one.filed]

    def _judged(self, book: BookRecord, best: int, most: float, own: float, network: int) -> Disagreement:
        return Disagreement(
            book=book.id,
            filed=book.category or "",
            filed_probability=own,
            category=self.model.classes[best],
            probability=most,
            network=network,
        )

    def _kept(self, catalogue: Catalogue) -> Iterator[_Answer]:
        """Yield the answers kept for books that were learned from."""
        unseen = self.model.unseen
        for book in catalogue.books:
            i = self._at.get(book.id)
            if (
                i is not None
                and book.category in self._index
                and unseen.told[i] == self._index[book.category]
            ):
                yield (
                    book,
                    int(unseen.answer[i]),
                    float(unseen.sure[i]),
                    float(unseen.own[i]),
                    int(unseen.fold[i]),
                )

    def _asked(self, catalogue: Catalogue) -> Iterator[_Answer]:
        """Yield the model's answers for books that it has not learned from."""
        books = [b for b in catalogue.books if b.category in self._index and b.id not in self._learned]
        probabilities = self.model.predict_proba(replace(catalogue, books=books))
        for book, row in zip(books, probabilities, strict=True):
            yield (
                book,
                int(row.argmax()),
                float(row.max()),
                float(row[self._index[book.category or ""]]),
                _SERVING,
            )


def reasons(
    model: TrainedModel, catalogue: Catalogue, found: Sequence[Disagreement]
) -> Iterator[tuple[Disagreement, dict[str, Any]]]:
    """Yield each disagreement with the evidence for the other category.

    For a book that was learned from it is the evidence of the network that has not seen it.

    Parameters
    ----------
    model : TrainedModel
    catalogue : Catalogue
        With all of their books.
    found : sequence of Disagreement
    """
    records = {book.id: book for book in catalogue.books}
    index = {name: i for i, name in enumerate(model.classes)}
    for network in sorted({one.network for one in found}):
        some = [one for one in found if one.network == network]
        books: list[BookRecord] = [records[one.book] for one in some]
        blocks, words = model.extractor.transform_with_words(replace(catalogue, books=books))
        judge = model.serving if network == _SERVING else model.serving.only(network)
        encoded = judge.encode(blocks)
        ids = [book.id for book in books]
        rows = evidence(
            judge,
            blocks,
            encoded,
            judge.scores(encoded),
            np.array([[index[one.category]] for one in some]),
            words=words,
            ids=ids,
            classes=model.classes,
            gallery=replace(model.gallery, rows={}),  # whose codes are by the first network
        )
        near = nearest_books(model.serving, model.serving.encode(blocks), ids, model.classes, model.gallery)
        for one, (reason,), likest in zip(some, rows, near, strict=True):
            yield one, reason | {"nearest": likest}
