import pytest

from classifier.tables import as_text, metrics_table

FIGURES = {"accuracy": 0.8765, "macro_f1": 0.5, "top3": 1.0, "calibration_error": 0.0123}


def words(text):
    return [line.replace("│", " ").replace("┃", " ").split() for line in text.splitlines()]


def test_figures_are_rows_and_all_else_is_left_out():
    metrics = {
        "held_out": 42,
        "fused": FIGURES,
        "majority": FIGURES | {"accuracy": 0.1},
        "per_category": {"a": {}},
        "notes": ["x"],
    }
    lines = words(metrics_table(metrics))
    assert lines[0] == ["On", "42", "held-out", "books"]
    assert ["accuracy", "macro-F1", "top", "3", "calibration", "error"] in lines
    assert ["fused", "0.876", "0.500", "1.000", "0.012"] in lines
    assert ["majority", "0.100", "0.500", "1.000", "0.012"] in lines
    assert len([line for line in lines if line and line[0] in metrics]) == 2


@pytest.mark.parametrize("title", ["[bold]Optics", "Optics [/]", ":star: Optics", "光学"])
def test_a_title_is_shown_as_it_stands(title):
    assert title in as_text(title="Books", columns=["title", "in truth"], rows=[[title, "535"]])
