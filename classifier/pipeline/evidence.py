"""Evidence for a suggested category: typed in Python, compact in JSON.

No numpy here: web processes read the evidence that runs have stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self


# Tuples, because the garbage collector does not track tuples of numbers and text: half the time.
class TermContribution(NamedTuple):
    """A term of the book and what it added to the score."""

    field: str
    term: str
    contribution: float


class ModalityPrediction(NamedTuple):
    """The category that one modality predicts by itself."""

    category: str
    probability: float


class NearestBook(NamedTuple):
    """A similar categorised book; similarity is a cosine."""

    book: str
    category: str
    similarity: float


class CoBorrowedBook(NamedTuple):
    """A title borrowed together with the book; the weights of all such titles sum to 1."""

    book: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CoBorrowing:
    """Co-borrowed titles that the model assigns to the suggested category, the heaviest in `books`.

    Attributes
    ----------
    share
        Of all co-borrowing of the book, 0 to 1.
    """

    share: float = 0.0
    books: Sequence[CoBorrowedBook] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Contributions to the score of one category for one book, rounded to four digits.

    Attributes
    ----------
    score
        Log probability up to a constant: the baseline (without any modality) plus all contributions.
    contributions
        Shapley value of each modality that the book has.
    terms_for, terms_against
        Largest contribution first.
    modalities_disagree
        Whether the predictions name more than one category.
    excluded_modalities
        Those the book has but is classified without (`FusionClassifier.modalities_used_`).
    nearest_books
        By modality, nearest first.
    """

    score: float
    baseline: float
    contributions: Mapping[str, float]
    terms_for: Sequence[TermContribution] = ()
    terms_against: Sequence[TermContribution] = ()
    modality_predictions: Mapping[str, ModalityPrediction]
    modalities_disagree: bool = False
    excluded_modalities: Sequence[str] = ()
    nearest_books: Mapping[str, Sequence[NearestBook]]
    co_borrowed: CoBorrowing = CoBorrowing()

    def to_json(self) -> dict[str, Any]:
        """Return JSON values; `from_json` reads them."""
        return {
            "score": self.score,
            "baseline": self.baseline,
            "contributions": self.contributions,
            "terms": {"for": self.terms_for, "against": self.terms_against},
            "modality_predictions": self.modality_predictions,
            "modalities_disagree": self.modalities_disagree,
            "excluded_modalities": self.excluded_modalities,
            "nearest_books": self.nearest_books,
            "co_borrowed": {"share": self.co_borrowed.share, "books": self.co_borrowed.books},
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the evidence that `to_json` wrote; raises `KeyError` or `TypeError` on another form."""
        terms, co_borrowed = values["terms"], values["co_borrowed"]
        return cls(
            score=values["score"],
            baseline=values["baseline"],
            contributions=values["contributions"],
            terms_for=[TermContribution(*term) for term in terms["for"]],
            terms_against=[TermContribution(*term) for term in terms["against"]],
            modality_predictions={
                name: ModalityPrediction(*prediction)
                for name, prediction in values["modality_predictions"].items()
            },
            modalities_disagree=values["modalities_disagree"],
            excluded_modalities=values["excluded_modalities"],
            nearest_books={
                name: [NearestBook(*book) for book in books]
                for name, books in values["nearest_books"].items()
            },
            co_borrowed=CoBorrowing(
                share=co_borrowed["share"], books=[CoBorrowedBook(*book) for book in co_borrowed["books"]]
            ),
        )
