"""Changes of the classification scheme with all that hangs on it here; what people use calls these.

The catalogue's own rows are changed by `library.catalogue.services.taxonomy.changes`, which knows nothing of
the classifier; its part is done in the same transaction:

- Suggestions of a category that became another are suggestions of that one; those in whose place nothing is
  go. They come back when the change is undone.
- What is listed as possibly misfiled by or under a category that is no more is taken off; the next
  reclassification lists anew. Who said that a book is right where it is has said so of the new place too.
- Reviews and what batches changed stay as they were said and done; who undoes or accepts one is led to the
  category of today (`library.catalogue.selectors.stands_for`).

Locks: possibly misfiled books, suggestions, then the catalogue's tables, as those who settle them take them.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q

from classifier.models import FollowedBook, Misfiled, Suggestion
from classifier.services.classification.changes import as_rows, placed, restored
from library.catalogue.models import TaxonomyChange
from library.catalogue.selectors.categories import Places, current_places
from library.catalogue.services.taxonomy import changes
from library.catalogue.services.taxonomy.requests import Wish
from library.db import KEYS_A_QUERY, batches

_ROWS = 2000  # a statement


def judge_texts(texts: Sequence[str], told: Sequence[int]) -> Sequence[int]:
    """Return the child of each text by its most similar labelled texts; see `taxonomy.requests.Opinion`."""
    # Imported here: a web process loads numbers only where somebody asks for this.
    from classifier.pipeline.taxonomy.relabelling import nearest_children

    return nearest_children(texts, told)


@transaction.atomic
def apply(*, wish: Wish, now: datetime, user: User | None = None) -> TaxonomyChange:
    """Merge, split, retire or move categories, and let the suggestions follow.

    Parameters
    ----------
    wish : Merge, Split, Retire or Move
    now : datetime
    user : user, optional
        Who does it.

    Returns
    -------
    TaxonomyChange

    Raises
    ------
    TaxonomyError, TaxonomyConflictError
        If it cannot be made; nothing is changed then.
    """
    changes.lock_tables(Misfiled, Suggestion)
    change = changes.apply(wish=wish, now=now, user=user, opinion=judge_texts)
    places = current_places()
    FollowedBook.objects.bulk_create(
        (FollowedBook(change=change, book_id=book, before=before, after=after) for book, before, after in
         _follow(places)),
        batch_size=_ROWS,
    )  # fmt: skip
    _settle_misfiled(places)
    return change


@transaction.atomic
def undo(*, change: TaxonomyChange, now: datetime, user: User | None = None) -> TaxonomyChange:
    """Take a change back, with the suggestions of books that were not classified again since.

    Parameters
    ----------
    change : TaxonomyChange
    now : datetime
    user : user, optional
        Who undoes it.

    Returns
    -------
    TaxonomyChange
        ``kept`` says how many books stayed where they are: filed otherwise since.

    Raises
    ------
    TaxonomyConflictError
        If it is undone already, or a later change rests on it, which is named.
    """
    changes.lock_tables(Misfiled, Suggestion)
    change = changes.undo(change=change, now=now, user=user)
    places = current_places()
    followed = FollowedBook.objects.filter(change=change).order_by("book")
    for some in batches(followed.iterator(), _ROWS):
        now_there = _suggested(one.book_id for one in some)
        untouched = [one for one in some if as_rows(now_there.get(one.book_id, [])) == one.after]
        _replace(
            [one.book_id for one in untouched],
            (
                row
                for one in untouched
                for row in restored(book_id=one.book_id, before=one.before, places=places)
            ),
        )
    followed.delete()
    for _book in _follow(places):  # of the categories that a split had made
        pass
    _settle_misfiled(places)
    return change


def _follow(places: Places) -> Iterator[tuple[int, list, list]]:
    """Put every suggestion of a category that is no more in its place; yield book, rows before and after."""
    gone = Suggestion.objects.filter(category__retired_at__isnull=False)
    books = list(gone.order_by("book").values_list("book", flat=True).distinct())
    for some in batches(books, KEYS_A_QUERY):
        rows = _suggested(some)
        before = {book: as_rows(of_book) for book, of_book in rows.items()}
        after = {book: placed(of_book, places=places) for book, of_book in rows.items()}
        _replace(some, (row for of_book in after.values() for row in of_book))
        for book in some:
            yield book, before[book], as_rows(after[book])


def _suggested(books: Iterable[int]) -> dict[int, list[Suggestion]]:
    rows = Suggestion.objects.filter(book__in=list(books)).order_by("book", "rank")
    return {book: list(of_book) for book, of_book in groupby(rows, key=lambda row: row.book_id)}


def _replace(books: Sequence[int], rows: Iterable[Suggestion]) -> None:
    for some in batches(books, KEYS_A_QUERY):
        Suggestion.objects.filter(book__in=some).delete()
    fresh = list(rows)
    for row in fresh:
        row.pk = None  # a page that is open must not accept what stands in another's place
    Suggestion.objects.bulk_create(fresh, batch_size=_ROWS)


def _settle_misfiled(places: Places) -> None:
    gone = Q(filed__retired_at__isnull=False) | Q(category__retired_at__isnull=False)
    Misfiled.objects.filter(gone, dismissed_at=None).delete()
    said = Misfiled.objects.filter(filed__retired_at__isnull=False).exclude(filed=F("book__category"))
    copies = []
    for row in said.exclude(dismissed_at=None).select_related("book"):
        filed, category = places.get(row.filed_id), places.get(row.category_id)
        # A row of its own: undone, the old one speaks again of the old place.
        if filed is not None and filed == row.book.category_id and category not in (None, filed):
            row.pk, row.filed_id, row.category_id = None, filed, category
            copies.append(row)
    Misfiled.objects.bulk_create(copies, batch_size=_ROWS, ignore_conflicts=True)
