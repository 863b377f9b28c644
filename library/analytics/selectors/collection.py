"""What the library holds, how old it is, and how much it is used."""

from dataclasses import dataclass

from django.db.models import Avg, Count, F, Q
from django.db.models.functions import Floor

from library.analytics.selectors.loans import counts
from library.analytics.selectors.scope import Scope
from library.analytics.selectors.titles import copies_held, titles_held


@dataclass(frozen=True)
class Use:
    """A category's copies and their loans.

    Attributes
    ----------
    category : int or None
        Its key.
    copies, checkouts, titles : int
    never : int
        Titles that were never lent.
    year : float or None
        When the titles appeared, on average.
    """

    category: int | None
    copies: int = 0
    checkouts: int = 0
    titles: int = 0
    never: int = 0
    year: float | None = None

    @property
    def turnover(self) -> float | None:
        """Loans a copy."""
        return self.checkouts / self.copies if self.copies else None


def use_by_category(*, scope: Scope) -> dict[int | None, Use]:
    """Return what each category holds now, and how often it was lent within the days.

    Parameters
    ----------
    scope : Scope

    Returns
    -------
    dict
        By key of the category that the books are filed under, not of those above it.
    """
    held = copies_held(scope=scope).filter(scope.places(category="book__category"))
    copies = dict(held.values_list("book__category").annotate(Count("pk")))
    table = counts(scope=scope, interval=None, group_by="category")
    lent = {group.key: sum(row["checkouts"] or 0 for row in rows.values()) for group, rows in table.items()}
    unused = Q(use=None) | Q(use__checkouts=0)
    rows = titles_held(scope=scope).order_by().values_list("category")
    titles = {
        category: numbers
        for category, *numbers in rows.annotate(
            titles=Count("pk"), never=Count("pk", filter=unused), mean=Avg("year")
        )
    }
    return {
        key: Use(key, copies.get(key, 0), lent.get(key, 0), *titles.get(key, (0, 0, None)))
        for key in copies.keys() | lent.keys() | titles.keys()
    }


def titles_by_decade(*, scope: Scope) -> dict[int | None, tuple[int, int]]:
    """Return by decade of publication the titles held, and those of them that were ever lent.

    Returns
    -------
    dict
        By the decade's first year, in order; None, the last, is where no year is known.
    """
    rows = titles_held(scope=scope).order_by().annotate(decade=Floor(F("year") / 10.0) * 10)
    lent = Count("pk", filter=Q(use__checkouts__gt=0))
    numbers = rows.values_list("decade").annotate(titles=Count("pk"), lent=lent)
    found = {None if decade is None else int(decade): tuple(both) for decade, *both in numbers}
    return {decade: found[decade] for decade in sorted(found, key=lambda key: (key is None, key))}
