import json

import pytest
from django.template.loader import render_to_string
from django.utils import translation

from library.admin_site.widgets.charts import Series, bar_chart, line_chart, scatter


def a_chart(**more):
    given = {
        "name": "loans",
        "title": "Loans",
        "definition": "Checkouts.",
        "labels": ["January", "February"],
        "series": [Series("Main", [1234, None]), Series("East", [0, 5.26], low=[0, 1], high=[1, 9.5])],
    }
    return bar_chart(**(given | more))


def test_the_table_has_every_figure_in_the_readers_language():
    chart = a_chart(decimals=1, label_name="Month")
    assert chart.header == ["Month", "Main", "East"]
    with translation.override("en"):
        assert chart.rows == [
            ("January", ["1,234.0", "0.0 (0.0–1.0)"]),
            ("February", ["", "5.3 (1.0–9.5)"]),
        ]


def test_what_is_drawn_is_json_and_says_all_of_the_chart():
    drawing = json.loads(json.dumps(a_chart(unit="loans").drawing))
    assert (drawing["kind"], drawing["unit"], drawing["labels"]) == ("bar", "loans", ["January", "February"])
    assert [series["values"] for series in drawing["series"]] == [[1234, None], [0, 5.26]]
    assert drawing["series"][1]["high"] == [1, 9.5]


@pytest.mark.parametrize(
    "series", [Series("x", [1]), Series("x", [1, 2, 3]), Series("x", [1, 2], low=[1], high=[2, 3])]
)
def test_a_series_has_one_value_a_label(series):
    with pytest.raises(ValueError, match=r"x: . values for 2 labels"):
        a_chart(series=[series])


def test_a_scatter_plot_goes_across_and_up():
    chart = scatter(
        name="age",
        title="Age",
        definition="",
        labels=["History"],
        across=Series("Age", [3]),
        up=Series("Loans", [7]),
    )
    assert [series.name for series in chart.series] == ["Age", "Loans"]


def test_a_map_of_groups_has_a_table_of_links():
    chart = scatter(
        name="map",
        title="Map",
        definition="",
        labels=["Optics", "Bread"],
        across=Series("x", [0.5, 1]),
        up=Series("y", [2, 3]),
        label_name="Book",
        groups=["Physics", "Cooking"],
        links=["/optics/", "/bread/"],
    )
    with translation.override("en"):
        assert chart.header == ["Book", "group"]
    assert chart.linked_rows == [("Bread", "/bread/", ["Cooking"]), ("Optics", "/optics/", ["Physics"])]
    assert (chart.drawing["groups"], chart.drawing["links"]) == (
        ["Physics", "Cooking"],
        ["/optics/", "/bread/"],
    )
    page = render_to_string("admin_site/chart.html", {"chart": chart})
    assert '<a href="/optics/">Optics</a>' in page


def test_there_are_as_many_groups_as_points():
    across, up = Series("x", [1]), Series("y", [1])
    with pytest.raises(ValueError, match="2 groups or links for 1 labels"):
        scatter(name="map", title="", definition="", labels=["a"], across=across, up=up, groups=["b", "c"])


def test_a_name_that_holds_markup_stays_text():
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


def test_nothing_to_draw_is_said():
    page = render_to_string(
        "admin_site/chart.html", {"chart": a_chart(series=[Series("Main", [None, None])])}
    )
    assert "There are no figures to show here." in page
    assert "<table" not in page


def test_csv_has_the_numbers_as_they_are_with_bounds_and_keys():
    chart = a_chart(label_name="Month", keys=["2026-01", "2026-02"], decimals=1)
    assert chart.records == [
        ["Month", "Main", "East", "East ≥", "East ≤"],
        ["2026-01", 1234, 0, 0, 1],
        ["2026-02", "", 5.26, 1, 9.5],
    ]
