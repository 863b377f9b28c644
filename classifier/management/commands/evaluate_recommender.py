"""``manage.py evaluate_recommender``: what recommendations would have been worth."""

from typing import Any

from django.core.management.base import CommandParser

from classifier.management.running import add_settings
from library.console import Command as BaseCommand
from library.console import Progress, as_text

SCORES = {"ndcg": "NDCG", "recall": "recall", "hit_rate": "hit rate", "mrr": "MRR"}


class Command(BaseCommand):
    help = (
        "Measure recommendations on this library's own loans: learn from those before a day, and look which "
        "of the titles borrowed after it are in the lists. Every title is ranked, titles had before are left "
        "out but for “any titles”, and popularity stands beside. Nothing is changed."
    )
    example = "manage.py evaluate_recommender --share 0.8"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--share", type=float, default=0.8, help="of the loans that is learned from (default 0.8)"
        )
        parser.add_argument("-n", type=int, default=10, help="titles a list (default 10)")
        add_settings(parser, words="change a setting, for example recommend.min_borrowers=5; may be repeated")
        super().add_arguments(parser)

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        from classifier.services.recommendation.evaluation import evaluate_recommender  # loads torch

        return evaluate_recommender(
            share=options["share"], n=options["n"], settings=options["settings_"], progress=progress
        )

    def show(self, result: dict[str, Any]) -> None:
        rows = [
            [method, name, str(scores["borrowers"]), *(f"{scores[key]:.4f}" for key in SCORES)]
            for name in result["scores"]["ours"]
            for method, scores in ((method, of[name]) for method, of in result["scores"].items())
        ]
        columns = ["by", "looked for", "borrowers", *(f"{word} at {result['n']}" for word in SCORES.values())]
        title = f"{result['learned_from']} loans before {result['until']}, {result['looked_at']} from then on"
        self.stdout.write(as_text(title=title, columns=columns, rows=rows))
        shown = [
            [method, *(f"{of[key]:.3f}" for key in ("coverage", "gini", "novelty"))]
            for method, of in result["shown"].items()
        ]
        columns = ["by", "share of the catalogue shown", "Gini", "novelty (bits)"]
        self.stdout.write(as_text(title="What the lists show", columns=columns, rows=shown))
