"""Size, age and turnover of the collection."""

from collections import defaultdict

from django.utils.translation import gettext as _

from library.admin_site.widgets.charts import Chart, Series, bar_chart, scatter
from library.analytics.figures.query import StatisticsQuery
from library.analytics.selectors.collection import CategoryUse, titles_by_decade, use_by_category
from library.analytics.selectors.tree import shown_under


def turnover(query: StatisticsQuery) -> Chart:
    """Return checkouts per copy by category."""
    uses = _uses_by_shown_category(query)
    return bar_chart(
        name="turnover",
        title=_("Turnover"),
        definition=_(
            "Checkouts in the selected period per copy held at the last update, excluding lost "
            "and withdrawn copies. Each category includes its subcategories."
        ),
        labels=[name for name, _use in uses],
        label_name=_("Category"),
        series=[Series(_("Turnover"), [_rounded(use.turnover, 2) for _name, use in uses])],
        unit=_("checkouts per copy"),
        decimals=2,
        horizontal=True,
    )


def never_borrowed(query: StatisticsQuery) -> Chart:
    """Return the share of titles never borrowed, by category."""
    uses = _uses_by_shown_category(query)
    return bar_chart(
        name="never-borrowed",
        title=_("Never borrowed"),
        definition=_("Share of held titles that have never circulated."),
        labels=[name for name, _use in uses],
        label_name=_("Category"),
        series=[
            Series(
                _("Share never borrowed"),
                [
                    _rounded(100 * use.never_borrowed / use.titles, 1) if use.titles else None
                    for _name, use in uses
                ],
            )
        ],
        unit="%",
        decimals=1,
        horizontal=True,
    )


def decades(query: StatisticsQuery) -> Chart:
    """Return the titles by decade of publication."""
    by_decade = titles_by_decade(scope=query.scope)
    return bar_chart(
        name="decades",
        title=_("Age of the collection"),
        definition=_(
            "Titles with at least one copy, by decade of publication, and how many of them have "
            "been borrowed at least once."
        ),
        labels=[_("unknown") if decade is None else f"{decade}–{decade + 9}" for decade in by_decade],
        label_name=_("Publication decade"),
        series=[
            Series(_("titles"), [titles for titles, _borrowed in by_decade.values()]),
            Series(_("borrowed at least once"), [borrowed for _titles, borrowed in by_decade.values()]),
        ],
        unit=_("titles"),
    )


def age_and_use(query: StatisticsQuery) -> Chart:
    """Return the age and turnover of each category."""
    uses = [
        (name, use)
        for name, use in _uses_by_shown_category(query)
        if use.mean_year is not None and use.turnover is not None
    ]
    this_year = query.scope.end.year
    return scatter(
        name="age-and-use",
        title=_("Age and turnover"),
        definition=_(
            "Each point is a category, placed by the average age of its titles and its turnover. "
            "Old and little used categories are at the lower right."
        ),
        labels=[name for name, _use in uses],
        label_name=_("Category"),
        x=Series(
            _("average age (years)"),
            [_rounded(this_year - use.mean_year, 1) for _name, use in uses if use.mean_year],
        ),
        y=Series(_("checkouts per copy"), [_rounded(use.turnover, 2) for _name, use in uses]),
        decimals=2,
    )


def _uses_by_shown_category(query: StatisticsQuery) -> list[tuple[str, CategoryUse]]:
    """Return the names of the shown categories and their use with subcategories, in order of notation."""
    under, shown = shown_under(below=query.scope.category)
    parts: dict[int | None, list[CategoryUse]] = defaultdict(list)
    for key, use in _uses(query).items():
        parts[under.get(key) if key else None].append(use)
    rows = [(str(category), _combine(parts[category.pk])) for category in shown if parts[category.pk]]
    if query.scope.category is None and parts[None]:
        rows.append((_("uncategorised"), _combine(parts[None])))
    return rows


def _uses(query: StatisticsQuery) -> dict[int | None, CategoryUse]:
    # Three figures of the page share it.
    if "uses" not in query.scope.cache:
        query.scope.cache["uses"] = use_by_category(scope=query.scope)
    return query.scope.cache["uses"]


def _combine(uses: list[CategoryUse]) -> CategoryUse:
    titles = sum(use.titles for use in uses)
    dated = [(use.mean_year, use.titles) for use in uses if use.mean_year is not None]
    weight = sum(number for _year, number in dated)
    return CategoryUse(
        None,
        copies=sum(use.copies for use in uses),
        checkouts=sum(use.checkouts for use in uses),
        titles=titles,
        never_borrowed=sum(use.never_borrowed for use in uses),
        mean_year=sum(year * number for year, number in dated) / weight if weight else None,
    )


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
