"""Loans over time, by what they were of, by season; returns."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from typing import Any

from django.utils.dates import MONTHS_3, WEEKDAYS
from django.utils.translation import gettext as _

from library.admin_site.widgets.charts import Chart, Series, bar_chart, heatmap, line_chart
from library.analytics.figures.query import Asked
from library.analytics.selectors.loans import Group, Numbers, Table, by_season, counts, groups
from library.analytics.selectors.overdue import out_now, overdue_by_branch
from library.analytics.selectors.scope import period_name, periods
from library.analytics.selectors.tree import shown_under

#: Lines that can be told apart; what is left is put together.
LINES = 7


def over_time(asked: Asked) -> Chart:
    """Return checkouts, renewals and checkins by period."""
    metrics = ("checkouts", "renewals", "checkins")
    table = counts(scope=asked.scope, interval=asked.interval, metrics=metrics)
    (rows,) = table.values()
    names = {"checkouts": _("Checkouts"), "renewals": _("Renewals"), "checkins": _("Checkins")}
    return line_chart(
        name="loans",
        title=_("Checkouts, renewals and checkins"),
        definition=_("Each is counted on the day and at the branch where it happened, whoever it was."),
        series=[Series(names[metric], [row[metric] for row in rows.values()]) for metric in metrics],
        unit=_("events"),
        **along(rows, asked),
    )


def by_category(asked: Asked) -> Chart:
    """Return checkouts by period and category, at the level below the category asked for."""
    table = counts(scope=asked.scope, interval=asked.interval, group_by="category")
    under, shown = shown_under(below=asked.scope.category)
    names = {category.pk: str(category) for category in shown}
    put: dict[str, list[int]] = {}
    for group, rows in table.items():
        key = under.get(group.key) if group.key else None
        name = names[key] if key else _("without a category")
        before = put.get(name, [0] * len(rows))
        put[name] = [
            total + (row["checkouts"] or 0) for total, row in zip(before, rows.values(), strict=True)
        ]
    largest = sorted(put, key=lambda name: -sum(put[name]))[:LINES]
    series = [Series(name, values) for name, values in put.items() if name in largest]
    if others := [values for name, values in put.items() if name not in largest]:
        series.append(Series(_("all others"), [sum(column) for column in zip(*others, strict=True)]))
    return line_chart(
        name="categories",
        title=_("Checkouts by category"),
        definition=_(
            "By the category the books are filed under now, with the categories below it; of the category "
            "chosen above, those directly below it."
        ),
        series=series,
        unit=_("checkouts"),
        **along(next(iter(table.values()), {}), asked),
    )


def by_branch(asked: Asked) -> Chart:
    """Return checkouts by period and branch."""
    return _by(
        asked,
        "branch",
        "branches",
        _("Checkouts by branch"),
        _("By the branch that lent; imported loans count for the branch of the copy."),
    )


def by_item_type(asked: Asked) -> Chart:
    """Return checkouts by period and item type."""
    return _by(
        asked,
        "item_type",
        "item-types",
        _("Checkouts by item type"),
        _("By the item type that the copy had when it was lent."),
    )


def by_borrower_category(asked: Asked) -> Chart:
    """Return checkouts by period and category of borrowers."""
    return _by(
        asked,
        "borrower_category",
        "borrower-categories",
        _("Checkouts by borrower category"),
        _(
            "By the category the borrower had at the checkout. Categories of few borrowers are put together "
            "with those that are unknown, and small numbers are left out: somebody could be recognised."
        ),
    )


def seasons(asked: Asked) -> Chart:
    """Return checkouts a day by month and weekday."""
    found = by_season(scope=asked.scope)
    return heatmap(
        name="seasons",
        title=_("Checkouts by month and weekday"),
        definition=_(
            "Checkouts on such a day, on average over all such days within the time chosen; days on which "
            "the library was closed count too."
        ),
        labels=[str(MONTHS_3[month]) for month in range(1, 13)],
        label_name=_("Month"),
        series=[
            Series(
                str(WEEKDAYS[weekday - 1]),
                [_rounded(found.get((month, weekday))) for month in range(1, 13)],
            )
            for weekday in range(1, 8)
        ],
        unit=_("checkouts a day"),
        decimals=1,
    )


def late_returns(asked: Asked) -> Chart:
    """Return the share of checkins that were late, by period."""
    table = counts(scope=asked.scope, interval=asked.interval, metrics=("checkins", "late"))
    (rows,) = table.values()
    return line_chart(
        name="late",
        title=_("Late returns"),
        definition=_(
            "Of the copies that came back within the period, the share that came after the loan was due."
        ),
        series=[
            Series(
                _("late"),
                [
                    round(100 * (row["late"] or 0) / row["checkins"], 1) if row["checkins"] else None
                    for row in rows.values()
                ],
            )
        ],
        unit="%",
        decimals=1,
        **along(rows, asked),
    )


def overdue_now(asked: Asked) -> Chart:
    """Return the loans that are overdue now, by branch and by how late they are."""
    found = overdue_by_branch(now=asked.now, scope=asked.scope)
    listed = groups(group_by="branch", keys=found)
    classes = (_("1 to 7 days"), _("8 to 30 days"), _("31 to 90 days"), _("more than 90 days"))
    return bar_chart(
        name="overdue",
        title=_("Overdue now"),
        definition=_(
            "Of %(out)s loans that are out, those that should be back, by the branch that lent and by how "
            "many days late they are. Lost copies are not waited for."
        )
        % {"out": out_now(scope=asked.scope)},
        labels=[group.name for group in listed],
        label_name=_("Branch"),
        series=[
            Series(name, [found[group.key][place] for group in listed]) for place, name in enumerate(classes)
        ],
        unit=_("loans"),
        stacked=True,
        horizontal=True,
    )


def along(rows: Mapping[date, Numbers], asked: Asked) -> dict[str, Any]:
    """Return the labels of a chart over time, what they are called, and their ISO dates for CSV."""
    starts = list(rows) or list(
        periods(start=asked.scope.start, end=asked.scope.end, interval=asked.interval)
    )
    return {
        "labels": [period_name(start=start, interval=asked.interval) for start in starts],
        "keys": [start.isoformat() for start in starts],
        "label_name": _("Period"),
    }


def _by(asked: Asked, group_by: str, name: str, title: str, definition: str) -> Chart:
    table = counts(scope=asked.scope, interval=asked.interval, group_by=group_by)
    return line_chart(
        name=name,
        title=title,
        definition=definition,
        series=_lines(table),
        unit=_("checkouts"),
        **along(next(iter(table.values()), {}), asked),
    )


def _lines(table: Table) -> list[Series]:
    """Return a line for each group; where there are many, the smallest of them together."""
    sums: dict[Group, int] = {
        group: sum(row["checkouts"] or 0 for row in rows.values()) for group, rows in table.items()
    }
    largest = sorted(sums, key=lambda group: -sums[group])[:LINES]
    series = [
        Series(group.name, [row["checkouts"] for row in rows.values()])
        for group, rows in table.items()
        if group in largest
    ]
    others = [rows for group, rows in table.items() if group not in largest]
    if others:
        together: dict[date, int] = defaultdict(int)
        for rows in others:
            for start, row in rows.items():
                together[start] += row["checkouts"] or 0
        series.append(Series(_("all others"), list(together.values())))
    return series


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
