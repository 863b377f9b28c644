"""Charts as plain data, with the same data as a table.

A view creates a `Chart` with one of the functions below and renders it with ``admin_site/chart.html``;
``admin_site/charts.js`` draws it. Every kind has the same shape, labels by series, so every chart has a
table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from django.forms import Media
from django.forms.widgets import Script
from django.utils.formats import number_format
from django.utils.translation import gettext as _

Kind = Literal["line", "bar", "heatmap", "scatter"]
Values = Sequence[float | None]

#: Files that a page with charts loads.
CHART_MEDIA = Media(
    css={"all": ["admin_site/charts.css"]},
    js=[
        # Browsers do not run this type: charts.js loads the library when a chart comes into view.
        Script("admin_site/vendor/echarts/echarts.min.js", type="text/lazy"),  # type: ignore[list-item]
        Script("admin_site/charts.js", defer=True),  # type: ignore[list-item]
    ],
)


@dataclass(frozen=True)
class Series:
    """One line, one colour of bars, or one row of a heatmap.

    Attributes
    ----------
    values
        One value for each label; None: missing.
    low, high
        Bounds of an interval around the values, drawn as a band; empty: no interval.
    dashed
        Draw a dashed line, for expected values.
    """

    name: str
    values: Values
    low: Values = ()
    high: Values = ()
    dashed: bool = False


@dataclass(frozen=True)
class Chart:
    """A chart and its table.

    Attributes
    ----------
    name
        Slug, unique on the page.
    definition
        Meaning of the numbers, understandable without the chart.
    labels
        Positions of the values, such as months or categories; in a scatter plot, names of the points.
    series
        A scatter plot has two: the x and y values.
    label_name
        Heading of the label column and name of the label axis.
    unit
        Unit of the values, such as "loans" or "%".
    decimals
        Decimals to show.
    stacked, horizontal
        For bars.
    csv
        URL of the data as CSV; empty: none.
    keys
        Labels for CSV, such as ISO dates; empty: `labels`.
    groups, links
        For a scatter plot, one for each label: the group that colours a point, and its page; empty: none.
    """

    kind: Kind
    name: str
    title: str
    definition: str
    labels: Sequence[str]
    series: Sequence[Series]
    label_name: str = ""
    unit: str = ""
    decimals: int = 0
    stacked: bool = False
    horizontal: bool = False
    csv: str = ""
    keys: Sequence[str] = ()
    groups: Sequence[str] = ()
    links: Sequence[str] = ()

    def __post_init__(self) -> None:
        for values_of_points in (self.groups, self.links):
            if values_of_points and len(values_of_points) != len(self.labels):
                raise ValueError(f"{len(values_of_points)} groups or links for {len(self.labels)} labels")
        for series in self.series:
            for values in (series.values, series.low, series.high):
                if len(values) != len(self.labels) and (values or values is series.values):
                    raise ValueError(f"{series.name}: {len(values)} values for {len(self.labels)} labels")
        if self.kind == "scatter" and len(self.series) != 2:
            raise ValueError("A scatter plot has two series: x and y.")

    @property
    def data(self) -> dict[str, Any]:
        """JSON data for ``admin_site/charts.js``."""
        return {
            "kind": self.kind,
            "title": self.title,
            "description": f"{self.title}. {self.definition}",
            "labels": list(self.labels),
            "series": [
                {
                    "name": series.name,
                    "values": list(series.values),
                    "low": list(series.low),
                    "high": list(series.high),
                    "dashed": series.dashed,
                }
                for series in self.series
            ],
            "labelName": self.label_name,
            "unit": self.unit,
            "decimals": self.decimals,
            "stacked": self.stacked,
            "horizontal": self.horizontal,
            "groups": list(self.groups),
            "links": list(self.links),
        }

    @property
    def data_id(self) -> str:
        """Id of the element with the JSON data."""
        return f"{self.name}-data"

    @property
    def header(self) -> list[str]:
        """Column headings of the table."""
        if self.groups:
            return [self.label_name, _("Group")]
        return [self.label_name, *(series.name for series in self.series)]

    @property
    def rows(self) -> list[tuple[str, list[str]]]:
        """Table rows: the label, and the cells formatted in the current language."""
        return [
            (label, [self._cell(series, place) for series in self.series])
            for place, label in enumerate(self.labels)
        ]

    @property
    def records(self) -> list[list[object]]:
        """Header and rows for CSV: unformatted numbers, with bounds in separate columns."""
        header: list[object] = [self.label_name]
        columns: list[Values] = []
        for series in self.series:
            header.append(series.name)
            columns.append(series.values)
            if series.low:
                header += [f"{series.name} ≥", f"{series.name} ≤"]
                columns += [series.low, series.high]
        rows = zip(self.keys or self.labels, *columns, strict=True)
        return [header, *(["" if cell is None else cell for cell in row] for row in rows)]

    @property
    def linked_rows(self) -> list[tuple[str, str, list[str]]]:
        """Table rows with the link of each row, or ""; grouped points have no coordinates."""
        links = self.links or [""] * len(self.labels)
        if self.groups:
            return [
                (label, link, [group])
                for group, label, link in sorted(zip(self.groups, self.labels, links, strict=True))
            ]
        return [(label, link, cells) for (label, cells), link in zip(self.rows, links, strict=True)]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return all(value is None for series in self.series for value in series.values)

    def _cell(self, series: Series, place: int) -> str:
        value = series.values[place]
        if value is None:
            return ""
        text = self._number(value)
        low, high = (bound[place] if bound else None for bound in (series.low, series.high))
        if low is None or high is None:
            return text
        return f"{text} ({self._number(low)}–{self._number(high)})"

    def _number(self, value: float) -> str:
        # Round first: Django truncates the digits of a float.
        return number_format(
            round(value, self.decimals), decimal_pos=self.decimals, use_l10n=True, force_grouping=True
        )


# Their parameters are the attributes of `Chart`, by name.
line_chart = partial(Chart, "line")
"""Lines over the labels, such as a time series."""
bar_chart = partial(Chart, "bar")
"""Bars for the labels."""
heatmap = partial(Chart, "heatmap")
"""A cell for each label (columns) and series (rows); darker cells have larger values."""


def scatter(
    *,
    name: str,
    title: str,
    definition: str,
    labels: Sequence[str],
    x: Series,
    y: Series,
    label_name: str = "",
    decimals: int = 0,
    csv: str = "",
    keys: Sequence[str] = (),
    groups: Sequence[str] = (),
    links: Sequence[str] = (),
) -> Chart:
    """Return a chart with a point for each label; with groups, a map in which only distances have meaning.

    Raises
    ------
    ValueError
        If a series does not have one value for each label.
    """
    return Chart(
        "scatter",
        name,
        title,
        definition,
        labels,
        (x, y),
        label_name,
        decimals=decimals,
        csv=csv,
        keys=keys,
        groups=groups,
        links=links,
    )
