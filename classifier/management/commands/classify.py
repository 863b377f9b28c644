"""``manage.py classify``: suggest categories."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from classifier.management.running import RunCommand
from classifier.models import Change
from library.console import Progress


class Command(RunCommand):
    kind = "reclassify"
    help = (
        "Suggest categories with the active version for the books that neither a person nor an import has "
        "filed: three per book, each with its evidence. Only stale books are classified: new and changed "
        "ones, those whose borrowers' loans changed, and all books after a promotion. The category of a book "
        "is never changed. If the confidence is too low, the model abstains: its guesses are stored and "
        "marked as guesses."
    )
    example = "manage.py classify --output suggestions.csv"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--all",
            action="store_true",
            help="all books, including categorised and unchanged ones",
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
            help="target share of correct suggestions on the held-out books; the model abstains from "
            "the others (default: the setting SUGGESTION_PRECISION, 0.90 unless changed)",
        )
        super().add_arguments(parser)

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        result = super().work(progress=progress, **options)
        if "skipped" not in result:
            from classifier.services.jobs import run_here

            # The order of the review queue depends on the suggestions.
            run_here(kind="order_reviews", now=timezone.now(), progress=progress)
        return result

    def parameters(self, options: dict[str, Any]) -> dict[str, Any]:
        return {
            "include_categorised": options["all"],
            "include_unchanged": options["all"],
            "precision": options["precision"],
        }

    def show_result(self, result: dict[str, Any]) -> None:
        changed = ", ".join(f"{Change.Kind(kind).label} ({n})" for kind, n in result["changed"].items())
        super().show_result(result | {"changed": changed or "none"})
        if result["threshold"] is None:
            self.warn(
                f"No probability reaches a precision of {result['precision']:g} on the held-out books, so "
                "all suggestions are guesses. Categorise more books, or choose a lower --precision."
            )
