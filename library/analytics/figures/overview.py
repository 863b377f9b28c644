"""Checkouts over time, by group and by season; late returns and overdue loans."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from typing import Any

from django.utils.dates import MONTHS_3, WEEKDAYS
from django.utils.translation import gettext as _

from library.admin_site.widgets.charts import Chart, Series, bar_chart, heatmap, line_chart
from library.analytics.figures.query import StatisticsQuery
from library.analytics.selectors.loans import CountTable, Group, Numbers, by_season, counts, groups
from library.analytics.selectors.overdue import out_now, overdue_by_branch
from library.analytics.selectors.scope import period_name, periods
from library.analytics.selectors.tree import shown_under

#: Lines that can be distinguished; the remaining groups are combined.
MAX_LINES = 7


def over_time(query: StatisticsQuery) -> Chart:
    """Return checkouts, renewals and checkins by period."""
    metrics = ("checkouts", "renewals", "checkins")
    table = counts(scope=query.scope, interval=query.interval, metrics=metrics)
    (rows,) = table.values()
    names = {"checkouts": _("Checkouts"), "renewals": _("Renewals"), "checkins": _("Checkins")}
    return line_chart(
        name="loans",
        title=_("Checkouts, renewals and checkins"),
        definition=_("Counted by day and branch."),
        series=[Series(names[metric], [row[metric] for row in rows.values()]) for metric in metrics],
        unit=_("events"),
        **period_axis(rows, query),
    )


def by_category(query: StatisticsQuery) -> Chart:
    """Return checkouts by period and category, one level below the selected category."""
    table = counts(scope=query.scope, interval=query.interval, group_by="category")
    under, shown = shown_under(below=query.scope.category)
    names = {category.pk: str(category) for category in shown}
    totals: dict[str, list[int]] = {}
    for group, rows in table.items():
        key = under.get(group.key) if group.key else None
        name = names[key] if key else _("uncategorised")
        subtotal = totals.get(name, [0] * len(rows))
        totals[name] = [
            total + (row["checkouts"] or 0) for total, row in zip(subtotal, rows.values(), strict=True)
        ]
    largest = sorted(totals, key=lambda name: -sum(totals[name]))[:MAX_LINES]
    series = [Series(name, values) for name, values in totals.items() if name in largest]
    if others := [values for name, values in totals.items() if name not in largest]:
        series.append(Series(_("All others"), [sum(column) for column in zip(*others, strict=True)]))
    return line_chart(
        name="categories",
        title=_("Checkouts by category"),
        definition=_(
            "By the current category of each book, including subcategories. If a category is "
            "selected above, its direct subcategories are shown."
        ),
        series=series,
        unit=_("checkouts"),
        **period_axis(next(iter(table.values()), {}), query),
    )


def by_branch(query: StatisticsQuery) -> Chart:
    """Return checkouts by period and branch."""
    return _checkouts_by(
        query,
        "branch",
        "branches",
        _("Checkouts by branch"),
        _("By the branch that checked out the copy; imported loans count for the copy’s own branch."),
    )


def by_item_type(query: StatisticsQuery) -> Chart:
    """Return checkouts by period and item type."""
    return _checkouts_by(
        query,
        "item_type",
        "item-types",
        _("Checkouts by item type"),
        _("By the copy’s item type at checkout."),
    )


def by_borrower_category(query: StatisticsQuery) -> Chart:
    """Return checkouts by period and borrower category."""
    return _checkouts_by(
        query,
        "borrower_category",
        "borrower-categories",
        _("Checkouts by borrower category"),
        _(
            "By the borrower’s category at checkout. To protect privacy, small categories are "
            "combined under “Other and unknown” and small counts are hidden."
        ),
    )


def seasons(query: StatisticsQuery) -> Chart:
    """Return average checkouts per day by month and weekday."""
    averages = by_season(scope=query.scope)
    return heatmap(
        name="seasons",
        title=_("Checkouts by month and weekday"),
        definition=_(
            "Average checkouts per day for each month and weekday in the selected period, "
            "including days when the library was closed."
        ),
        labels=[str(MONTHS_3[month]) for month in range(1, 13)],
        label_name=_("Month"),
        series=[
            Series(
                str(WEEKDAYS[weekday - 1]),
                [_rounded(averages.get((month, weekday))) for month in range(1, 13)],
            )
            for weekday in range(1, 8)
        ],
        unit=_("checkouts per day"),
        decimals=1,
    )


def late_returns(query: StatisticsQuery) -> Chart:
    """Return the share of late checkins by period."""
    table = counts(scope=query.scope, interval=query.interval, metrics=("checkins", "late"))
    (rows,) = table.values()
    return line_chart(
        name="late",
        title=_("Late returns"),
        definition=_("Share of the copies returned in each period that came back after the due date."),
        series=[
            Series(
                _("Share returned late"),
                [
                    round(100 * (row["late"] or 0) / row["checkins"], 1) if row["checkins"] else None
                    for row in rows.values()
                ],
            )
        ],
        unit="%",
        decimals=1,
        **period_axis(rows, query),
    )


def overdue_now(query: StatisticsQuery) -> Chart:
    """Return the loans overdue now, by branch and days overdue."""
    overdue = overdue_by_branch(now=query.now, scope=query.scope)
    branches = groups(group_by="branch", keys=overdue)
    classes = (_("1 to 7 days"), _("8 to 30 days"), _("31 to 90 days"), _("More than 90 days"))
    return bar_chart(
        name="overdue",
        title=_("Currently overdue"),
        definition=_(
            "Overdue loans by the branch that checked them out and by days overdue; %(out)s "
            "loans are out in total. Excludes lost copies."
        )
        % {"out": out_now(scope=query.scope)},
        labels=[group.name for group in branches],
        label_name=_("Branch"),
        series=[
            Series(name, [overdue[group.key][place] for group in branches])
            for place, name in enumerate(classes)
        ],
        unit=_("loans"),
        stacked=True,
        horizontal=True,
    )


def period_axis(rows: Mapping[date, Numbers], query: StatisticsQuery) -> dict[str, Any]:
    """Return the labels of a chart over time, their heading, and their ISO dates for CSV."""
    starts = list(rows) or list(
        periods(start=query.scope.start, end=query.scope.end, interval=query.interval)
    )
    return {
        "labels": [period_name(start=start, interval=query.interval) for start in starts],
        "keys": [start.isoformat() for start in starts],
        "label_name": _("Period"),
    }


def _checkouts_by(query: StatisticsQuery, group_by: str, name: str, title: str, definition: str) -> Chart:
    table = counts(scope=query.scope, interval=query.interval, group_by=group_by)
    return line_chart(
        name=name,
        title=title,
        definition=definition,
        series=_lines(table),
        unit=_("checkouts"),
        **period_axis(next(iter(table.values()), {}), query),
    )


def _lines(table: CountTable) -> list[Series]:
    """Return a line for each group; if there are many, the smallest groups share one."""
    sums: dict[Group, int] = {
        group: sum(row["checkouts"] or 0 for row in rows.values()) for group, rows in table.items()
    }
    largest = sorted(sums, key=lambda group: -sums[group])[:MAX_LINES]
    series = [
        Series(group.name, [row["checkouts"] for row in rows.values()])
        for group, rows in table.items()
        if group in largest
    ]
    others = [rows for group, rows in table.items() if group not in largest]
    if others:
        combined: dict[date, int] = defaultdict(int)
        for rows in others:
            for start, row in rows.items():
                combined[start] += row["checkouts"] or 0
        series.append(Series(_("All others"), list(combined.values())))
    return series


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
