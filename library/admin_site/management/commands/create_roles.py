"""``manage.py create_roles``: create the groups of the roles."""

from typing import Any

from library.admin_site.roles import ensure_roles
from library.console import Command as BaseCommand
from library.console import Progress


class Command(BaseCommand):
    help = (
        "Create the groups administrators, librarians, circulation desk, analysts and catalogue clients with "
        "their permissions (library/admin_site/ROLES.md). Run again, it adds missing permissions."
    )
    example = "manage.py create_roles"

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        return {role: group.permissions.count() for role, group in ensure_roles().items()}
