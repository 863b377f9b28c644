"""``manage.py tune``: search for better training settings."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from classifier.management.running import RunCommand, add_settings
from library.console import Progress, format_table

_COLUMNS = {
    "search_macro_f1": "macro-F1 in the search",
    "macro_f1": "macro-F1",
    "accuracy": "accuracy",
    "top3": "top 3",
    "calibration_error": "calibration error",
}
_STOPPED = {"trials": "", "timeout": " The time limit was reached.", "interrupted": " It was interrupted."}
_SIGNIFICANCE = 0.05
"""Significance level."""


class Command(RunCommand):
    kind = "tune"
    help = (
        "Search network structure, activation, regularisation and support vector machine for the best "
        "cross-validated macro-F1, compare the best settings with the defaults on the held-out books, and "
        "print the command that trains with them. After Ctrl-C or --timeout it evaluates the best settings "
        "so far; another run continues the search. Does not change the active version. Needs optuna: pip "
        "install 'optuna>=4'."
    )
    example = "manage.py tune --trials 50 --timeout 3600"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--trials",
            type=int,
            default=30,
            help="total number of trials, including earlier runs (default 30)",
        )
        parser.add_argument(
            "--timeout",
            type=float,
            metavar="SECONDS",
            help="time limit of the search, without the reading before and the evaluation after it",
        )
        parser.add_argument(
            "--seed",
            type=int,
            default=0,
            help="random seed; the same seed and library give the same search (default 0)",
        )
        add_settings(parser, help_text="fix a setting, e.g. svm.C=0.5: it is not searched; may be repeated")
        parser.add_argument("--fresh", action="store_true", help="discard earlier runs")
        super().add_arguments(parser)

    def parameters(self, options: dict[str, Any]) -> dict[str, Any]:
        names = ("trials", "timeout", "seed", "fresh")
        return {name: options[name] for name in names} | {"settings": options["settings_"]}

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        try:
            return super().work(progress=progress, **options)
        except KeyboardInterrupt:
            raise CommandError(
                "Interrupted. Finished trials are stored; run the command again to continue.", returncode=130
            ) from None

    def show_result(self, result: dict[str, Any]) -> None:
        rows = [
            [name, *(f"{result[key][column]:.3f}" for column in _COLUMNS)]
            for key, name in (("defaults", "defaults"), ("best", "best found"))
        ]
        title = f"On {result['held_out']} held-out books that the search has not seen"
        self.stdout.write(format_table(title=title, columns=["", *_COLUMNS.values()], rows=rows))
        trials = result["trials"]
        self.stdout.write(
            f"Trials: {trials['finished']}, in this run: {trials['new']}, stopped early: {trials['pruned']}, "
            f"failed: {trials['failed']}.{_STOPPED[result['stopped']]}"
        )
        self.stdout.write(_verdict(result))
        if result["settings"]:
            self.stdout.write(f"To use it: {result['command']}")


def _verdict(result: dict[str, Any]) -> str:
    """Return the result of the search in one or two sentences."""
    if not result["settings"]:
        return "No trial was better than the defaults."
    gain = result["gain"]
    change = (
        f"Best found against defaults: macro-F1 {gain['macro_f1']:+.3f}, accuracy {gain['accuracy']:+.3f}; "
        f"books that only the best found gets right: {gain['won']}, only the defaults: {gain['lost']} "
        f"(McNemar's test: p = {gain['p_value']:.2g})."
    )
    if gain["p_value"] >= _SIGNIFICANCE:
        return f"{change} A difference of this size may be chance."
    if gain["won"] < gain["lost"]:
        return f"{change} That is worse by more than chance: keep the defaults."
    return f"{change} That is better by more than chance."
