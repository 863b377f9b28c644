"""Drift detection: compare new books and reviews with the training data.

References
----------
Yurdakul & Naranjo, Statistical properties of the population stability index, Journal of Risk Model Validation
14(4), 2020: without drift, the index is distributed as chi-square times (1/n + 1/m).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import chi2, norm

from classifier.pipeline.evaluation.metrics import (
    calibration_noise,
    expected_calibration_error,
    reliability_bins,
)
from classifier.pipeline.features.modalities.text import TextModality
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.records import Catalogue, Float64

MIN_BOOKS = 50
"""Minimum of new or reviewed books: a share of 50 books has a margin of error of 14 points."""
MAX_INDEX = 0.25
"""The usual alarm threshold of the population stability index."""
FALSE_ALERT_RATE = 0.01
"""Per check: with a handful of checks a week, one false alert in some twenty weeks."""
MAX_GAP = 0.10
"""Of a mean share or probability: smaller gaps rarely move a suggestion across the threshold."""
MAX_CALIBRATION_ERROR = 0.05
"""Beyond chance: above it a target precision of 0.90 may be 0.85."""
SAMPLE_SIZE = 2_000
"""Books examined closely; more would not make the means more exact than the thresholds."""
WHOLE_CATALOGUE_PARTS = ("loans",)
"""Parts that new books cannot have yet are compared over the whole catalogue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewOutcome:
    """A suggestion and the category a reviewer chose."""

    suggested: str
    chosen: str
    probability: float


def profile_catalogue(catalogue: Catalogue, *, model: TrainedModel, confidence: Float64) -> dict[str, Any]:
    """Return ``books``, and statistics of them.

    Parameters
    ----------
    confidence : (n,)
        Of predictions for books the model has not learned.

    Returns
    -------
    dict
        ``parts``: number of books with a description, a cover, a recording, loans; ``languages``: number of
        books by language; ``unknown_words``: mean share of a book's words outside the vocabulary;
        ``confidence``: mean. The last two are None without data.
    """
    books = catalogue.books
    borrowed = set(catalogue.loans.book_ids)
    sample = (
        [books[i] for i in np.unique(np.linspace(0, len(books) - 1, SAMPLE_SIZE).astype(int))]
        if books
        else []
    )
    text = model.extractor.modalities_.get("text")
    unknown_words = text.unknown_words(sample) if isinstance(text, TextModality) else np.empty(0)
    unknown_words = unknown_words[np.isfinite(unknown_words)]
    return {
        "books": len(books),
        "parts": {
            "description": sum(bool(book.description) for book in books),
            "cover": sum(book.cover is not None for book in books),
            "audio": sum(book.audio is not None for book in books),
            "loans": sum(book.id in borrowed for book in books),
        },
        "languages": dict(Counter(book.language for book in books).most_common()),
        "unknown_words": float(unknown_words.mean()) if len(unknown_words) else None,
        "confidence": float(confidence.mean()) if len(confidence) else None,
    }


def population_stability(then: Mapping[str, int], now: Mapping[str, int]) -> dict[str, float]:
    """Return the population stability ``index`` of two counts of the same kinds, sum of (p - q) ln(p / q).

    ``chance`` is its quantile at 1 - `FALSE_ALERT_RATE` without drift.
    """
    kinds = sorted({*then, *now})
    p, q = (np.array([counts.get(kind, 0) + 0.5 for kind in kinds]) for counts in (then, now))
    n, m = p.sum(), q.sum()
    p, q = p / n, q / m
    chance = chi2.ppf(1 - FALSE_ALERT_RATE, max(1, len(kinds) - 1)) * (1 / n + 1 / m)
    return {"index": float(np.sum((p - q) * np.log(p / q))), "chance": float(chance)}


