"""Suggestions and categories of books, to compare states."""

from classifier.models import Suggestion
from classifier.services.classification.batches.changes import COLUMNS
from classifier.services.classification.batches.undo import undo
from classifier.services.runs.context import JobContext
from library.catalogue.models import Book


def rows():
    return list(Suggestion.objects.order_by("book", "rank").values_list("book", *COLUMNS))


def filed():
    return dict(Book.objects.values_list("pk", "category")), dict(
        Book.objects.values_list("pk", "category_source")
    )


def undo_now(*, batch, now):
    return undo(JobContext(now=now), batch=batch)
