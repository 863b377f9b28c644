"""Factories of the classifier's rows."""

from collections.abc import Mapping
from itertools import count
from typing import Any

import numpy as np
from django.db import transaction

from classifier.models import (
    Alert,
    Batch,
    Change,
    DriftReport,
    Feedback,
    ItemNeighbours,
    Listing,
    Misfiled,
    ModelVersion,
    Recommendation,
    Review,
    ReviewItem,
    Run,
    Suggestion,
)
from classifier.pipeline.config import SOURCES
from classifier.pipeline.recommender.reranking import pack_links
from classifier.pipeline.storage.sealed_directory import confirm_folder, write_folder
from classifier.services.registry.storage import folder_of
from classifier.services.runs.parameters import complete_parameters, digest_of
from library.catalogue.models import Book, Category
from library.catalogue.services import check_open, librarian_source
from tests.factories import NOW, make_book, make_borrower, make_category

_numbers = count(1)
Links = Mapping[Book, Mapping[str, float]]


def make_version(**fields: Any) -> ModelVersion:
    """Return a saved model version, a candidate by default, without files."""
    defaults = {"name": f"v{next(_numbers)}", "created_at": NOW, "seed": 1, "config": {}, "metrics": {}}
    return ModelVersion.objects.create(**defaults | fields)


def make_stored_version(**fields: Any) -> ModelVersion:
    """Return a saved model version with intact files that are not a model: enough to promote it."""
    version = make_version(**fields)
    write_folder(folder_of(name=version.name), {"model.json": version.name.encode()})
    confirm_folder(folder_of(name=version.name))
    return version


def make_alert(**fields: Any) -> Alert:
    """Return a saved open alert."""
    message = {"text": "The active version %(version)s cannot be read.", "facts": {"version": "v1"}}
    defaults = {"kind": "model", "about": f"v{next(_numbers)}", "message": message, "created_at": NOW}
    return Alert.objects.create(**defaults | fields)


def make_drift_report(**fields: Any) -> DriftReport:
    """Return a saved drift report without drift."""
    if "version" not in fields:
        fields["version"] = make_version()
    agreement = {"books": 0, "agreed": None, "promised": None, "low": False}
    calibration = {"books": 0, "error": None, "noise": None, "bins": [], "off": False}
    metrics = {"new_books": 0, "input": [], "agreement": agreement, "calibration": calibration}
    return DriftReport.objects.create(**{"created_at": NOW, "metrics": metrics} | fields)


def make_suggestion(**fields: Any) -> Suggestion:
    """Return a saved first suggestion, for a new uncategorised book by default."""
    for name, make in {"book": make_book, "category": make_category, "model_version": make_version}.items():
        if name not in fields:
            fields[name] = make()
    return Suggestion.objects.create(**{"rank": 1, "probability": 0.5, "created_at": NOW} | fields)


def file_book(*, book: Book, category: Category | None) -> None:
    """File a book on its own page, outside any review: locked, and refused under a retired category."""
    with transaction.atomic():
        locked = Book.objects.select_for_update().get(pk=book.pk)
        locked.category, locked.category_source = category, librarian_source(category=category)
        locked.save(update_fields=["category", "category_source"])
        check_open(categories=[locked.category_id])


def make_recommendation(**fields: Any) -> Recommendation:
    """Return a saved first recommendation."""
    for name, make in {"borrower": make_borrower, "book": make_book}.items():
        if name not in fields:
            fields[name] = make()
    defaults = {"rank": 1, "score": 0.5, "sources": "popular", "input_digest": 0, "created_at": NOW}
    return Recommendation.objects.create(**defaults | fields)


def make_feedback(**fields: Any) -> Feedback:
    """Return saved feedback, by default that a title is not wanted."""
    for name, make in {"borrower": make_borrower, "book": make_book}.items():
        if name not in fields:
            fields[name] = make()
    return Feedback.objects.create(**{"verdict": "not_this", "created_at": NOW} | fields)


def make_neighbours(
    *, book: Book, following: Links | None = None, similar: Links | None = None
) -> ItemNeighbours:
    """Return the saved neighbours of a title: contributions to other titles, and similarities, by source."""
    return ItemNeighbours.objects.create(
        book=book, following=_packed(following or {}), similar=_packed(similar or {}), digest=next(_numbers)
    )


