"""Categories: how a book is filed under one, and which are there."""

from collections.abc import Iterable

from django.utils.translation import gettext as _

from library.catalogue.models import Book, Category
from library.errors import ConflictError


class CategoryRetiredError(ConflictError):
    """A book was to be filed under a category that was given up meanwhile."""


def librarian_source(*, category: Category | None) -> Book.CategorySource:
    """Return the source to record when a librarian files a book by hand.

    Parameters
    ----------
    category : Category or None
        The category chosen; None when it was cleared.

    Returns
    -------
    Book.CategorySource
        ``LIBRARIAN``, which no import and no model overwrites, or ``NONE``: the model may suggest again.
    """
    return Book.CategorySource.LIBRARIAN if category else Book.CategorySource.NONE


def ensure_categories(*, scheme: str, notations: Iterable[str]) -> int:
    """Make those categories of the scheme that are not there yet.

    Returns
    -------
    int
        How many were made.
    """
    known = Category.objects.filter(scheme=scheme).values_list("notation", flat=True)
    missing = set(notations) - set(known.iterator())
    # Another import may make the same ones meanwhile.
    Category.objects.bulk_create(
        [Category(scheme=scheme, notation=notation) for notation in sorted(missing)], ignore_conflicts=True
    )
    return len(missing)


def check_open(*, categories: Iterable[int | None]) -> None:
    """Refuse that books are filed under a category that is retired.

    To be called after the books are written, in the same transaction: what refers to a category makes a
    taxonomy change wait, and waits for one, so whichever came first is seen here.

    Parameters
    ----------
    categories : iterable of int or None
        Primary keys; None is no category.

    Raises
    ------
    CategoryRetiredError
        With what to file under instead.
    """
    used = {category for category in categories if category is not None}
    retired = Category.objects.filter(pk__in=used, retired_at__isnull=False).order_by("pk")
    category = retired.select_related("replaced_by").first()
    if category is None:
        return
    facts = {"category": category, "day": f"{category.retired_at:%Y-%m-%d}", "instead": category.replaced_by}
    if category.replaced_by:
        words = _("%(category)s was given up on %(day)s for %(instead)s. File under that one.")
    else:
        words = _("%(category)s was retired on %(day)s. Choose another category.")
    raise CategoryRetiredError(words % facts, category=category.pk, replaced_by=category.replaced_by_id)
