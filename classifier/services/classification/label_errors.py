"""Search for books that are possibly misfiled."""

from collections.abc import Iterator
from datetime import datetime
from heapq import nlargest
from itertools import islice

from django.conf import settings
from django.db import transaction
from django.db.models import F

from classifier.models import TRUSTED_SOURCES, Misfiled
from classifier.pipeline.monitoring.label_errors import LabelIssue, Predictions, explain_issues
from classifier.pipeline.records import BookRecord, Catalogue
from classifier.selectors.records import all_books, book_rows, categories_by_key
from classifier.services.classification.batches.lifecycle import MAX_CHUNK
from classifier.services.classification.chunk_worker import BatchContext
from classifier.services.runs.phases import FINDING_MISFILES
from library.catalogue.selectors.books import book_ids
from library.console import Progress, no_progress

MAX_LISTED = 1000
"""Books, the most confident predictions first: more than anybody reviews before the next version."""
_UPDATED = ["filed_probability", "category", "probability", "evidence", "model_version", "found_at"]


def find_misfiled(*, context: BatchContext, now: datetime, progress: Progress = no_progress) -> int:
    """List the books that the version would file elsewhere than a person or an import; return their number.

    Books that no longer qualify leave the list; books that a person confirmed stay confirmed.
    """
    progress(FINDING_MISFILES, 0, 2)
    settled = all_books().filter(category_source__in=TRUSTED_SOURCES)
    dismissed = set(
        Misfiled.objects.exclude(dismissed_at=None)
        .filter(filed=F("book__category"))
        .values_list("book__control_number", flat=True)
    )
    records = (record for (record,) in book_rows(settled) if record.id not in dismissed)
    issues = nlargest(
        MAX_LISTED, _label_issues(context, records), key=lambda issue: (issue.probability, issue.book)
    )
    progress(FINDING_MISFILES, 1, 2)
    rows = list(_rows(context, issues, now=now))
    with transaction.atomic():
        listed = Misfiled.objects.filter(dismissed_at=None)
        listed.exclude(book__in=[row.book_id for row in rows]).delete()
        listed.exclude(filed=F("book__category")).delete()
        Misfiled.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["book", "filed"],
            update_fields=_UPDATED,
            batch_size=500,
        )
    progress(FINDING_MISFILES, 2, 2)
    return len(rows)


def _label_issues(context: BatchContext, records: Iterator[BookRecord]) -> Iterator[LabelIssue]:
    predictions, threshold = Predictions(context.model), settings.MISFILED_PROBABILITY
    while books := list(islice(records, MAX_CHUNK)):
        yield from predictions.label_issues(
            Catalogue(books=books, loans=context.loans), min_confidence=threshold
        )


def _rows(context: BatchContext, issues: list[LabelIssue], *, now: datetime) -> Iterator[Misfiled]:
    numbers = [issue.book for issue in issues]
    keys = book_ids(control_numbers=numbers)
    categories = categories_by_key()
    books = all_books().filter(control_number__in=numbers)
    records = Catalogue(books=[record for (record,) in book_rows(books)], loans=context.loans)
    existing = {record.id for record in records.books}
    current = [issue for issue in issues if issue.book in existing]
    for issue, evidence in explain_issues(context.model, records, current):
        # The two categories may have been merged since the version was trained.
        if categories.get(issue.category) != categories.get(issue.filed) and {
            issue.category, issue.filed
        } <= categories.keys():  # fmt: skip
            yield Misfiled(
                book_id=keys[issue.book],
                filed=categories[issue.filed],
                filed_probability=issue.filed_probability,
                category=categories[issue.category],
                probability=issue.probability,
                evidence=evidence.to_json(),
                model_version=context.version,
                found_at=now,
            )
