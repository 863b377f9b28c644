"""``manage.py promote``: make a version the one that classifies."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from library.console import Command as BaseCommand
from library.console import Progress


class Command(BaseCommand):
    help = (
        "Make a version of the model the one that classifies, whatever its gate says. It counts at once, in "
        "every process. `manage.py rollback` takes it back."
    )
    example = "manage.py promote 20260131-120000-ab12"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="VERSION", help="name of the version")
        super().add_arguments(parser)

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        from classifier.services.registry.promotion import promote
        from classifier.services.registry.versions import version_named

        version = promote(version=version_named(options["name"]), now=timezone.now())
        return {
            "version": version.name,
            "replaced": version.previous.name if version.previous else None,
            "passed": version.verdict.get("passed"),
            "reasons": version.reasons,
        }

    def show(self, result: dict[str, Any]) -> None:
        self.stdout.write(f"{result['version']} classifies from now on.")
        for reason in result["reasons"]:
            self.stdout.write(reason)
