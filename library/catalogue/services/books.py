"""Write books, each with its search index entry in the same transaction."""

from collections.abc import Collection
from typing import Any

from django.db import connections, router, transaction

from library.catalogue.models import Book
from library.catalogue.search import COLUMNS, BookText, delete_orphans, write_entries
from library.catalogue.services.categories import check_open
from library.console import Progress, no_progress
from library.db import KEYS_PER_QUERY, batches


@transaction.atomic
def save_book(*, book: Book) -> None:
    """Save a new or changed book and its search index entry.

    Raises
    ------
    CategoryRetiredError
        If its category has been retired since it was chosen.
    """
    # The row first: it makes a concurrent edit of the same book wait, so the entry is that of the last edit.
    book.save()
    check_open(categories=[book.category_id])
    text = BookText(*(getattr(book, column) for column in COLUMNS))
    write_entries(texts=[text], connection=_connection())


def index_books(*, pks: Collection[int]) -> None:
    """Rewrite the search index entries of many books, after a bulk write and in its transaction."""
    for batch in batches(sorted(pks), KEYS_PER_QUERY):
        with transaction.atomic():
            # Locked, so that a concurrent edit is not overwritten with older text.
            rows = Book.objects.select_for_update(no_key=True).filter(pk__in=batch).order_by("pk")
            texts = [BookText(*row) for row in rows.values_list(*COLUMNS)]
            write_entries(texts=texts, connection=_connection())


def rebuild_search(*, progress: Progress = no_progress) -> dict[str, int]:
    """Rebuild the search index while searches continue; return the number of ``books``."""
    keys = list(Book.objects.order_by("pk").values_list("pk", flat=True))
    done = 0
    for batch in batches(keys, KEYS_PER_QUERY):
        index_books(pks=batch)
        done += len(batch)
        progress("indexing books", done, len(keys))
    delete_orphans(connection=_connection())
    return {"books": len(keys)}


def _connection() -> Any:
    return connections[router.db_for_write(Book)]