def _packed(links: Links) -> bytes:
    parts = [[by.get(source, 0.0) for source in SOURCES] for by in links.values()]
    return pack_links(
        other=np.array([book.pk for book in links], np.int64),
        parts=np.array(parts, np.float32).reshape(len(links), len(SOURCES)),
    )


def make_listing(**fields: Any) -> Listing:
    """Return a saved listing, by default of a popular title."""
    if "book" not in fields:
        fields["book"] = make_book()
    defaults: dict[str, Any] = {"kind": "popular", "control_number": fields["book"].control_number}
    defaults |= {
        "popular": {"score": 7, "loans": 7},
        "trending": {"score": 1.5, "loans": 9, "expected": 2.25},
        "latest": {"score": NOW.timestamp(), "since": NOW},
        "hidden_gem": {"score": 12.5, "loans": 12},
    }[fields.get("kind", "popular")]
    return Listing.objects.create(**defaults | fields)


def make_item(**fields: Any) -> ReviewItem:
    """Return a saved item of the review queue, by default for a new book with a suggestion."""
    if "book" not in fields:
        fields["book"] = make_suggestion().book
    number = next(_numbers)
    return ReviewItem.objects.create(
        **{"position": number, "benefit": 1 / number, "ordered_at": NOW} | fields
    )


def make_review(**fields: Any) -> Review:
    """Return a saved review, by default a rejection of a new suggestion."""
    suggestion = fields.pop("suggestion", None) or make_suggestion()
    defaults: dict[str, Any] = {
        "book": suggestion.book,
        "suggested": suggestion.category,
        "probability": suggestion.probability,
        "model_version": suggestion.model_version,
        "verdict": "reject",
        "source_before": "none",
        "created_at": NOW,
    }
    return Review.objects.create(**defaults | fields)


def make_batch(**fields: Any) -> Batch:
    """Return a saved applied batch of one book."""
    if "model_version" not in fields:
        fields["model_version"] = make_version()
    defaults = {"state": "applied", "created_at": NOW, "precision": 0.9, "books": 1, "complete": True}
    return Batch.objects.create(**defaults | fields)


def make_change(**fields: Any) -> Change:
    """Return a saved change, by default a first suggestion for a new uncategorised book."""
    for name, make in {
        "batch": make_batch, "book": make_book, "to_category": make_category,
    }.items():  # fmt: skip
        if name not in fields:
            fields[name] = make()
    book = fields["book"]
    filed = {"filed_category_id": book.category_id, "filed_source": book.category_source}
    defaults = {"kind": "new", "to_probability": 0.9, "to_abstained": False} | filed
    return Change.objects.create(**defaults | fields)


def make_misfiled(**fields: Any) -> Misfiled:
    """Return a saved possible misfile, by default of a new book with a new predicted category."""
    if "book" not in fields:
        fields["book"] = make_book(category=make_category())
    for name, make in {"category": make_category, "model_version": make_version}.items():
        if name not in fields:
            fields[name] = make()
    defaults = {"filed": fields["book"].category, "filed_probability": 0.01, "probability": 0.97}
    return Misfiled.objects.create(**defaults | {"found_at": NOW} | fields)


def make_run(**fields: Any) -> Run:
    """Return a saved run, by default a queued training, with the fields that its status requires."""
    defaults: dict[str, Any] = {"kind": "train", "trigger": "manual", "requested_at": NOW} | fields
    status = defaults.get("status", "queued")
    if status != "queued":
        defaults = {"started_at": NOW, "heartbeat_at": NOW, "attempt": 1} | defaults
    if status not in Run.ACTIVE:
        defaults.setdefault("finished_at", NOW)
    if status in ("failed", "errored"):
        defaults.setdefault("error", "It went wrong.")
    parameters = complete_parameters(kind=defaults["kind"], parameters=defaults.pop("parameters", {}))
    return Run.objects.create(
        parameters=parameters, parameters_digest=digest_of(parameters=parameters), **defaults
    )
