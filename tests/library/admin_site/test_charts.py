import json

import pytest
from django.template.loader import render_to_string
from django.utils import translation

from library.admin_site.widgets.charts import Series, bar_chart, line_chart, scatter


def make_chart(**fields):
    defaults = {
        "name": "loans",
        "title": "Loans",
        "definition": "Checkouts.",
        "labels": ["January", "February"],
        "series": [Series("Main", [1234, None]), Series("East", [0, 5.26], low=[0, 1], high=[1, 9.5])],
    }
    return bar_chart(**(defaults | fields))


def test_table_formats_numbers_in_the_current_language():
    chart = make_chart(decimals=1, label_name="Month")
    assert chart.header == ["Month", "Main", "East"]
    with translation.override("en"):
        assert chart.rows == [
            ("January", ["1,234.0", "0.0 (0.0–1.0)"]),
            ("February", ["", "5.3 (1.0–9.5)"]),
        ]


def test_chart_data_is_json():
    data = json.loads(json.dumps(make_chart(unit="loans").data))
    assert (data["kind"], data["unit"], data["labels"]) == ("bar", "loans", ["January", "February"])
    assert [series["values"] for series in data["series"]] == [[1234, None], [0, 5.26]]
    assert data["series"][1]["high"] == [1, 9.5]


@pytest.mark.parametrize(
    "series", [Series("x", [1]), Series("x", [1, 2, 3]), Series("x", [1, 2], low=[1], high=[2, 3])]
)
def test_series_needs_one_value_for_each_label(series):
    with pytest.raises(ValueError, match=r"x: . values for 2 labels"):
        make_chart(series=[series])


def test_scatter_plot_has_x_and_y():
    chart = scatter(
        name="age",
        title="Age",
        definition="",
        labels=["History"],
        x=Series("Age", [3]),
        y=Series("Loans", [7]),
    )
    assert [series.name for series in chart.series] == ["Age", "Loans"]


def test_grouped_scatter_plot_has_a_table_of_links():
    chart = scatter(
        name="map",
        title="Map",
        definition="",
        labels=["Optics", "Bread"],
        x=Series("x", [0.5, 1]),
        y=Series("y", [2, 3]),
        label_name="Book",
        groups=["Physics", "Cooking"],
        links=["/optics/", "/bread/"],
    )
    with translation.override("en"):
        assert chart.header == ["Book", "Group"]
    assert chart.linked_rows == [("Bread", "/bread/", ["Cooking"]), ("Optics", "/optics/", ["Physics"])]
    assert (chart.data["groups"], chart.data["links"]) == (
        ["Physics", "Cooking"],
        ["/optics/", "/bread/"],
    )
    page = render_to_string("admin_site/chart.html", {"chart": chart})
    assert '<a href="/optics/">Optics</a>' in page


def test_groups_must_match_points():
    x, y = Series("x", [1]), Series("y", [1])
    with pytest.raises(ValueError, match="2 groups or links for 1 labels"):
        scatter(name="map", title="", definition="", labels=["a"], x=x, y=y, groups=["b", "c"])


def test_markup_in_names_is_escaped():
    chart = line_chart(
        name="x",
        title="<script>1</script>",
        definition="</p>",
        labels=["</script><b>"],
        series=[Series("<i>", [1])],
    )
    page = render_to_string("admin_site/chart.html", {"chart": chart})
    assert "<script>1" not in page
    assert "</script><b>" not in page
    assert "<i>" not in page


def test_empty_chart_shows_a_message():
    page = render_to_string(
        "admin_site/chart.html", {"chart": make_chart(series=[Series("Main", [None, None])])}
    )
    assert "No data to show." in page
    assert "<table" not in page


def test_csv_has_plain_numbers_bounds_and_keys():
    chart = make_chart(label_name="Month", keys=["2026-01", "2026-02"], decimals=1)
    assert chart.records == [
        ["Month", "Main", "East", "East ≥", "East ≤"],
        ["2026-01", 1234, 0, 0, 1],
        ["2026-02", "", 5.26, 1, 9.5],
    ]
