"""What the library holds and how much of it is used."""

from collections import defaultdict

from django.utils.translation import gettext as _

from library.admin_site.widgets.charts import Chart, Series, bar_chart, scatter
from library.analytics.figures.query import Asked
from library.analytics.selectors.collection import Use, titles_by_decade, use_by_category
from library.analytics.selectors.tree import shown_under


def turnover(asked: Asked) -> Chart:
    """Return loans a copy by category."""
    uses = _shown(asked)
    return bar_chart(
        name="turnover",
        title=_("Turnover"),
        definition=_(
            "Checkouts within the time chosen for each copy that the library held when it was counted last, "
            "without lost and withdrawn ones; by category, with the categories below it."
        ),
        labels=[name for name, _use in uses],
        label_name=_("Category"),
        series=[Series(_("turnover"), [_rounded(use.turnover, 2) for _name, use in uses])],
        unit=_("checkouts a copy"),
        decimals=2,
        horizontal=True,
    )


def never_borrowed(asked: Asked) -> Chart:
    """Return the share of titles that were never lent, by category."""
    uses = _shown(asked)
    return bar_chart(
        name="never-borrowed",
        title=_("Never borrowed"),
        definition=_("Of the titles with a copy, the share that was lent at no branch since ever."),
        labels=[name for name, _use in uses],
        label_name=_("Category"),
        series=[
            Series(
                _("never borrowed"),
                [_rounded(100 * use.never / use.titles, 1) if use.titles else None for _name, use in uses],
            )
        ],
        unit="%",
        decimals=1,
        horizontal=True,
    )


def decades(asked: Asked) -> Chart:
    """Return the titles by decade of publication."""
    found = titles_by_decade(scope=asked.scope)
    return bar_chart(
        name="decades",
        title=_("Age of the collection"),
        definition=_(
            "Titles with a copy by the decade in which they appeared, and those of them that were ever lent."
        ),
        labels=[_("unknown") if decade is None else f"{decade}–{decade + 9}" for decade in found],
        label_name=_("Decade"),
        series=[
            Series(_("titles"), [titles for titles, _lent in found.values()]),
            Series(_("ever borrowed"), [lent for _titles, lent in found.values()]),
        ],
        unit=_("titles"),
    )


def age_and_use(asked: Asked) -> Chart:
    """Return each category's age and turnover."""
    uses = [(name, use) for name, use in _shown(asked) if use.year is not None and use.turnover is not None]
    this_year = asked.scope.end.year
    return scatter(
        name="age-and-use",
        title=_("Age and turnover"),
        definition=_(
            "Each point is a category: how many years ago its titles appeared, on average, and its turnover. "
            "Old and little used is at the lower right."
        ),
        labels=[name for name, _use in uses],
        label_name=_("Category"),
        across=Series(
            _("age in years"), [_rounded(this_year - use.year, 1) for _name, use in uses if use.year]
        ),
        up=Series(_("checkouts a copy"), [_rounded(use.turnover, 2) for _name, use in uses]),
        decimals=2,
    )


def _shown(asked: Asked) -> list[tuple[str, Use]]:
    """Return the use of each category at the level shown, with those below, in order of notation."""
    under, shown = shown_under(below=asked.scope.category)
    parts: dict[int | None, list[Use]] = defaultdict(list)
    for key, use in _uses(asked).items():
        parts[under.get(key) if key else None].append(use)
    found = [(str(category), _together(parts[category.pk])) for category in shown if parts[category.pk]]
    if asked.scope.category is None and parts[None]:
        found.append((_("without a category"), _together(parts[None])))
    return found


def _uses(asked: Asked) -> dict[int | None, Use]:
    # Three figures of one page are made of it.
    if "uses" not in asked.scope.kept:
        asked.scope.kept["uses"] = use_by_category(scope=asked.scope)
    return asked.scope.kept["uses"]


def _together(uses: list[Use]) -> Use:
    titles = sum(use.titles for use in uses)
    dated = [(use.year, use.titles) for use in uses if use.year is not None]
    weight = sum(number for _year, number in dated)
    return Use(
        None,
        copies=sum(use.copies for use in uses),
        checkouts=sum(use.checkouts for use in uses),
        titles=titles,
        never=sum(use.never for use in uses),
        year=sum(year * number for year, number in dated) / weight if weight else None,
    )


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
