"""Rows of the library as records of the pipeline."""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db.models import Count, QuerySet

from classifier.models import TRUSTED_SOURCES, Feedback, ModelVersion, Run
from classifier.pipeline.records import BookRecord, Catalogue, Int64, LoanTable
from classifier.pipeline.taxonomy.notation import implied_parents
from classifier.selectors.reviews import category_key
from library.catalogue.models import Book, Category
from library.catalogue.selectors.categories import followed
from library.circulation.models import CoBorrowing, LeftOutLoans, Loan

MOST_MADE_UP = 2_000_000
"""Borrowers that stand for pairs of titles: 64 MB of columns, about as many as a large library has loans."""

BOOK_FIELDS = (
    "control_number", "title", "subtitle", "authors", "publisher", "year", "language", "description", "cover",
    "audio", "category__scheme", "category__notation", "category_source",
)  # fmt: skip
"""What of a book the pipeline is given; how it is filed at the end."""


def all_books() -> QuerySet[Book]:
    """Return every book in the order of control numbers: the order decides how ties fall."""
    return Book.objects.order_by("control_number")


def unsettled_books() -> QuerySet[Book]:
    """Return the books that neither a person nor an import has filed: what the model filed is a guess yet."""
    return all_books().exclude(category_source__in=TRUSTED_SOURCES)


def catalogue(books: QuerySet[Book]) -> Catalogue:
    """Return books with all loans of the library.

    A book's category is its `category_key` if a person or an import gave it, else None.
    """
    return catalogue_and_borrowers(books)[0]


def catalogue_and_borrowers(books: QuerySet[Book]) -> tuple[Catalogue, list[int]]:
    """Return books with all loans, and the primary keys behind the known borrowers' numbers.

    Both come from one query: a first loan made between two would number everyone anew.
    """
    records = [record for (record,) in book_rows(books)]
    table, borrowers = loans()
    return Catalogue(books=records, loans=table, parents=parents()), borrowers


def book_rows(books: QuerySet[Book], *more: str) -> Iterator[tuple[Any, ...]]:
    """Yield each book as a record, and the values of more fields of it."""
    media, width = Path(settings.MEDIA_ROOT), len(BOOK_FIELDS)
    for row in books.values_list(*BOOK_FIELDS, *more).iterator():
        yield _record(row[:width], media), *row[width:]


def loans() -> tuple[LoanTable, list[int]]:
    """Return every loan and the primary keys of the borrowers; borrower number i is the i-th of them.

    Borrowers who are left out of statistics are not there, nor are their loans, known or forgotten.
    Of forgotten loans there are the titles that the same people had, as made-up borrowers with two titles
    each (`LoanTable.known`), and how often each title was borrowed.
    """
    rows = known_loans().values_list("copy__book__control_number", "borrower_id", "borrowed_at")
    index: dict[str, int] = {}
    book, borrower, borrowed_at = array("i"), array("q"), array("q")
    for number, person, when in rows.iterator():
        book.append(index.setdefault(number, len(index)))
        borrower.append(person)
        borrowed_at.append(int(when.timestamp()))
    keys, numbers = np.unique(np.array(borrower, np.int64), return_inverse=True)
    forgotten = {index.setdefault(number, len(index)): times for number, times in times_forgotten()}
    first, second, count = _kept_pairs(index)
    known_books = np.array(book, np.int32)
    times = np.bincount(known_books, minlength=len(index)).astype(np.int64)
    for position, number_of_times in forgotten.items():
        times[position] += number_of_times
    made_up = np.repeat(np.arange(int(count.sum()), dtype=np.int32) + len(keys), 2)
    pairs = np.repeat(np.column_stack([first, second]), count, axis=0)  # (n_made_up, 2)
    table = LoanTable(
        book_ids=list(index),
        book=np.concatenate([known_books, pairs.ravel().astype(np.int32)]),
        borrower=np.concatenate([numbers.astype(np.int32), made_up]),
        # When it was is not kept; nobody's history has them.
        borrowed_at=np.concatenate([np.array(borrowed_at, np.int64), np.zeros(len(made_up), np.int64)]),
        times_borrowed=times,
        known=len(keys),
    )
    return table, keys.tolist()


def known_loans() -> QuerySet[Loan]:
    """Return the loans of which it is known who had them and that count, in the order of a `LoanTable`."""
    loans = Loan.objects.filter(borrower__isnull=False, borrower__left_out=False)
    return loans.order_by("borrower_id", "borrowed_at", "id")


def times_forgotten() -> list[tuple[str, int]]:
    """Return control numbers and how many forgotten loans of each book count, in their order."""
    left_out = dict(LeftOutLoans.objects.values_list("book__control_number", "count"))
    loans = Loan.objects.filter(borrower=None).values_list("copy__book__control_number")
    rows = loans.annotate(times=Count("pk")).order_by("copy__book__control_number")
    # A book of which none counts is not there at all, as if its loans had not been made.
    counted = ((number, times - left_out.get(number, 0)) for number, times in rows)
    return [(number, times) for number, times in counted if times > 0]


