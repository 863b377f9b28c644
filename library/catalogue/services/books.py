"""Books: whoever writes one writes what it is found by in the same transaction."""

from collections.abc import Collection
from typing import Any

from django.db import connections, router, transaction

from library.catalogue.models import Book
from library.catalogue.search import COLUMNS, BookText, forget_gone, write_entries
from library.catalogue.services.categories import check_open
from library.console import Progress, no_progress
from library.db import KEYS_A_QUERY, batches


@transaction.atomic
def save_book(*, book: Book) -> None:
    """Save a book, new or changed, and what it is found by.

    Raises
    ------
    CategoryRetiredError
        If its category was given up meanwhile.
    """
    # First the row: it makes a second edit of the same book wait, so the entry is that of the last.
    book.save()
    check_open(categories=[book.category_id])
    text = BookText(*(getattr(book, column) for column in COLUMNS))
    write_entries(texts=[text], connection=_connection())


def index_books(*, pks: Collection[int]) -> None:
    """Write what many books are found by anew: after a bulk write, in its transaction.

    Parameters
    ----------
    pks : collection of int
        Primary keys; those that are not there are passed over.
    """
    for some in batches(sorted(pks), KEYS_A_QUERY):
        with transaction.atomic():
            # Locked, so that an edit meanwhile is not overwritten with what stood there before.
            rows = Book.objects.select_for_update(no_key=True).filter(pk__in=some).order_by("pk")
            texts = [BookText(*row) for row in rows.values_list(*COLUMNS)]
            write_entries(texts=texts, connection=_connection())


def rebuild_search(*, progress: Progress = no_progress) -> dict[str, int]:
    """Write what all books are found by anew, and forget those that are gone; searching goes on meanwhile.

    Returns
    -------
    dict
        ``books``: how many there are.
    """
    keys = list(Book.objects.order_by("pk").values_list("pk", flat=True))
    done = 0
    for some in batches(keys, KEYS_A_QUERY):
        index_books(pks=some)
        done += len(some)
        progress("indexing books", done, len(keys))
    forget_gone(connection=_connection())
    return {"books": len(keys)}


def _connection() -> Any:
    return connections[router.db_for_write(Book)]
