import pytest

from classifier.management.report import metrics_table, report
from library.console import format_table

SCORES = {
    "accuracy": 0.8765,
    "macro_f1": 0.5,
    "top3": 1.0,
    "calibration_error": 0.0123,
    "calibration_noise": 0.0204,
}
DETAILS = {
    "held_out": 42,
    "fused": SCORES,
    "by_level": [0.95, 0.9, 0.8765],
    "reliability": [
        {"from": 0.6, "to": 2 / 3, "books": 12, "confidence": 0.64, "accuracy": 0.5},
        {"from": 14 / 15, "to": 1.0, "books": 30, "confidence": 0.98, "accuracy": 0.9667},
    ],
    "selective": {
        "at_precision": {
            "0.90": {"threshold": 0.7312, "coverage": 0.8123, "precision": 0.91},
            "0.95": {"threshold": None, "coverage": 0.0, "precision": None},
        },
        "curve": [[1.0, 0.8765]],
    },
}


def cells(text):
    return [line.replace("│", " ").replace("┃", " ").split() for line in text.splitlines()]


def test_table_has_metrics_only():
    metrics = {
        "held_out": 42,
        "fused": SCORES,
        "majority": SCORES | {"accuracy": 0.1},
        "per_category": {"a": {}},
        "notes": ["x"],
    }
    lines = cells(metrics_table(metrics))
    assert lines[0] == ["On", "42", "held-out", "books"]
    assert ["accuracy", "macro-F1", "top", "3", "calibration", "error", "by", "chance"] in lines
    assert ["fused", "0.876", "0.500", "1.000", "0.012", "0.020"] in lines
    assert ["majority", "0.100", "0.500", "1.000", "0.012", "0.020"] in lines
    assert len([line for line in lines if line and line[0] in metrics]) == 2


def test_report_has_reliability_and_coverage():
    text = report(DETAILS)
    assert text.startswith(metrics_table(DETAILS))
    lines = cells(text)
    assert ["0.60", "to", "0.67", "12", "0.640", "0.500"] in lines
    assert ["0.93", "to", "1.00", "30", "0.980", "0.967"] in lines
    assert "Accuracy by level, top level first: 0.950, 0.900, 0.876" in text
    assert "Precision 0.90: reached above a probability of 0.731, by 81.2% of the books." in text
    assert text.endswith("Precision 0.95: not reached at any probability.")


def test_categories_without_a_tree_have_no_levels():
    assert "level" not in report(DETAILS | {"by_level": [0.8765]})


@pytest.mark.parametrize("title", ["[bold]Optics", "Optics [/]", ":star: Optics", "光学"])
def test_title_is_not_markup(title):
    assert title in format_table(title="Books", columns=["title", "in truth"], rows=[[title, "535"]])
