"""Whether a model still sees what it was trained on, and whether people still agree with it.

References
----------
Yurdakul & Naranjo, Statistical properties of the population stability index, Journal of Risk Model
Validation 14(4), 2020: without any drift, the index is distributed as chi-square times (1/n + 1/m).
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
    reliability,
)
from classifier.pipeline.features.modalities.text import TextModality
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.records import Catalogue, Float64

MIN_BOOKS = 50
"""Fewer new or reviewed books say nothing: a share of 50 is known to 14 points at best."""
LARGE_INDEX = 0.25
"""The usual threshold of the population stability index for a shift that a model has to be looked at for."""
CHANCE = 0.01
"""Of a false alarm at each look: a handful of looks a week, so one false alarm in some twenty weeks."""
LARGE_GAP = 0.10
"""Of a mean share or probability: smaller ones move a suggestion over the threshold too seldom to matter."""
LARGE_ERROR = 0.05
"""Of calibration, beyond what chance brings: above it a promised precision of 0.90 may be 0.85."""
SAMPLE = 2_000
"""Books looked at closely: more would not make a mean more exact than the thresholds are."""
OF_ALL = ("loans",)
"""What a new book cannot have yet is looked for in the whole catalogue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """A suggestion, and what a person made of it."""

    suggested: str
    chosen: str
    probability: float


def profile(catalogue: Catalogue, *, model: TrainedModel, confidence: Float64) -> dict[str, Any]:
    """Return what books look like, in a few numbers.

    Parameters
    ----------
    catalogue : Catalogue
    model : TrainedModel
    confidence : float array (n_judged,)
        Probability of the answers that the model gives of books it has not learned.

    Returns
    -------
    dict
        ``books``; ``parts``: how many have a description, a cover, a recording, loans; ``languages``: how
        many are in each; ``unknown_words``: mean share of a book's words that the model has no entry for;
        ``confidence``: its mean; both None if there is nothing to take them of.
    """
    books = catalogue.books
    lent = set(catalogue.loans.book_ids)
    sample = (
        [books[i] for i in np.unique(np.linspace(0, len(books) - 1, SAMPLE).astype(int))] if books else []
    )
    text = model.extractor.modalities_.get("text")
    unknown = text.unknown_words(sample) if isinstance(text, TextModality) else np.empty(0)
    unknown = unknown[np.isfinite(unknown)]
    return {
        "books": len(books),
        "parts": {
            "description": sum(bool(book.description) for book in books),
            "cover": sum(book.cover is not None for book in books),
            "audio": sum(book.audio is not None for book in books),
            "loans": sum(book.id in lent for book in books),
        },
        "languages": dict(Counter(book.language for book in books).most_common()),
        "unknown_words": float(unknown.mean()) if len(unknown) else None,
        "confidence": float(confidence.mean()) if len(confidence) else None,
    }


def stability(then: Mapping[str, int], now: Mapping[str, int]) -> dict[str, float]:
    """Compare two counts of the same kinds.

    Returns
    -------
    dict
        ``index``: the population stability index, sum of (p - q) ln(p / q); ``chance``: what it stays below
        with a probability of 1 - `CHANCE` if nothing has changed.
    """
    kinds = sorted({*then, *now})
    p, q = (np.array([counts.get(kind, 0) + 0.5 for kind in kinds]) for counts in (then, now))
    n, m = p.sum(), q.sum()
    p, q = p / n, q / m
    chance = chi2.ppf(1 - CHANCE, max(1, len(kinds) - 1)) * (1 / n + 1 / m)
    return {"index": float(np.sum((p - q) * np.log(p / q))), "chance": float(chance)}


