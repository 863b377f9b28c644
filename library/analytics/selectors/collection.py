"""What the library holds, how old it is, and how much it is used."""

from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple

from django.db.models import Count, F, Q, Sum
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
    checkouts = {
        group.key: sum(row["checkouts"] or 0 for row in rows.values()) for group, rows in table.items()
    }
    titles: dict[int | None, list[_Titles]] = defaultdict(list)
    for row in _titles_held(scope):
        titles[row.category].append(row)
    return {
        key: Use(key, copies.get(key, 0), checkouts.get(key, 0), *_summed(titles[key]))
        for key in copies.keys() | checkouts.keys() | titles.keys()
    }


def titles_by_decade(*, scope: Scope) -> dict[int | None, tuple[int, int]]:
    """Return by decade of publication the titles held, and those of them that were ever lent.

    Returns
    -------
    dict
        By the decade's first year, in order; None, the last, is where no year is known.
    """
    found: dict[int | None, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for row in _titles_held(scope):
        titles, lent = found[row.decade]
        found[row.decade] = (titles + row.titles, lent + row.lent)
    return {decade: found[decade] for decade in sorted(found, key=lambda key: (key is None, key))}


class _Titles(NamedTuple):
    category: int | None
    decade: int | None
    titles: int
    lent: int
    years: int | None
    """The sum of their years."""


def _titles_held(scope: Scope) -> list[_Titles]:
    """Count the titles held by category and decade, once for all that is told of them."""
    if "titles" not in scope.kept:
        rows = titles_held(scope=scope).order_by().annotate(decade=Floor(F("year") / 10.0) * 10)
        lent = Count("pk", filter=Q(use__checkouts__gt=0))
        numbers = rows.values_list("category", "decade").annotate(
            titles=Count("pk"), lent=lent, years=Sum("year")
        )
        scope.kept["titles"] = [
            _Titles(category, None if decade is None else int(decade), *sums)
            for category, decade, *sums in numbers
        ]
    return scope.kept["titles"]


def _summed(rows: list[_Titles]) -> tuple[int, int, float | None]:
    """Return how many titles there are, how many were never lent, and the mean of their years."""
    titles = sum(row.titles for row in rows)
    dated = sum(row.titles for row in rows if row.decade is not None)
    mean = sum(row.years or 0 for row in rows) / dated if dated else None
    return titles, titles - sum(row.lent for row in rows), mean
