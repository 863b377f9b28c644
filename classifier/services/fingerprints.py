"""Fingerprint of everything a run reads: if it equals that of the previous run, there is nothing to do.

It covers the very rows and columns that the job reads. Counts, highest keys and time stamps would miss a
corrected title; sums over rows would miss two changes that cancel out. Reading costs little next to the work
it saves.
"""

from collections.abc import Iterable
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from classifier.models import TRUSTED_SOURCES, ModelVersion
from classifier.pipeline.config import Config
from classifier.pipeline.storage.sealed_directory import FORMAT
from classifier.pipeline.text.segmentation import dictionary_key
from classifier.selectors.records import (
    BOOK_FIELDS,
    all_books,
    anonymised_loan_counts,
    feedback_rows,
    known_loans,
)
from classifier.selectors.reviews import rejected
from classifier.services.configuration import library_config
from library.catalogue.models import Category
from library.circulation.models import CoBorrowing, Loan


def fingerprint_of(*, kind: str, parameters: dict[str, Any], now: datetime) -> str:
    """Return the fingerprint of what a run of this kind would read."""
    digest = blake2b(digest_size=32)
    _add(digest, [(kind, sorted(parameters.items()), FORMAT, dictionary_key(), _inputs(kind, now))])
    _add(digest, _books())
    categories = Category.objects.order_by("pk")
    _add(
        digest,
        categories.values_list("scheme", "notation", "parent_id", "pk", "retired_at", "replaced_by_id"),
    )
    _add(digest, _loans())
    _add(digest, anonymised_loan_counts())
    _add(digest, CoBorrowing.objects.order_by("pk").values_list("book_id", "other_id", "count"))
    return str(digest.hexdigest())


def _inputs(kind: str, now: datetime) -> Any:
    if kind in ("train", "tune"):
        return Config().to_dict()
    if kind in ("order_reviews", "undo"):
        # Recent demand depends on the day. These runs are never skipped: see `skip_unchanged`.
        return now.date().isoformat()
    active = ModelVersion.objects.filter(state="active").values_list("name", flat=True).first()
    if kind == "reclassify":
        return active, settings.SUGGESTION_PRECISION, sorted(rejected().items())
    if kind == "draw_map":
        return active
    # Popular and new titles depend on the day, topics on the version.
    return library_config().to_dict(), now.date().isoformat(), active, feedback_rows()


def _books() -> Iterable[tuple[Any, ...]]:
    media = Path(settings.MEDIA_ROOT)
    cover, audio, source = (BOOK_FIELDS.index(name) for name in ("cover", "audio", "category_source"))
    for row in all_books().values_list(*BOOK_FIELDS, "category_id").iterator():
        yield (
            # Of a category that the model set, only its existence counts.
            *(value if row[source] in TRUSTED_SOURCES else "" for value in row[-4:-1]),
            row[-1] is None,
            *row[:-4],
            file_state(media / row[cover] if row[cover] else None),
            file_state(media / row[audio] if row[audio] else None),
        )


def _loans() -> QuerySet[Loan, tuple[Any, ...]]:
    # As text, since the time itself is not needed: half of the cost.
    borrowed_at = Cast("borrowed_at", TextField())
    return known_loans().values_list("copy__book__control_number", "borrower_id", borrowed_at)


def file_state(path: Path | None) -> tuple[int, int] | None:
    """Return size and modification time of a file: another image may be saved under the same name."""
    if path is None:
        return None
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns


def _add(digest: Any, rows: Iterable[Any]) -> None:
    """Add rows and their number to a digest, so that no row can move from one table to the next."""
    count = 0
    rows = rows.iterator() if isinstance(rows, QuerySet) else rows
    for row in rows:
        digest.update(repr(row).encode())
        count += 1
    digest.update(f"#{count}".encode())
