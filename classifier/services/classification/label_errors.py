"""Finding the books that are possibly misfiled."""

from collections.abc import Iterator
from datetime import datetime
from heapq import nlargest
from itertools import islice

from django.conf import settings
from django.db import transaction
from django.db.models import F

from classifier.models import TRUSTED_SOURCES, Misfiled
from classifier.pipeline.monitoring.label_errors import Disagreement, Opinions, reasons
from classifier.pipeline.records import BookRecord, Catalogue
from classifier.selectors.records import all_books, book_rows, categories_by_key
from classifier.services.classification.chunk_worker import Reader
from classifier.services.classification.chunks import LARGEST
from classifier.services.runs.pace import MISFILED
from library.catalogue.selectors.books import book_ids
from library.console import Progress, no_progress

MOST = 1000
"""Books listed at most, the surest: more than anybody looks through before the next version."""
_FOUND = ["filed_probability", "category", "probability", "evidence", "model_version", "found_at"]


def find_misfiled(*, reader: Reader, now: datetime, progress: Progress = no_progress) -> int:
    """List the books that a person or an import filed and a version would file elsewhere.

    What was listed before and is no longer so is taken off, what a person said to be right stays that.

    Parameters
    ----------
    reader : Reader
        By whose version.
    now : datetime
    progress : callable

    Returns
    -------
    int
        How many books are listed.
    """
    progress(MISFILED, 0, 2)
    settled = all_books().filter(category_source__in=TRUSTED_SOURCES)
    dismissed = set(
        Misfiled.objects.exclude(dismissed_at=None)
        .filter(filed=F("book__category"))
        .values_list("book__control_number", flat=True)
    )
    records = (record for (record,) in book_rows(settled) if record.id not in dismissed)
    found = nlargest(MOST, _disagreements(reader, records), key=lambda one: (one.probability, one.book))
    progress(MISFILED, 1, 2)
    rows = list(_rows(reader, found, now=now))
    with transaction.atomic():
        listed = Misfiled.objects.filter(dismissed_at=None)
        listed.exclude(book__in=[row.book_id for row in rows]).delete()
        listed.exclude(filed=F("book__category")).delete()
        Misfiled.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["book", "filed"],
            update_fields=_FOUND,
            batch_size=500,
        )
    progress(MISFILED, 2, 2)
    return len(rows)


def _disagreements(reader: Reader, records: Iterator[BookRecord]) -> Iterator[Disagreement]:
    opinions, sure = Opinions(reader.model), settings.MISFILED_PROBABILITY
    while some := list(islice(records, LARGEST)):
        yield from opinions.disagreements(Catalogue(books=some, loans=reader.loans), sure=sure)


def _rows(reader: Reader, found: list[Disagreement], *, now: datetime) -> Iterator[Misfiled]:
    numbers = [one.book for one in found]
    keys = book_ids(control_numbers=numbers)
    categories = categories_by_key()
    books = all_books().filter(control_number__in=numbers)
    part = Catalogue(books=[record for (record,) in book_rows(books)], loans=reader.loans)
    there = {record.id for record in part.books}
    still = [one for one in found if one.book in there]
    for one, reason in reasons(reader.model, part, still):
        # Both may have become one since the version learned.
        if categories.get(one.category, None) != categories.get(one.filed) and {
            one.category, one.filed
        } <= categories.keys():  # fmt: skip
            yield Misfiled(
                book_id=keys[one.book],
                filed=categories[one.filed],
                filed_probability=one.filed_probability,
                category=categories[one.category],
                probability=one.probability,
                evidence=reason,
                model_version=reader.version,
                found_at=now,
            )
