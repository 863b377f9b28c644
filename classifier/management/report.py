"""Figures as tables for a terminal."""

from collections.abc import Sequence
from typing import Any

from library.console import as_text

_COLUMNS = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "top3": "top 3",
    "calibration_error": "calibration error",
    "calibration_noise": "by chance",
}


def metrics_table(metrics: dict[str, Any]) -> str:
    """Return the figures of a version: the fused model, each modality alone, and the majority category."""
    rows = [
        [name, *(f"{figures[key]:.3f}" for key in _COLUMNS)]
        for name, figures in metrics.items()
        if isinstance(figures, dict) and "accuracy" in figures
    ]
    title = f"On {metrics['held_out']} held-out books"
    return as_text(title=title, columns=["", *_COLUMNS.values()], rows=rows)


def report(metrics: dict[str, Any]) -> str:
    """Return all figures of a version that people read at once: `metrics_table`, and what follows from it."""
    parts = [metrics_table(metrics), _levels(metrics["by_level"]), _reliability(metrics["reliability"])]
    parts += [_coverage(*row) for row in metrics["selective"]["at_precision"].items()]
    return "\n".join(part for part in parts if part)


def _levels(accuracies: Sequence[float]) -> str:
    if len(accuracies) < 2:
        return ""
    return f"Accuracy by level, the top first: {', '.join(f'{share:.3f}' for share in accuracies)}"


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
    return as_text(
        title="Probability of the best category, and how often it is right", columns=columns, rows=rows
    )


def _coverage(precision: str, found: dict[str, Any]) -> str:
    if found["threshold"] is None:
        return f"Precision {precision}: not reached at any probability."
    return (
        f"Precision {precision}: reached from a probability of {found['threshold']:.3f} on, by "
        f"{found['coverage']:.1%} of the books."
    )
