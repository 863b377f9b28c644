"""``manage.py promote_model``: make a version the active one."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from library.console import Command as BaseCommand
from library.console import Progress


class Command(BaseCommand):
    help = (
        "Make a model version the active one, even if it did not pass the quality check. Takes effect at "
        "once, in every process. Undo it with manage.py rollback_model."
    )
    example = "manage.py promote_model 20260131-120000-ab12"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="VERSION", help="name of the version")
        super().add_arguments(parser)

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        from classifier.services.registry.promotion import promote
        from classifier.services.registry.versions import version_by_name

        version = promote(version=version_by_name(options["name"]), now=timezone.now())
        return {
            "version": version.name,
            "replaced": version.previous.name if version.previous else None,
            "passed": version.verdict.get("passed"),
            "reasons": version.reasons,
        }

    def show(self, result: dict[str, Any]) -> None:
        self.stdout.write(f"{result['version']} is now active.")
        for reason in result["reasons"]:
            self.stdout.write(reason)
