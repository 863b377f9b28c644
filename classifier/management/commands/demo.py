"""``manage.py demo``: try the product with an invented library."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandParser
from django.utils import timezone

from classifier.management.report import metrics_table
from library.console import Command as BaseCommand
from library.console import Progress, format_table

ADDRESS = "127.0.0.1:8000"


class Command(BaseCommand):
    help = (
        "Create a demo library of 1,000 titles, 400 borrowers and 12,000 loans, train, classify and "
        f"recommend, then serve it on {ADDRESS}. Another run adds nothing and keeps the password."
    )
    example = "manage.py demo --no-serve"
    requires_system_checks = ()  # they need a database, which this command creates

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--seed", type=int, default=1, help="random seed of the library and the training (default 1)"
        )
        parser.add_argument("--no-serve", action="store_true", help="do not start the web server")
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if not options["no_serve"]:
            call_command("runserver", ADDRESS, use_reloader=False)

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        call_command("migrate", verbosity=0, interactive=False)
        from classifier.services.demo import build_demo  # imports torch, which --help does not need

        result = build_demo(now=timezone.now(), seed=options["seed"], progress=progress)
        return {**result, "admin": f"http://{ADDRESS}/admin/"}

    def show(self, result: dict[str, Any]) -> None:
        self.stdout.write(metrics_table(result["metrics"]))
        classifications = [
            [row["title"][:50], row["suggestion"], f"{row['probability']:.0%}", row["truth"]]
            for row in result["classifications"]
        ]
        self.stdout.write(
            format_table(
                title="Ten books without a category",
                columns=["title", "suggested", "probability", "true category"],
                rows=classifications,
            )
        )
        recommendations = [
            [row["borrower"], row["title"][:40], row["reason"][:60]] for row in result["recommendations"]
        ]
        self.stdout.write(
            format_table(
                title="The first recommendation of ten borrowers",
                columns=["borrower", "title", "reason"],
                rows=recommendations,
            )
        )
        login = f"Admin: {result['admin']}  user {result['username']}"
        if result["password"]:
            self.stdout.write(f"{login}  password {result['password']}")
        else:
            self.stdout.write(login)
            self.stdout.write(
                "The demo user exists and keeps its password. Set a new one with manage.py changepassword "
                f"{result['username']}."
            )
