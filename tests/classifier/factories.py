"""Rows of the classifier for tests."""

from collections.abc import Mapping
from itertools import count
from typing import Any

import numpy as np

from classifier.models import (
    Alarm,
    Change,
    DriftReport,
    Feedback,
    Listing,
    Misfiled,
    ModelVersion,
    Reclassification,
    Recommendation,
    Review,
    ReviewItem,
    Run,
    Suggestion,
    TitleLinks,
)
from classifier.pipeline.config import SOURCES
from classifier.pipeline.recommender.reranking import packed
from classifier.pipeline.storage.sealed_directory import confirm_folder, write_folder
from classifier.services.registry.storage import folder_of
from classifier.services.runs.parameters import checked_parameters, digest_of
from library.catalogue.models import Book
from tests.factories import NOW, make_book, make_borrower, make_category

_numbers = count(1)
Links = Mapping[Book, Mapping[str, float]]


def make_version(**fields: Any) -> ModelVersion:
    """Return a saved model version, a candidate unless told otherwise; it has no files."""
    defaults = {"name": f"v{next(_numbers)}", "created_at": NOW, "seed": 1, "config": {}, "metrics": {}}
    return ModelVersion.objects.create(**defaults | fields)


def make_stored_version(**fields: Any) -> ModelVersion:
    """Return a saved model version with files that are whole, though no model: enough to promote it."""
    version = make_version(**fields)
    write_folder(folder_of(name=version.name), {"model.json": version.name.encode()})
    confirm_folder(folder_of(name=version.name))
    return version


def make_alarm(**fields: Any) -> Alarm:
    """Return a saved open alarm."""
    words = {"text": "The active version %(version)s cannot be read.", "facts": {"version": "v1"}}
    defaults = {"kind": "model", "about": f"v{next(_numbers)}", "sentence": words, "since": NOW}
    return Alarm.objects.create(**defaults | fields)


def make_drift_report(**fields: Any) -> DriftReport:
    """Return a saved drift report in which nothing has moved."""
    if "version" not in fields:
        fields["version"] = make_version()
    calm = {"books": 0, "agreed": None, "promised": None, "low": False}
    sure = {"books": 0, "error": None, "noise": None, "bins": [], "off": False}
    figures = {"new_books": 0, "input": [], "agreement": calm, "calibration": sure}
    return DriftReport.objects.create(**{"made_at": NOW, "figures": figures} | fields)


def make_suggestion(**fields: Any) -> Suggestion:
    """Return a saved first suggestion, for a new uncategorised book unless told which."""
    for name, make in {"book": make_book, "category": make_category, "model_version": make_version}.items():
        if name not in fields:
            fields[name] = make()
    return Suggestion.objects.create(**{"rank": 1, "probability": 0.5, "created_at": NOW} | fields)


def make_recommendation(**fields: Any) -> Recommendation:
    """Return a saved first recommendation."""
    for name, make in {"borrower": make_borrower, "book": make_book}.items():
        if name not in fields:
            fields[name] = make()
    defaults = {"rank": 1, "score": 0.5, "sources": "popular", "basis": 0, "created_at": NOW}
    return Recommendation.objects.create(**defaults | fields)


def make_feedback(**fields: Any) -> Feedback:
    """Return saved feedback that a title is not wanted, unless told otherwise."""
    for name, make in {"borrower": make_borrower, "book": make_book}.items():
        if name not in fields:
            fields[name] = make()
    return Feedback.objects.create(**{"verdict": "not_this", "at": NOW} | fields)


def make_links(*, book: Book, following: Links | None = None, alike: Links | None = None) -> TitleLinks:
    """Return the saved links of a title: by source, what each adds to other titles, or how alike they are."""
    return TitleLinks.objects.create(
        book=book, following=_packed(following or {}), alike=_packed(alike or {}), digest=next(_numbers)
    )


