"""Size, age and use of the collection, as last counted."""

from collections import defaultdict
from dataclasses import dataclass

from library.analytics.models import HoldingCount
from library.analytics.selectors.loans import counts
from library.analytics.selectors.scope import Scope


@dataclass(frozen=True)
class CategoryUse:
    """Holdings of a category and their checkouts.

    Attributes
    ----------
    category
        Key; None: uncategorised, or several categories together.
    never_borrowed
        Titles that have never been borrowed.
    mean_year
        Average year of publication.
    """

    category: int | None
    copies: int = 0
    checkouts: int = 0
    titles: int = 0
    never_borrowed: int = 0
    mean_year: float | None = None

    @property
    def turnover(self) -> float | None:
        """Checkouts per copy; None without copies."""
        return self.checkouts / self.copies if self.copies else None


def use_by_category(*, scope: Scope) -> dict[int | None, CategoryUse]:
    """Return the holdings of each category when last counted, and their checkouts within the scope's days.

    The keys are those of the categories that the books are filed under, without their parents.
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
    """Return the number of held titles, and of those borrowed at least once, by decade of publication.

    The keys are the first years of the decades in ascending order, then None for titles without a year.
    """
    decades: dict[int | None, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for row in holdings(scope=scope):
        titles, borrowed = decades[row.decade]
        decades[row.decade] = (titles + row.titles, borrowed + row.borrowed)
    return {decade: decades[decade] for decade in sorted(decades, key=lambda key: (key is None, key))}


def holdings(*, scope: Scope) -> list[HoldingCount]:
    """Return the counts of the scope's categories at its branch; one query per scope."""
    if "holdings" not in scope.cache:
        rows = HoldingCount.objects.filter(scope.places(branch="", category="category"), branch=scope.branch)
        scope.cache["holdings"] = list(rows)
    return scope.cache["holdings"]


def _use(category: int | None, checkouts: int, held: list[HoldingCount]) -> CategoryUse:
    titles = sum(row.titles for row in held)
    dated = sum(row.titles for row in held if row.decade is not None)
    return CategoryUse(
        category,
        copies=sum(row.copies for row in held),
        checkouts=checkouts,
        titles=titles,
        never_borrowed=titles - sum(row.borrowed for row in held),
        mean_year=sum(row.year_sum or 0 for row in held) / dated if dated else None,
    )
