"""Metrics of a version as charts, and the comparison of two versions."""

import pytest

from classifier.presentation.metrics import (
    MAX_CATEGORIES,
    charts,
    confusion_chart,
    coverage_chart,
    coverage_steps,
    precision_rows,
)
from library.admin_site.roles import ADMINISTRATORS, CIRCULATION
from tests.classifier.factories import make_version
from tests.factories import NOW, make_category
from tests.logins import desk, make_librarian, make_user

pytestmark = pytest.mark.django_db
LIST = "/admin/classifier/modelversion/"
SCORES = {"accuracy": 0.9, "macro_f1": 0.85, "top3": 1.0, "calibration_error": 0.04}
METRICS = {
    "held_out": 20,
    "fused": SCORES,
    "text": SCORES | {"accuracy": 0.7},
    "majority": SCORES | {"accuracy": 0.1},
    "per_category": {
        "local/530": {"books": 12, "precision": 1, "recall": 1, "f1": 0.95},
        "local/610": {"books": 8, "precision": 1, "recall": 1, "f1": 0.5},
    },
    "classes": ["local/530", "local/610"],
    "confusion": [[0, 0, 11], [0, 1, 1], [1, 1, 8]],
    "reliability": [
        {"from": 0.4, "to": 0.6, "books": 4, "confidence": 0.5, "accuracy": 0.25},
        {"from": 0.6, "to": 0.8, "books": 16, "confidence": 0.75, "accuracy": 0.8125},
    ],
    "selective": {
        "at_precision": {
            "0.90": {"threshold": 0.61, "coverage": 0.8, "precision": 0.9375},
            "0.95": {"threshold": None, "coverage": 0.0, "precision": None},
        },
        "curve": [[0.5, 1.0], [0.8, 0.9375], [1.0, 0.7]],
    },
}


def test_confusion_chart():
    make_category(notation="530", label_en="Physics")
    chart = confusion_chart(make_version(metrics=METRICS))
    assert chart.labels == ["530 Physics", "local/610"]
    assert [(row.name, row.values) for row in chart.series] == [
        ("530 Physics", [11, 1]),
        ("local/610", [0, 8]),
    ]


def test_confusion_chart_shows_most_errors():
    classes = [f"local/{number}" for number in range(MAX_CATEGORIES + 5)]
    cells = [[number, number, 9] for number in range(MAX_CATEGORIES + 5)] + [
        [MAX_CATEGORIES + 4, MAX_CATEGORIES + 3, 2]
    ]
    chart = confusion_chart(make_version(metrics={"classes": classes, "confusion": cells}))
    assert len(chart.labels) == len(chart.series) == MAX_CATEGORIES
    assert chart.labels[-2:] == [f"local/{MAX_CATEGORIES + 3}", f"local/{MAX_CATEGORIES + 4}"]
    assert f"Shows the {MAX_CATEGORIES} of {MAX_CATEGORIES + 5} categories" in chart.definition


def test_charts_are_in_percent():
    version = make_version(metrics=METRICS)
    coverage, reliability, _confusion = charts(version)
    assert (coverage.labels, coverage.series[0].values) == (["50%", "80%", "100%"], [100, 93.75, 70])
    assert reliability.labels == ["40%–60% (4)", "60%–80% (16)"]
    assert [(line.name, line.values) for line in reliability.series] == [
        ("share correct", [25, 81.25]),
        ("confidence", [50, 75]),
    ]
    assert coverage_steps(version) == [(100, 70), (80, 93.8), (50, 100)]
    assert precision_rows(version) == [("90%", "0.610", "80%", "93.8%"), ("95%", "-", "-", "-")]


def test_version_without_curves_has_no_charts():
    assert charts(make_version(metrics={"fused": SCORES})) == []
    page = desk(make_librarian()).get(f"{LIST}{make_version().pk}/change/")
    assert page.status_code == 200


def test_two_versions_share_an_axis():
    other = METRICS | {"selective": {"curve": [[0.25, 1.0], [1.0, 0.9]]}}
    chart = coverage_chart([make_version(name="a", metrics=METRICS), make_version(name="b", metrics=other)])
    assert chart.labels == ["25%", "50%", "80%", "100%"]
    assert [(line.name, line.values) for line in chart.series] == [
        ("share correct: a", [None, 100, 93.75, 70]),
        ("share correct: b", [100, None, None, 90]),
    ]


def test_version_page_has_charts_and_slider():
    page = desk(make_librarian()).get(f"{LIST}{make_version(metrics=METRICS).pk}/change/").content.decode()
    for text in (
        'data-chart="confusion-data"', 'data-chart="reliability-data"', 'data-chart="coverage-data"',
        'type="range"', "admin_site/precision_slider.js", "Baseline (largest category)", "0.700", "93.8%",
    ):  # fmt: skip
        assert text in page, text


def test_compare_page_defaults_to_newest_and_active():
    make_version(name="old", created_at="2020-01-01T00:00Z", metrics=METRICS)
    better = METRICS | {"fused": SCORES | {"accuracy": 0.95}}
    newest = make_version(name="newest", metrics=better, config={"network": {"width": 64}})
    used = {"state": "active", "activated_at": NOW}
    active = make_version(name="used", metrics=METRICS, config={"network": {"width": 128}}, **used)
    client = desk(make_user(ADMINISTRATORS))
    page = client.get(f"{LIST}compare/").content.decode()
    for text in (
        "newest (candidate)", "used (active)", "<td>0.950</td><td>0.900</td><td>+0.050</td>",
        "<td>64</td><td>128</td>", "share correct: newest",
    ):  # fmt: skip
        assert text in page, text
    swapped = client.get(f"{LIST}compare/?version={active.pk}&other={newest.pk}").content.decode()
    assert "<td>0.900</td><td>0.950</td><td>-0.050</td>" in swapped
    assert f'href="{LIST}compare/"' in client.get(LIST).content.decode()


def test_compare_page_without_active_version():
    for name, day in (("older", "2020"), ("old", "2021"), ("new", "2022")):
        make_version(name=name, created_at=f"{day}-01-01T00:00Z", metrics=METRICS)
    page = desk(make_librarian()).get(f"{LIST}compare/").content.decode()
    assert "old (candidate)" in page
    assert "new (candidate)" in page
    assert "older (candidate)" not in page


def test_compare_page_with_one_version():
    make_version(metrics=METRICS)
    page = desk(make_librarian()).get(f"{LIST}compare/?version=x").content.decode()
    assert "At least two versions are needed for a comparison." in page


def test_compare_page_needs_view_permission():
    assert desk(make_user(CIRCULATION)).get(f"{LIST}compare/").status_code == 403
