"""Metrics of a version as tables for a terminal."""

from collections.abc import Sequence
from typing import Any

from library.console import format_table

_COLUMNS = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "top3": "top 3",
    "calibration_error": "calibration error",
    "calibration_noise": "by chance",
}


def metrics_table(metrics: dict[str, Any]) -> str:
    """Return the metrics of the fused model, each modality alone, and the majority category."""
    rows = [
        [name, *(f"{scores[key]:.3f}" for key in _COLUMNS)]
        for name, scores in metrics.items()
        if isinstance(scores, dict) and "accuracy" in scores
    ]
    title = f"On {metrics['held_out']} held-out books"
    return format_table(title=title, columns=["", *_COLUMNS.values()], rows=rows)


def report(metrics: dict[str, Any]) -> str:
    """Return `metrics_table`, accuracy by level, reliability and coverage."""
    parts = [metrics_table(metrics), _levels(metrics["by_level"]), _reliability(metrics["reliability"])]
    parts += [_coverage(*row) for row in metrics["selective"]["at_precision"].items()]
    return "\n".join(part for part in parts if part)


def _levels(accuracies: Sequence[float]) -> str:
    if len(accuracies) < 2:
        return ""
    return f"Accuracy by level, top level first: {', '.join(f'{share:.3f}' for share in accuracies)}"


def _reliability(bins: Sequence[dict[str, Any]]) -> str:
    rows = [
        [
            f"{b['from']:.2f} to {b['to']:.2f}",
            str(b["books"]),
            f"{b['confidence']:.3f}",
            f"{b['accuracy']:.3f}",
        ]
        for b in bins
    ]
    columns = ["probability", "books", "mean probability", "accuracy"]
    return format_table(title="Reliability of the best category", columns=columns, rows=rows)


def _coverage(precision: str, coverage: dict[str, Any]) -> str:
    if coverage["threshold"] is None:
        return f"Precision {precision}: not reached at any probability."
    return (
        f"Precision {precision}: reached above a probability of {coverage['threshold']:.3f}, by "
        f"{coverage['coverage']:.1%} of the books."
    )
