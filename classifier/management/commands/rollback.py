"""``manage.py rollback``: go back to the version before."""

from typing import Any

from django.utils import timezone

from library.console import Command as BaseCommand
from library.console import Progress


class Command(BaseCommand):
    help = (
        "Go back to the version that the active one replaced; a second time goes one further back. It counts "
        "at once, in every process."
    )
    example = "manage.py rollback"

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        from classifier.services.registry.promotion import rollback

        return {"version": rollback(now=timezone.now()).name}

    def show(self, result: dict[str, Any]) -> None:
        self.stdout.write(f"{result['version']} classifies from now on.")
