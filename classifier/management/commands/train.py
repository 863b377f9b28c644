"""``manage.py train``: train a model version."""

from typing import Any

from django.core.management.base import CommandParser

from classifier.management.report import report
from classifier.management.running import RunCommand, add_settings


class Command(RunCommand):
    kind = "train"
    help = (
        "Train on every categorised book, evaluate on held-out books, store the version as a candidate, and "
        "compare it with the active version on books that neither was trained on. With PROMOTION=automatic "
        "it becomes active if it is not worse and loses no category; otherwise promote it with manage.py "
        "promote_model."
    )
    example = "manage.py train --seed 1 --set network.width=64 --set svm.C=1"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--seed",
            type=int,
            default=0,
            help="random seed; the same seed and library give the same model (default 0)",
        )
        add_settings(
            parser,
            help_text="change a setting, e.g. network.dropout=0.3; an unknown one lists them all; repeatable",
        )
        super().add_arguments(parser)

    def parameters(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"seed": options["seed"], "settings": options["settings_"]}

    def show_result(self, result: dict[str, Any]) -> None:
        self.stdout.write(report(result["metrics"]))
        state = "active" if result["active"] else "not active"
        self.stdout.write(f"Version {result['version']} ({state}). {result['reason']}")
        for note in result["metrics"]["notes"]:
            self.warn(note)