def input_drift(
    *, then: Mapping[str, Any], new: Mapping[str, Any], every: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Compare the books that a version was trained on with those that have come since.

    Parameters
    ----------
    then, new, every : mapping
        `profile` of the books it was trained on, of those that are new since, and of all that are there.

    Returns
    -------
    list of dict
        ``what`` is looked at, its share or mean ``then`` and ``now``, and whether it has ``moved``; of
        shares the ``index`` and ``chance`` of `stability` too. Languages are one entry, with ``shares``:
        [language, then, now]. What there are fewer than `MIN_BOOKS` of is left out.
    """
    rows: list[dict[str, Any]] = []
    for part, number in then["parts"].items():
        now = every if part in OF_ALL else new
        if min(then["books"], now["books"]) < MIN_BOOKS:
            continue
        found = stability(_split(number, then["books"]), _split(now["parts"][part], now["books"]))
        shares = {"then": number / then["books"], "now": now["parts"][part] / now["books"]}
        rows.append({"what": part, **shares, **found, "moved": _moved(found)})
    if min(then["books"], new["books"]) < MIN_BOOKS:
        return rows
    languages = stability(then["languages"], new["languages"])
    names = sorted({*then["languages"], *new["languages"]}, key=lambda n: -then["languages"].get(n, 0))
    shares_of = [[n, *(p["languages"].get(n, 0) / p["books"] for p in (then, new))] for n in names]
    rows.append({"what": "languages", "shares": shares_of, **languages, "moved": _moved(languages)})
    for what, sign in (("unknown_words", 1), ("confidence", -1)):
        if then[what] is not None and new[what] is not None:
            worse = sign * (new[what] - then[what]) > LARGE_GAP
            rows.append({"what": what, "then": then[what], "now": new[what], "moved": bool(worse)})
    return rows


def agreement(reviewed: Sequence[Reviewed]) -> dict[str, Any]:
    """Compare how often people took the first suggestion with how often they were promised they would.

    Reviewers are shown the books that the model is unsure of, so a low share alone is no fault; one that is
    lower than the probabilities said is.

    Returns
    -------
    dict
        ``books``, ``agreed`` (share), ``promised`` (mean probability), and whether it is ``low``: by more
        than chance brings (one-sided, normal approximation) and by more than `LARGE_GAP` / 2.
    """
    if not reviewed:
        return {"books": 0, "agreed": None, "promised": None, "low": False}
    sure, right = _answers(reviewed)
    chance = norm.ppf(1 - CHANCE) * np.sqrt(np.sum(sure * (1 - sure))) / len(sure)
    gap = sure.mean() - right.mean()
    low = len(sure) >= MIN_BOOKS and gap > max(LARGE_GAP / 2, chance)
    return {
        "books": len(sure),
        "agreed": float(right.mean()),
        "promised": float(sure.mean()),
        "low": bool(low),
    }


def calibration(reviewed: Sequence[Reviewed]) -> dict[str, Any]:
    """Return how far probability and agreement lie apart on reviewed books.

    Returns
    -------
    dict
        ``books``, ``error``, ``noise`` (what chance brings), ``bins`` (see `metrics.reliability`), and
        whether it is ``off`` by more than chance and `LARGE_ERROR`.
    """
    if not reviewed:
        return {"books": 0, "error": None, "noise": None, "bins": [], "off": False}
    sure, right = _answers(reviewed)
    error, noise = expected_calibration_error(sure, right), calibration_noise(sure)
    return {
        "books": len(sure),
        "error": error,
        "noise": noise,
        "bins": reliability(sure, right),
        "off": bool(len(sure) >= MIN_BOOKS and error > noise + LARGE_ERROR),
    }


def _answers(reviewed: Sequence[Reviewed]) -> tuple[Float64, Float64]:
    sure = np.array([each.probability for each in reviewed])
    return sure, np.array([float(each.suggested == each.chosen) for each in reviewed])


def _split(number: int, of: int) -> dict[str, int]:
    return {"yes": number, "no": of - number}


def _moved(found: Mapping[str, float]) -> bool:
    return found["index"] > max(LARGE_INDEX, found["chance"])
