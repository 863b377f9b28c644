"""``manage.py evaluate_recommender``: backtest the recommendations."""

from typing import Any

from django.core.management.base import CommandParser

from classifier.management.running import add_settings
from library.console import Command as BaseCommand
from library.console import Progress, format_table

SCORES = {"ndcg": "NDCG", "recall": "recall", "hit_rate": "hit rate", "mrr": "MRR"}


class Command(BaseCommand):
    help = (
        "Backtest recommendations on this library's own loans: learn from the loans before a day, and test "
        "which titles borrowed later are in the lists. All titles are ranked; titles borrowed before are "
        "excluded except for “any titles”; popularity is the baseline. Nothing is changed."
    )
    example = "manage.py evaluate_recommender --share 0.8"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--share", type=float, default=0.8, help="fraction of the loans to learn from (default 0.8)"
        )
        parser.add_argument("-n", type=int, default=10, help="titles per list (default 10)")
        add_settings(
            parser, help_text="change a setting, for example recommend.min_borrowers=5; may be repeated"
        )
        super().add_arguments(parser)

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        from classifier.services.recommendation.evaluation import evaluate_recommender  # imports torch

        return evaluate_recommender(
            share=options["share"], n=options["n"], settings=options["settings_"], progress=progress
        )

    def show(self, result: dict[str, Any]) -> None:
        rows = [
            [method, name, str(scores["borrowers"]), *(f"{scores[key]:.4f}" for key in SCORES)]
            for name in result["scores"]["ours"]
            for method, scores in ((method, of[name]) for method, of in result["scores"].items())
        ]
        columns = [
            "by",
            "looked for",
            "borrowers",
            *(f"{label} at {result['n']}" for label in SCORES.values()),
        ]
        title = f"Loans before {result['until']}: {result['learned_from']}, later: {result['looked_at']}"
        self.stdout.write(format_table(title=title, columns=columns, rows=rows))
        shown = [
            [method, *(f"{of[key]:.3f}" for key in ("coverage", "gini", "novelty"))]
            for method, of in result["shown"].items()
        ]
        columns = ["by", "share of the catalogue shown", "Gini", "novelty (bits)"]
        self.stdout.write(format_table(title="What the lists show", columns=columns, rows=shown))
