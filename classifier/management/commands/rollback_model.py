"""``manage.py rollback_model``: return to the previous version."""

from typing import Any

from django.utils import timezone

from library.console import Command as BaseCommand
from library.console import Progress


class Command(BaseCommand):
    help = (
        "Return to the version that the active one replaced; a second rollback returns to the one before. "
        "Takes effect at once, in every process."
    )
    example = "manage.py rollback_model"

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        from classifier.services.registry.promotion import rollback

        return {"version": rollback(now=timezone.now()).name}

    def show(self, result: dict[str, Any]) -> None:
        self.stdout.write(f"{result['version']} is now active.")
