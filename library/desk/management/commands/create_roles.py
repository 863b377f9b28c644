"""``manage.py create_roles``: make the group librarians."""

from typing import Any

from library.console import Command as BaseCommand
from library.console import Progress
from library.desk.roles import ensure_roles


class Command(BaseCommand):
    help = "Make the group 'librarians' with its permissions; run again, it adds what is missing."
    example = "manage.py create_roles"

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        group = ensure_roles()
        return {"group": group.name, "permissions": group.permissions.count()}