def _kept_pairs(index: dict[str, int]) -> tuple[Int64, Int64, Int64]:
    """Return the pairs of titles kept of forgotten borrowers, and how many borrowers had each.

    All together are `MOST_MADE_UP` at most: beyond, the counts are scaled down alike, and pairs of which
    less than half a borrower would be left are left out.
    """
    rows = CoBorrowing.objects.order_by("pk").values_list(
        "book__control_number", "other__control_number", "count"
    )
    first, second, count = array("q"), array("q"), array("q")
    for one, other, number in rows.iterator():
        first.append(index.setdefault(one, len(index)))
        second.append(index.setdefault(other, len(index)))
        count.append(number)
    counts = np.array(count, np.int64)
    if counts.sum() > MOST_MADE_UP:
        counts = np.rint(counts * (MOST_MADE_UP / counts.sum())).astype(np.int64)
    return np.array(first, np.int64), np.array(second, np.int64), counts


def loans_a_borrower(*, until: int) -> dict[int, int]:
    """Return how many loans are known of each borrower, by primary key, of those up to a loan's key."""
    loans = known_loans().filter(pk__lte=until).order_by()
    return dict(loans.values_list("borrower").annotate(number=Count("pk")))


def opinions() -> list[tuple[int, str, str]]:
    """Return what borrowers said of titles: the borrower's primary key, the control number, the verdict."""
    rows = Feedback.objects.order_by("pk")
    return list(rows.values_list("borrower_id", "book__control_number", "verdict"))


def parents() -> dict[str, str]:
    """Return the category above each category that has one above, by `category_key`.

    Where nobody has said so of any category of a scheme, what the notations imply.
    """
    rows = list(
        Category.objects.values_list("scheme", "notation", "parent__scheme", "parent__notation").order_by(
            "pk"
        )
    )
    said = {
        category_key(scheme, notation): category_key(above_scheme, above)
        for scheme, notation, above_scheme, above in rows
        if above is not None
    }
    drawn = {scheme for scheme, _, _, above in rows if above is not None}
    implied = implied_parents(
        category_key(scheme, notation) for scheme, notation, _, _ in rows if scheme not in drawn
    )
    return said | implied


def categories_by_key() -> dict[str, Category]:
    """Return by `category_key` the category that books of it are filed under now.

    Of one that was merged into another it is the other; one that was retired without is left out.
    """
    rows = {category.pk: category for category in Category.objects.all()}
    instead = followed({pk: row.replaced_by_id for pk, row in rows.items() if row.retired_at})
    standing = ((category, instead.get(pk, pk)) for pk, category in rows.items())
    return {
        category_key(category.scheme, category.notation): rows[there]
        for category, there in standing
        if there is not None
    }


def current_names(classes: Iterable[str], *, known: Mapping[str, Category]) -> dict[str, str | None]:
    """Return what classes of a model are called now, where that is not as at its training; None of those that
    are no more.

    Parameters
    ----------
    classes : iterable of str
    known : mapping of str to Category
        See `categories_by_key`.
    """
    names: dict[str, str | None] = {}
    for name in classes:
        there = known.get(name)
        now = category_key(there.scheme, there.notation) if there else None
        if now != name:
            names[name] = now
    return names


def book_keys(control_numbers: Iterable[str]) -> dict[str, int]:
    """Return the primary keys of books by control number."""
    wanted = set(control_numbers)
    rows = Book.objects.values_list("control_number", "id").iterator()
    return {number: key for number, key in rows if number in wanted}


def _record(row: tuple, media: Path) -> BookRecord:
    (
        number,
        title,
        subtitle,
        authors,
        publisher,
        year,
        language,
        description,
        cover,
        audio,
        scheme,
        notation,
        source,
    ) = row
    return BookRecord(
        id=number,
        title=title,
        subtitle=subtitle,
        authors=authors,
        publisher=publisher,
        year=year,
        language=language,
        description=description,
        cover=media / cover if cover else None,
        audio=media / audio if audio else None,
        category=category_key(scheme, notation) if source in TRUSTED_SOURCES else None,
    )


def figures() -> dict[str, Any]:
    """Return what is queued and running, and the active version, for the state of the installation."""
    runs = Run.objects.filter(status__in=Run.ACTIVE).order_by()
    counts = dict(runs.values_list("status").annotate(Count("pk")))
    active = ModelVersion.objects.filter(state=ModelVersion.State.ACTIVE).values_list("name", flat=True)
    return {
        "queued_runs": counts.get(Run.Status.QUEUED, 0),
        "running_runs": counts.get(Run.Status.RUNNING, 0),
        "active_version": active.first(),
    }
