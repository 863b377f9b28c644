"""What the library holds as it was counted last, how old it is, and how much it is used."""

from collections import defaultdict
from dataclasses import dataclass

from library.analytics.models import HoldingCount
from library.analytics.selectors.loans import counts
from library.analytics.selectors.scope import Scope


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
    """Return what each category held when it was counted last, and how often it was lent within the days.

    Parameters
    ----------
    scope : Scope

    Returns
    -------
    dict
        By key of the category that the books are filed under, not of those above it.
    """
    table = counts(scope=scope, interval=None, group_by="category")
    checkouts = {
        group.key: sum(row["checkouts"] or 0 for row in rows.values()) for group, rows in table.items()
    }
    held: dict[int | None, list[HoldingCount]] = defaultdict(list)
    for row in holdings(scope=scope):
        held[row.category_id].append(row)
    return {key: _use(key, checkouts.get(key, 0), held[key]) for key in checkouts.keys() | held.keys()}


def titles_by_decade(*, scope: Scope) -> dict[int | None, tuple[int, int]]:
    """Return by decade of publication the titles held, and those of them that were ever lent.

    Returns
    -------
    dict
        By the decade's first year, in order; None, the last, is where no year is known.
    """
    found: dict[int | None, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for row in holdings(scope=scope):
        titles, lent = found[row.decade]
        found[row.decade] = (titles + row.titles, lent + row.lent)
    return {decade: found[decade] for decade in sorted(found, key=lambda key: (key is None, key))}


def holdings(*, scope: Scope) -> list[HoldingCount]:
    """Return what was held of the scope's categories at its branch when it was counted, read only once."""
    if "holdings" not in scope.kept:
        rows = HoldingCount.objects.filter(scope.places(branch="", category="category"), branch=scope.branch)
        scope.kept["holdings"] = list(rows)
    return scope.kept["holdings"]


def _use(category: int | None, checkouts: int, held: list[HoldingCount]) -> Use:
    titles = sum(row.titles for row in held)
    dated = sum(row.titles for row in held if row.decade is not None)
    return Use(
        category,
        copies=sum(row.copies for row in held),
        checkouts=checkouts,
        titles=titles,
        never=titles - sum(row.lent for row in held),
        year=sum(row.years or 0 for row in held) / dated if dated else None,
    )
