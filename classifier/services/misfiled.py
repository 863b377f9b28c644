"""Books that are possibly misfiled: found, and what a librarian said of them."""

from collections.abc import Iterator
from datetime import datetime
from heapq import nlargest
from itertools import islice

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from classifier.models import Misfiled
from classifier.pipeline.disagreement import Disagreement, Opinions, reasons
from classifier.pipeline.records import BookRecord, Catalogue
from classifier.selectors import TRUSTED_SOURCES, all_books, book_rows, categories_by_key
from classifier.services.chunks import LARGEST, Reader
from classifier.services.pace import MISFILED
from classifier.services.review import correct_category
from library.catalogue.models import Book
from library.catalogue.selectors import book_ids
from library.console import Progress, no_progress
from library.errors import ConflictError

MOST = 1000
"""Books listed at most, the surest: more than anybody looks through before the next version."""


class MisfiledSettledError(ConflictError):
    """The book is filed otherwise than when it was listed."""


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
            update_fields=[
                "filed_probability", "category", "probability", "evidence", "model_version", "found_at",
            ],  # fmt: skip
            batch_size=500,
        )
    progress(MISFILED, 2, 2)
    return len(rows)


@transaction.atomic
def dismiss(*, misfiled: Misfiled, now: datetime, user: User | None = None) -> None:
    """Remember that a book is filed rightly, and list it no more as long as it is filed there.

    Parameters
    ----------
    misfiled : Misfiled
    now : datetime
    user : user, optional
        Who says so.

    Raises
    ------
    MisfiledSettledError
        If the book is filed otherwise by now, or somebody was quicker.
    """
    locked = _locked(misfiled)
    locked.dismissed_at, locked.dismissed_by = now, user
    locked.save(update_fields=["dismissed_at", "dismissed_by"])


@transaction.atomic
def move(*, misfiled: Misfiled) -> Book:
    """File a book where the model says, as the librarian's own decision.

    Parameters
    ----------
    misfiled : Misfiled

    Returns
    -------
    Book
        As saved.

    Raises
    ------
    MisfiledSettledError
        If the book is filed otherwise by now, or somebody was quicker.
    """
    locked = _locked(misfiled)
    category = locked.category
    locked.delete()
    return correct_category(book=locked.book, category=category)


def _locked(misfiled: Misfiled) -> Misfiled:
    open_ones = Misfiled.objects.filter(dismissed_at=None, pk=misfiled.pk, filed=F("book__category"))
    locked = open_ones.select_for_update(of=("self",)).select_related("book", "category").first()
    if locked is None:
        raise MisfiledSettledError(_("This book was settled meanwhile. Reload the page."))
    return locked


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
        if one.category in categories and one.filed in categories:
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
