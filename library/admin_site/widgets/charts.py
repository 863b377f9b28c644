"""Charts as plain values: what is drawn, and the same figures as a table.

A view makes a `Chart` with one of the functions below and puts it into ``admin_site/chart.html``;
``admin_site/charts.js`` draws it. Every kind has one shape, labels times series, so that each has its table.
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

#: What a page with charts loads.
CHART_MEDIA = Media(
    css={"all": ["admin_site/charts.css"]},
    js=[
        # Of no kind that a browser runs: charts.js fetches it when a chart is nearly in sight.
        Script("admin_site/vendor/echarts/echarts.min.js", type="text/later"),  # type: ignore[list-item]
        Script("admin_site/charts.js", defer=True),  # type: ignore[list-item]
    ],
)


@dataclass(frozen=True)
class Series:
    """One line, one colour of bars, or one row of a heatmap.

    Attributes
    ----------
    name : str
    values : sequence of float or None
        One a label; None where there is none.
    low, high : sequence of float or None
        Bounds of an interval round the values, drawn as a band; empty: there is none.
    dashed : bool
        Drawn as a dashed line: what is expected and not counted.
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
    kind : str
    name : str
        A slug, one of its own on the page.
    title, definition : str
        What the figures are, in words that need no chart.
    labels : sequence of str
        What the values stand at: months, categories; of a scatter plot, what the points are.
    series : sequence of Series
        Of a scatter plot two: where the points are across, and up.
    label_name : str
        What the labels are: heading of the table's first column, name of the axis.
    unit : str
        Of the values, such as "loans" or "%".
    decimals : int
        Shown of each value.
    stacked, horizontal : bool
        Of bars.
    csv : str
        Address of the figures as CSV; empty: there is none.
    keys : sequence of str
        What stands in CSV for the labels, such as ISO dates; empty: the labels.
    groups, links : sequence of str
        Of a scatter plot, one a label: the group a point is coloured by, and the page it leads to; empty:
        there are none.
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
        for each in (self.groups, self.links):
            if each and len(each) != len(self.labels):
                raise ValueError(f"{len(each)} groups or links for {len(self.labels)} labels")
        for series in self.series:
            for values in (series.values, series.low, series.high):
                if len(values) != len(self.labels) and (values or values is series.values):
                    raise ValueError(f"{series.name}: {len(values)} values for {len(self.labels)} labels")
        if self.kind == "scatter" and len(self.series) != 2:
            raise ValueError("A scatter plot has two series: across, and up.")

    @property
    def drawing(self) -> dict[str, Any]:
        """What ``admin_site/charts.js`` draws, as JSON."""
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
    def figures_id(self) -> str:
        """The id of the element that holds the drawing, as JSON."""
        return f"{self.name}-figures"

    @property
    def header(self) -> list[str]:
        """The heading of each of the table's columns."""
        if self.groups:
            return [self.label_name, _("group")]
        return [self.label_name, *(series.name for series in self.series)]

    @property
    def rows(self) -> list[tuple[str, list[str]]]:
        """The table's rows: the label, and the cells in the current language."""
        return [
            (label, [self._cell(series, place) for series in self.series])
            for place, label in enumerate(self.labels)
        ]

    @property
    def records(self) -> list[list[object]]:
        """The heading and the rows for CSV: numbers as they are, bounds in columns of their own."""
        heading: list[object] = [self.label_name]
        columns: list[Values] = []
        for series in self.series:
            heading.append(series.name)
            columns.append(series.values)
            if series.low:
                heading += [f"{series.name} ≥", f"{series.name} ≤"]
                columns += [series.low, series.high]
        rows = zip(self.keys or self.labels, *columns, strict=True)
        return [heading, *(["" if cell is None else cell for cell in row] for row in rows)]

    @property
    def linked_rows(self) -> list[tuple[str, str, list[str]]]:
        """The table's rows with the page that each leads to, or none; of groups of points no coordinates."""
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
        # Rounded first: Django cuts the digits of a float off.
        return number_format(
            round(value, self.decimals), decimal_pos=self.decimals, use_l10n=True, force_grouping=True
        )


# Their parameters are the attributes of `Chart`, by name.
line_chart = partial(Chart, "line")
"""Lines over the labels, as of time."""
bar_chart = partial(Chart, "bar")
"""Bars at the labels."""
heatmap = partial(Chart, "heatmap")
"""A field for each label (across) and series (down), the darker the more."""


def scatter(
    *,
    name: str,
    title: str,
    definition: str,
    labels: Sequence[str],
    across: Series,
    up: Series,
    label_name: str = "",
    decimals: int = 0,
    csv: str = "",
    keys: Sequence[str] = (),
    groups: Sequence[str] = (),
    links: Sequence[str] = (),
) -> Chart:
    """Return a point for each label; with groups, a map on which nearness alone counts.

    Raises
    ------
    ValueError
        If a series has not one value a label.
    """
    return Chart(
        "scatter",
        name,
        title,
        definition,
        labels,
        (across, up),
        label_name,
        decimals=decimals,
        csv=csv,
        keys=keys,
        groups=groups,
        links=links,
    )
