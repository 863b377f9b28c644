"""A digest of all that a run reads: with the last run's, there is nothing to do.

It is taken of the very rows and columns that the job reads, as they are now. Counts, highest keys and time
stamps would be cheaper and would miss a corrected title; sums over rows would miss two changes that cancel
out. Next to the work it saves, reading the rows costs little.
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
from classifier.selectors.records import (
    BOOK_FIELDS,
    all_books,
    known_loans,
    opinions,
    times_forgotten,
)
from classifier.selectors.reviews import rejected
from classifier.services.configuration import library_config
from library.catalogue.models import Category
from library.circulation.models import CoBorrowing, Loan


def fingerprint_of(*, kind: str, parameters: dict[str, Any], now: datetime) -> str:
    """Return the digest of what a run of this kind would read.

    Parameters
    ----------
    kind : str
        One of `classifier.models.Run.Kind`.
    parameters : dict
        Of the run.
    now : datetime
    """
    digest = blake2b(digest_size=32)
    _add(digest, [(kind, sorted(parameters.items()), FORMAT, _about(kind, now))])
    _add(digest, _books())
    categories = Category.objects.order_by("pk")
    _add(
        digest,
        categories.values_list("scheme", "notation", "parent_id", "pk", "retired_at", "replaced_by_id"),
    )
    _add(digest, _loans())
    _add(digest, times_forgotten())
    _add(digest, CoBorrowing.objects.order_by("pk").values_list("book_id", "other_id", "count"))
    return str(digest.hexdigest())


def _about(kind: str, now: datetime) -> Any:
    """Return what else a kind of run depends on; what its parameters change is told by them."""
    if kind in ("train", "tune"):
        return Config().to_dict()
    if kind in ("order_reviews", "undo"):
        # What was asked for lately depends on the day. A run is never left out: see `repetition`.
        return now.date().isoformat()
    active = ModelVersion.objects.filter(state="active").values_list("name", flat=True).first()
    if kind == "reclassify":
        return active, settings.SUGGESTION_PRECISION, sorted(rejected().items())
    if kind == "draw_map":
        return active
    # What is popular and new depends on the day, and how titles are seen on the version.
    return library_config().to_dict(), now.date().isoformat(), active, opinions()


def _books() -> Iterable[tuple[Any, ...]]:
    media = Path(settings.MEDIA_ROOT)
    cover, audio, source = (BOOK_FIELDS.index(name) for name in ("cover", "audio", "category_source"))
    for row in all_books().values_list(*BOOK_FIELDS, "category_id").iterator():
        yield (
            # A guess of the model's is no more than that the book has one.
            *(value if row[source] in TRUSTED_SOURCES else "" for value in row[-4:-1]),
            row[-1] is None,
            *row[:-4],
            file_state(media / row[cover] if row[cover] else None),
            file_state(media / row[audio] if row[audio] else None),
        )


def _loans() -> QuerySet[Loan, tuple[Any, ...]]:
    # As text, for it is not needed as a time: half of the cost.
    when = Cast("borrowed_at", TextField())
    return known_loans().values_list("copy__book__control_number", "borrower_id", when)


def file_state(path: Path | None) -> tuple[int, int] | None:
    """Return size and time of a file: another picture may come under the same name."""
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _add(digest: Any, rows: Iterable[Any]) -> None:
    """Add rows to a digest, and their number, so that none can move from one table to the next."""
    count = 0
    rows = rows.iterator() if isinstance(rows, QuerySet) else rows
    for row in rows:
        digest.update(repr(row).encode())
        count += 1
    digest.update(f"#{count}".encode())
