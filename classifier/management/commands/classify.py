"""``manage.py classify``: suggest categories."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from classifier.management.running import RunCommand
from library.console import Progress


class Command(RunCommand):
    kind = "reclassify"
    help = (
        "Suggest categories for the books that no person and no import has filed, with the active version: "
        "three ranks a book, kept as suggestions beside the book, with the evidence for each. Only what is "
        "stale is classified: books that are new or were changed, those whose borrowers' loans changed, and "
        "all of them after another version took over. A book's own category is never changed. "
        "Of a book that the model is not sure enough of, it abstains: the ranks are kept as best guesses, "
        "marked as no suggestion."
    )
    example = "manage.py classify --output suggestions.csv"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--all",
            action="store_true",
            help="every book: those with a category, and those that have not changed, too",
        )
        parser.add_argument(
            "--output",
            type=Path,
            metavar="FILE.csv",
            help="also write book,rank,category,probability,model_version,abstained",
        )
        parser.add_argument(
            "--precision",
            type=float,
            metavar="SHARE",
            help="abstain from so much that this share of the suggestions is right, judged by the books held "
            "out (default: the setting SUGGESTION_PRECISION, 0.90 unless changed)",
        )
        super().add_arguments(parser)

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        result = super().work(progress=progress, **options)
        if "skipped" not in result:
            from classifier.services.jobs import run_here

            # New suggestions are reviewed in a new order.
            run_here(kind="order_reviews", now=timezone.now(), progress=progress)
        return result

    def parameters(self, options: dict[str, Any]) -> dict[str, Any]:
        return {
            "include_categorised": options["all"],
            "afresh": options["all"],
            "precision": options["precision"],
        }

    def show_result(self, result: dict[str, Any]) -> None:
        changed = ", ".join(f"{books} {kind}" for kind, books in result["changed"].items())
        super().show_result(result | {"changed": changed or "none"})
        if result["threshold"] is None:
            self.warn(
                f"On the books held out, no probability reaches a precision of {result['precision']:g}, so "
                "there are best guesses only. Categorise more books, or ask for a lower --precision."
            )
