"""``manage.py train``: learn the categories."""

from typing import Any

from django.core.management.base import CommandParser

from classifier.management.report import report
from classifier.management.running import RunCommand, add_settings


class Command(RunCommand):
    kind = "train"
    help = (
        "Learn from every categorised book, measure the result on books held out, keep it as a candidate, "
        "and compare it with the active version on books that neither has learned from. With the setting "
        "PROMOTION=automatic it becomes active if it is no worse and loses no category; else a person "
        "promotes it: manage.py promote."
    )
    example = "manage.py train --seed 1 --set network.width=64 --set svm.kernel=rbf"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--seed", type=int, default=0, help="same seed and library, same model (default 0)"
        )
        add_settings(
            parser,
            words="change a setting, e.g. network.dropout=0.3; a wrong key lists them all; may be repeated",
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
