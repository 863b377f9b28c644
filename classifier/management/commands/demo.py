"""``manage.py demo``: see it work on an invented library."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandParser
from django.utils import timezone

from classifier.management.report import metrics_table
from library.console import Command as BaseCommand
from library.console import Progress, as_text

ADDRESS = "127.0.0.1:8000"


class Command(BaseCommand):
    help = (
        "Make a demo library of 1,000 titles, 400 borrowers and 12,000 loans, learn its categories, classify "
        f"and recommend, then serve it on {ADDRESS}. Run again, it adds nothing twice."
    )
    example = "manage.py demo --no-serve"
    requires_system_checks = ()  # they need a database, which this command makes

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seed", type=int, default=1, help="of the library and the training (default 1)")
        parser.add_argument("--no-serve", action="store_true", help="stop before serving")
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if not options["no_serve"]:
            call_command("runserver", ADDRESS, use_reloader=False)

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        call_command("migrate", verbosity=0, interactive=False)
        from classifier.services.demo import build_demo  # loads torch, which --help can do without

        result = build_demo(now=timezone.now(), seed=options["seed"], progress=progress)
        return {**result, "admin": f"http://{ADDRESS}/admin/"}

    def show(self, result: dict[str, Any]) -> None:
        self.stdout.write(metrics_table(result["metrics"]))
        classifications = [
            [row["title"][:50], row["suggestion"], f"{row['probability']:.0%}", row["truth"]]
            for row in result["classifications"]
        ]
        self.stdout.write(
            as_text(
                title="Ten books without a category",
                columns=["title", "suggested", "probability", "in truth"],
                rows=classifications,
            )
        )
        recommendations = [
            [row["borrower"], row["title"][:40], row["reason"][:60]] for row in result["recommendations"]
        ]
        self.stdout.write(
            as_text(
                title="The first recommendation of ten borrowers",
                columns=["borrower", "title", "reason"],
                rows=recommendations,
            )
        )
        self.stdout.write(
            f"Admin: {result['admin']}  user {result['username']}  password {result['password']}"
        )
