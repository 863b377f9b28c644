"""Tests of the terminal output of commands."""

from library.console import ProgressBars


def test_phase_keeps_its_bar_when_its_detail_changes():
    with ProgressBars() as progress:
        progress("reading books", 5, 5)
        progress("searching", 0, 3)
        progress("searching: best macro-F1 0.611", 1, 3)
        progress("searching: best macro-F1 0.683", 2, 3)
    bars = progress._bars.tasks
    assert [(bar.description, bar.completed, bar.total) for bar in bars] == [
        ("reading books", 5, 5),
        ("searching: best macro-F1 0.683", 2, 3),
    ]
