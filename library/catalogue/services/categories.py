"""Create categories, and check those that books are filed under."""

from collections.abc import Iterable

from django.utils.translation import gettext as _

from library.catalogue.models import Book, Category
from library.errors import ConflictError


class CategoryRetiredError(ConflictError):
    """The chosen category has been retired."""


def librarian_source(*, category: Category | None) -> Book.CategorySource:
    """Return the source to record when a librarian files a book by hand.

    Parameters
    ----------
    category
        None: the librarian cleared the category.

    Returns
    -------
    Book.CategorySource
        ``LIBRARIAN``, which neither imports nor the model overwrite, or ``NONE``, so that the model suggests
        again.
    """
    return Book.CategorySource.LIBRARIAN if category else Book.CategorySource.NONE


def ensure_categories(*, scheme: str, notations: Iterable[str]) -> int:
    """Create the missing categories of a scheme; return their number."""
    existing = Category.objects.filter(scheme=scheme).values_list("notation", flat=True)
    missing = set(notations) - set(existing.iterator())
    # Another import may create the same ones concurrently.
    Category.objects.bulk_create(
        [Category(scheme=scheme, notation=notation) for notation in sorted(missing)], ignore_conflicts=True
    )
    return len(missing)


def check_open(*, categories: Iterable[int | None]) -> None:
    """Raise an error if one of the categories is retired.

    Call this after writing the books, in the same transaction. Rows that refer to a category and a taxonomy
    change wait for each other, so the check sees a change that came first.

    Parameters
    ----------
    categories
        Primary keys; None: no category.

    Raises
    ------
    CategoryRetiredError
        With the replacement.
    """
    used = {category for category in categories if category is not None}
    retired = Category.objects.filter(pk__in=used, retired_at__isnull=False).order_by("pk")
    category = retired.select_related("replaced_by").first()
    if category is None:
        return
    values = {"category": category, "day": f"{category.retired_at:%Y-%m-%d}", "instead": category.replaced_by}
    if category.replaced_by:
        message = _("%(category)s was replaced by %(instead)s on %(day)s. Use the replacement.")
    else:
        message = _("%(category)s was retired on %(day)s. Choose another category.")
    raise CategoryRetiredError(message % values, category=category.pk, replaced_by=category.replaced_by_id)