def _packed(links: Links) -> bytes:
    parts = [[by.get(source, 0.0) for source in SOURCES] for by in links.values()]
    return packed(
        other=np.array([book.pk for book in links], np.int64),
        parts=np.array(parts, np.float32).reshape(len(links), len(SOURCES)),
    )


def make_listing(**fields: Any) -> Listing:
    """Return a saved place on the list of popular titles, unless told otherwise."""
    if "book" not in fields:
        fields["book"] = make_book()
    defaults: dict[str, Any] = {"kind": "popular", "control_number": fields["book"].control_number}
    defaults |= {
        "popular": {"score": 7, "times": 7},
        "trending": {"score": 1.5, "times": 9, "expected": 2.25},
        "latest": {"score": NOW.timestamp(), "since": NOW},
        "treasure": {"score": 12.5, "times": 12},
    }[fields.get("kind", "popular")]
    return Listing.objects.create(**defaults | fields)


def make_item(**fields: Any) -> ReviewItem:
    """Return a saved place in the queue for reviews, of a new book with a suggestion unless told which."""
    if "book" not in fields:
        fields["book"] = make_suggestion().book
    number = next(_numbers)
    return ReviewItem.objects.create(**{"place": number, "benefit": 1 / number, "ordered_at": NOW} | fields)


def make_review(**fields: Any) -> Review:
    """Return a saved rejection of a new suggestion unless told otherwise."""
    suggestion = fields.pop("suggestion", None) or make_suggestion()
    defaults: dict[str, Any] = {
        "book": suggestion.book,
        "suggested": suggestion.category,
        "probability": suggestion.probability,
        "model_version": suggestion.model_version,
        "verdict": "reject",
        "source_before": "none",
        "at": NOW,
    }
    return Review.objects.create(**defaults | fields)


def make_batch(**fields: Any) -> Reclassification:
    """Return a saved batch of one book that was applied."""
    if "model_version" not in fields:
        fields["model_version"] = make_version()
    defaults = {"state": "applied", "made_at": NOW, "precision": 0.9, "books": 1, "complete": True}
    return Reclassification.objects.create(**defaults | fields)


def make_change(**fields: Any) -> Change:
    """Return a saved first suggestion for a new uncategorised book, unless told otherwise."""
    for name, make in {
        "reclassification": make_batch, "book": make_book, "to_category": make_category,
    }.items():  # fmt: skip
        if name not in fields:
            fields[name] = make()
    book = fields["book"]
    filed = {"filed_category_id": book.category_id, "filed_source": book.category_source}
    defaults = {"kind": "new", "to_probability": 0.9, "to_abstained": False} | filed
    return Change.objects.create(**defaults | fields)


def make_misfiled(**fields: Any) -> Misfiled:
    """Return a saved book that the model would file under a new category, unless told which."""
    if "book" not in fields:
        fields["book"] = make_book(category=make_category())
    for name, make in {"category": make_category, "model_version": make_version}.items():
        if name not in fields:
            fields[name] = make()
    defaults = {"filed": fields["book"].category, "filed_probability": 0.01, "probability": 0.97}
    return Misfiled.objects.create(**defaults | {"found_at": NOW} | fields)


def make_run(**fields: Any) -> Run:
    """Return a saved run, a queued training unless told otherwise; what its status needs is filled in."""
    defaults: dict[str, Any] = {"kind": "train", "trigger": "manual", "asked_at": NOW} | fields
    status = defaults.get("status", "queued")
    if status != "queued":
        defaults = {"started_at": NOW, "heartbeat_at": NOW, "attempt": 1} | defaults
    if status not in Run.ACTIVE:
        defaults.setdefault("finished_at", NOW)
    if status in ("failed", "errored"):
        defaults.setdefault("error", "It went wrong.")
    given = checked_parameters(kind=defaults["kind"], given=defaults.pop("parameters", {}))
    return Run.objects.create(parameters=given, parameters_digest=digest_of(parameters=given), **defaults)
