"""Records of the pipeline from rows of the library."""

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
from library.catalogue.selectors.categories import resolve_replacements
from library.circulation.models import CoBorrowing, ExcludedLoanCount, Loan

MAX_SYNTHETIC_BORROWERS = 2_000_000
"""Synthetic borrowers for pairs of titles: 64 MB of columns, as many as a large library has loans."""

BOOK_FIELDS = (
    "control_number", "title", "subtitle", "authors", "publisher", "year", "language", "description", "cover",
    "audio", "category__scheme", "category__notation", "category_source",
)  # fmt: skip
"""Columns of a book that the pipeline reads; the last ones are its category and its source."""


def all_books() -> QuerySet[Book]:
    """Return every book by control number: the order decides ties."""
    return Book.objects.order_by("control_number")


def unsettled_books() -> QuerySet[Book]:
    """Return the books that neither a person nor an import has filed; the model may have."""
    return all_books().exclude(category_source__in=TRUSTED_SOURCES)


def catalogue(books: QuerySet[Book]) -> Catalogue:
    """Return books with all loans of the library.

    The category of a record is a `category_key` if a person or an import has set it, else None.
    """
    return catalogue_and_borrowers(books)[0]


def catalogue_and_borrowers(books: QuerySet[Book]) -> tuple[Catalogue, list[int]]:
    """Return books with all loans, and the primary keys of the borrowers by number.

    Both come from one query: a new borrower between two queries would change all numbers.
    """
    records = [record for (record,) in book_rows(books)]
    table, borrowers = loans()
    return Catalogue(books=records, loans=table, parents=parents()), borrowers


def book_rows(books: QuerySet[Book], *extra: str) -> Iterator[tuple[Any, ...]]:
    """Yield each book as a record, followed by the values of extra fields."""
    media, width = Path(settings.MEDIA_ROOT), len(BOOK_FIELDS)
    for row in books.values_list(*BOOK_FIELDS, *extra).iterator():
        yield _record(row[:width], media), *row[width:]


def loans() -> tuple[LoanTable, list[int]]:
    """Return every loan and the primary keys of the borrowers; borrower number i is the i-th of them.

    Borrowers who are excluded from statistics and their loans, anonymised or not, are missing. Anonymised
    loans are represented by pairs of titles that the same people borrowed, as synthetic borrowers with two
    titles each (`LoanTable.first_synthetic`), and by how often each title was borrowed.
    """
    rows = known_loans().values_list("copy__book__control_number", "borrower_id", "borrowed_at")
    index: dict[str, int] = {}
    book, borrower, borrowed_at = array("i"), array("q"), array("q")
    for number, borrower_key, time in rows.iterator():
        book.append(index.setdefault(number, len(index)))
        borrower.append(borrower_key)
        borrowed_at.append(int(time.timestamp()))
    keys, numbers = np.unique(np.array(borrower, np.int64), return_inverse=True)
    anonymised = {index.setdefault(number, len(index)): count for number, count in anonymised_loan_counts()}
    first, second, count = _stored_pairs(index)
    loaned_books = np.array(book, np.int32)
    times = np.bincount(loaned_books, minlength=len(index)).astype(np.int64)
    for position, loan_count in anonymised.items():
        times[position] += loan_count
    synthetic = np.repeat(np.arange(int(count.sum()), dtype=np.int32) + len(keys), 2)
    pairs = np.repeat(np.column_stack([first, second]), count, axis=0)  # (n_synthetic, 2)
    table = LoanTable(
        book_ids=list(index),
        book=np.concatenate([loaned_books, pairs.ravel().astype(np.int32)]),
        borrower=np.concatenate([numbers.astype(np.int32), synthetic]),
        # The time of anonymised loans is not stored, and no history needs it.
        borrowed_at=np.concatenate([np.array(borrowed_at, np.int64), np.zeros(len(synthetic), np.int64)]),
        times_borrowed=times,
        first_synthetic=len(keys),
    )
    return table, keys.tolist()


def known_loans() -> QuerySet[Loan]:
    """Return the loans with a borrower who counts in statistics, in the order of a `LoanTable`."""
    loans = Loan.objects.filter(borrower__isnull=False, borrower__excluded_from_statistics=False)
    return loans.order_by("borrower_id", "borrowed_at", "id")


