"""Figures as tables for a terminal."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

_COLUMNS = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "top3": "top 3",
    "calibration_error": "calibration error",
}


def as_text(*, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as text, the first column left and the others right aligned."""
    table = Table(title=title, title_justify="left")
    for position, name in enumerate(columns):
        table.add_column(name, justify="right" if position else "left")
    for row in rows:
        table.add_row(*row)
    console = Console(width=110, markup=False, emoji=False)  # a title is no markup
    with console.capture() as capture:
        console.print(table)
    return capture.get().rstrip()


def metrics_table(metrics: dict[str, Any]) -> str:
    """Return the figures of a version: the fused model, each modality alone, and the majority category."""
    rows = [
        [name, *(f"{figures[key]:.3f}" for key in _COLUMNS)]
        for name, figures in metrics.items()
        if isinstance(figures, dict) and "accuracy" in figures
    ]
    title = f"On {metrics['held_out']} held-out books"
    return as_text(title=title, columns=["", *_COLUMNS.values()], rows=rows)