def input_drift(
    *, then: Mapping[str, Any], new: Mapping[str, Any], whole: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Compare profiles of the books `then` trained on, of `new` books, and of the `whole` collection.

    Returns
    -------
    list of dict
        ``what`` is compared, its share or mean ``then`` and ``now``, and whether it has ``moved``; for shares
        also ``index`` and ``chance`` of `population_stability`. Languages are one entry with ``shares``:
        [language, then, now]. Parts with fewer than `MIN_BOOKS` books are omitted.
    """
    rows: list[dict[str, Any]] = []
    for part, count in then["parts"].items():
        now = whole if part in WHOLE_CATALOGUE_PARTS else new
        if min(then["books"], now["books"]) < MIN_BOOKS:
            continue
        drift = population_stability(_split(count, then["books"]), _split(now["parts"][part], now["books"]))
        shares = {"then": count / then["books"], "now": now["parts"][part] / now["books"]}
        rows.append({"what": part, **shares, **drift, "moved": _moved(drift)})
    if min(then["books"], new["books"]) < MIN_BOOKS:
        return rows
    languages = population_stability(then["languages"], new["languages"])
    names = sorted({*then["languages"], *new["languages"]}, key=lambda n: -then["languages"].get(n, 0))
    shares_of = [[n, *(p["languages"].get(n, 0) / p["books"] for p in (then, new))] for n in names]
    rows.append({"what": "languages", "shares": shares_of, **languages, "moved": _moved(languages)})
    for what, sign in (("unknown_words", 1), ("confidence", -1)):
        if then[what] is not None and new[what] is not None:
            worse = sign * (new[what] - then[what]) > MAX_GAP
            rows.append({"what": what, "then": then[what], "now": new[what], "moved": bool(worse)})
    return rows


def review_agreement(reviewed: Sequence[ReviewOutcome]) -> dict[str, Any]:
    """Compare the acceptance rate of first suggestions with their mean probability.

    Reviewers get the lowest confidences first, so only a rate below the probabilities is a problem.

    Returns
    -------
    dict
        ``books``, ``agreed`` (share), ``promised`` (mean probability), and whether it is ``low``: by more
        than chance (one-sided, normal approximation) and by more than `MAX_GAP` / 2.
    """
    if not reviewed:
        return {"books": 0, "agreed": None, "promised": None, "low": False}
    confidence, correct = _confidence_and_correct(reviewed)
    chance = norm.ppf(1 - FALSE_ALERT_RATE) * np.sqrt(np.sum(confidence * (1 - confidence))) / len(confidence)
    gap = confidence.mean() - correct.mean()
    low = len(confidence) >= MIN_BOOKS and gap > max(MAX_GAP / 2, chance)
    return {
        "books": len(confidence),
        "agreed": float(correct.mean()),
        "promised": float(confidence.mean()),
        "low": bool(low),
    }


def review_calibration(reviewed: Sequence[ReviewOutcome]) -> dict[str, Any]:
    """Return the calibration ``error`` on reviewed ``books``, its chance level ``noise`` and its ``bins``.

    It is ``off`` if more than `MAX_CALIBRATION_ERROR` beyond chance. Bins: `metrics.reliability_bins`.
    """
    if not reviewed:
        return {"books": 0, "error": None, "noise": None, "bins": [], "off": False}
    confidence, correct = _confidence_and_correct(reviewed)
    error, noise = expected_calibration_error(confidence, correct), calibration_noise(confidence)
    return {
        "books": len(confidence),
        "error": error,
        "noise": noise,
        "bins": reliability_bins(confidence, correct),
        "off": bool(len(confidence) >= MIN_BOOKS and error > noise + MAX_CALIBRATION_ERROR),
    }


def _confidence_and_correct(reviewed: Sequence[ReviewOutcome]) -> tuple[Float64, Float64]:
    confidence = np.array([outcome.probability for outcome in reviewed])
    return confidence, np.array([float(outcome.suggested == outcome.chosen) for outcome in reviewed])


def _split(count: int, total: int) -> dict[str, int]:
    return {"yes": count, "no": total - count}


def _moved(drift: Mapping[str, float]) -> bool:
    return drift["index"] > max(MAX_INDEX, drift["chance"])