def anonymised_loan_counts() -> list[tuple[str, int]]:
    """Return control numbers and the number of anonymised loans that count, by control number."""
    excluded = dict(ExcludedLoanCount.objects.values_list("book__control_number", "count"))
    loans = Loan.objects.filter(borrower=None).values_list("copy__book__control_number")
    rows = loans.annotate(times=Count("pk")).order_by("copy__book__control_number")
    # A book without any is omitted, as if it had never been borrowed.
    counted = ((number, times - excluded.get(number, 0)) for number, times in rows)
    return [(number, times) for number, times in counted if times > 0]


def _stored_pairs(index: dict[str, int]) -> tuple[Int64, Int64, Int64]:
    """Return the stored pairs of titles of anonymised loans, and how many borrowers had each.

    If they exceed `MAX_SYNTHETIC_BORROWERS` in total, all counts are scaled down, and pairs with less than
    half a borrower are dropped.
    """
    rows = CoBorrowing.objects.order_by("pk").values_list(
        "book__control_number", "other__control_number", "count"
    )
    first, second, count = array("q"), array("q"), array("q")
    for title, other, number in rows.iterator():
        first.append(index.setdefault(title, len(index)))
        second.append(index.setdefault(other, len(index)))
        count.append(number)
    counts = np.array(count, np.int64)
    if counts.sum() > MAX_SYNTHETIC_BORROWERS:
        counts = np.rint(counts * (MAX_SYNTHETIC_BORROWERS / counts.sum())).astype(np.int64)
    return np.array(first, np.int64), np.array(second, np.int64), counts


def loan_counts(*, until: int) -> dict[int, int]:
    """Return the number of loans of each borrower by primary key, up to a loan's key."""
    loans = known_loans().filter(pk__lte=until).order_by()
    return dict(loans.values_list("borrower").annotate(number=Count("pk")))


def feedback_rows() -> list[tuple[int, str, str]]:
    """Return borrowers' feedback: primary key of the borrower, control number, verdict."""
    rows = Feedback.objects.order_by("pk")
    return list(rows.values_list("borrower_id", "book__control_number", "verdict"))


def parents() -> dict[str, str]:
    """Return the parent of each category that has one, by `category_key`.

    If no category of a scheme has a parent, the notations imply the parents.
    """
    rows = list(
        Category.objects.values_list("scheme", "notation", "parent__scheme", "parent__notation").order_by(
            "pk"
        )
    )
    stored = {
        category_key(scheme, notation): category_key(parent_scheme, parent)
        for scheme, notation, parent_scheme, parent in rows
        if parent is not None
    }
    with_parents = {scheme for scheme, _, _, parent in rows if parent is not None}
    implied = implied_parents(
        category_key(scheme, notation) for scheme, notation, _, _ in rows if scheme not in with_parents
    )
    return stored | implied


def categories_by_key() -> dict[str, Category]:
    """Return the category that books are filed under today, by `category_key`.

    A merged category maps to its replacement; one that was retired without a replacement is missing.
    """
    rows = {category.pk: category for category in Category.objects.all()}
    replacements = resolve_replacements(
        {pk: row.replaced_by_id for pk, row in rows.items() if row.retired_at}
    )
    current = ((category, replacements.get(pk, pk)) for pk, category in rows.items())
    return {
        category_key(category.scheme, category.notation): rows[pk]
        for category, pk in current
        if pk is not None
    }


def current_names(classes: Iterable[str], *, categories: Mapping[str, Category]) -> dict[str, str | None]:
    """Return the current names of a model's classes that have changed since its training; None if retired.

    Parameters
    ----------
    categories
        See `categories_by_key`.
    """
    names: dict[str, str | None] = {}
    for name in classes:
        category = categories.get(name)
        current = category_key(category.scheme, category.notation) if category else None
        if current != name:
            names[name] = current
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


def installation_counts() -> dict[str, Any]:
    """Return the number of queued and running runs, and the active version."""
    runs = Run.objects.filter(status__in=Run.ACTIVE).order_by()
    counts = dict(runs.values_list("status").annotate(Count("pk")))
    active = ModelVersion.objects.filter(state=ModelVersion.State.ACTIVE).values_list("name", flat=True)
    return {
        "queued_runs": counts.get(Run.Status.QUEUED, 0),
        "running_runs": counts.get(Run.Status.RUNNING, 0),
        "active_version": active.first(),
    }
