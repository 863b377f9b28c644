"""Category changes together with their effects on the classifier; pages, API and commands call these.

`library.catalogue.services.taxonomy.changes` changes the catalogue's own rows and does not know the
classifier. The classifier's rows change in the same transaction:

- Suggestions of a replaced category become suggestions of its replacement; without a replacement they are
  deleted. Undoing the change restores them.
- Possibly misfiled books leave the list if one of their two categories was retired; the next batch lists them
  again. A confirmed category counts as confirmed after the change too.
- Reviews and changes of batches stay; undoing or accepting one uses today's category
  (`library.catalogue.selectors.replacements`).

Lock order: possibly misfiled books, suggestions, then the catalogue's tables, as in reviews.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q

from classifier.models import Misfiled, RelabelledBook, Suggestion
from classifier.services.classification.batches.changes import (
    as_before,
    restored,
    with_current_categories,
)
from library.catalogue.models import TaxonomyChange
from library.catalogue.selectors.categories import CurrentCategories, current_categories
from library.catalogue.services.taxonomy import changes
from library.catalogue.services.taxonomy.requests import TaxonomyChangeRequest
from library.db import KEYS_PER_QUERY, batches

_ROWS = 2000  # per statement


def classify_texts(texts: Sequence[str], labels: Sequence[int]) -> Sequence[int]:
    """Return the child of each text by its most similar labelled texts; a `TextClassifier`."""
    # Imported here, so that a web process loads numpy only when needed.
    from classifier.pipeline.taxonomy.relabelling import assign_children

    return assign_children(texts, labels)


@transaction.atomic
def apply(
    *, change_request: TaxonomyChangeRequest, now: datetime, user: User | None = None
) -> TaxonomyChange:
    """Merge, split, retire or move categories, and relabel the suggestions.

    Raises
    ------
    TaxonomyError, TaxonomyConflictError
        If the change is invalid; nothing is changed then.
    """
    changes.lock_tables(Misfiled, Suggestion)
    change = changes.apply(change_request=change_request, now=now, user=user, text_classifier=classify_texts)
    categories = current_categories()
    RelabelledBook.objects.bulk_create(
        (
            RelabelledBook(change=change, book_id=book, before=before, after=after)
            for book, before, after in _relabel(categories)
        ),
        batch_size=_ROWS,
    )
    _update_misfiled(categories)
    return change


@transaction.atomic
def undo(*, change: TaxonomyChange, now: datetime, user: User | None = None) -> TaxonomyChange:
    """Undo a change, and restore the suggestions of books that have not been classified again since.

    ``kept`` counts books that were filed elsewhere since and stay.

    Raises
    ------
    TaxonomyConflictError
        If it has been undone, or a later change, which is named, depends on it.
    """
    changes.lock_tables(Misfiled, Suggestion)
    change = changes.undo(change=change, now=now, user=user)
    categories = current_categories()
    relabelled = RelabelledBook.objects.filter(change=change).order_by("book")
    for batch in batches(relabelled.iterator(), _ROWS):
        current = _suggestions(book.book_id for book in batch)
        untouched = [book for book in batch if as_before(current.get(book.book_id, [])) == book.after]
        _replace(
            [book.book_id for book in untouched],
            (
                row
                for book in untouched
                for row in restored(book_id=book.book_id, before=book.before, categories=categories)
            ),
        )
    relabelled.delete()
    for _book in _relabel(categories):  # suggestions of categories that a split had created
        pass
    _update_misfiled(categories)
    return change


def _relabel(categories: CurrentCategories) -> Iterator[tuple[int, list[Any], list[Any]]]:
    """Relabel every suggestion of a retired category; yield book, rows before and rows after."""
    retired = Suggestion.objects.filter(category__retired_at__isnull=False)
    books = list(retired.order_by("book").values_list("book", flat=True).distinct())
    for keys in batches(books, KEYS_PER_QUERY):
        rows = _suggestions(keys)
        before = {book: as_before(of_book) for book, of_book in rows.items()}
        after = {
            book: with_current_categories(of_book, categories=categories) for book, of_book in rows.items()
        }
        _replace(keys, (row for of_book in after.values() for row in of_book))
        for book in keys:
            yield book, before[book], as_before(after[book])


def _suggestions(books: Iterable[int]) -> dict[int, list[Suggestion]]:
    rows = Suggestion.objects.filter(book__in=list(books)).order_by("book", "rank")
    return {book: list(of_book) for book, of_book in groupby(rows, key=lambda row: row.book_id)}


def _replace(books: Sequence[int], rows: Iterable[Suggestion]) -> None:
    for keys in batches(books, KEYS_PER_QUERY):
        Suggestion.objects.filter(book__in=keys).delete()
    new = list(rows)
    for row in new:
        row.pk = None  # an open page must not accept another suggestion than it shows
    Suggestion.objects.bulk_create(new, batch_size=_ROWS)


def _update_misfiled(categories: CurrentCategories) -> None:
    retired = Q(filed__retired_at__isnull=False) | Q(category__retired_at__isnull=False)
    Misfiled.objects.filter(retired, dismissed_at=None).delete()
    confirmed = Misfiled.objects.filter(filed__retired_at__isnull=False).exclude(filed=F("book__category"))
    copies = []
    for row in confirmed.exclude(dismissed_at=None).select_related("book"):
        filed, category = categories.get(row.filed_id), categories.get(row.category_id)
        # The old row stays: it applies again when the change is undone.
        if filed is not None and filed == row.book.category_id and category not in (None, filed):
            row.pk, row.filed_id, row.category_id = None, filed, category
            copies.append(row)
    Misfiled.objects.bulk_create(copies, batch_size=_ROWS, ignore_conflicts=True)
