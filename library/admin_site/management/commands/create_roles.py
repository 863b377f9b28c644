"""``manage.py create_roles``: create the groups of the roles."""

from typing import Any

from library.admin_site.roles import ensure_roles
from library.console import Command as BaseCommand
from library.console import Progress, format_table


class Command(BaseCommand):
    help = (
        "Create the groups administrators, librarians, circulation desk, analysts and catalogue clients with "
        "their permissions (library/admin_site/ROLES.md). Run again, it adds missing permissions."
    )
    example = "manage.py create_roles"

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        return {role: group.permissions.count() for role, group in ensure_roles().items()}

    def show(self, result: dict[str, Any]) -> None:
        rows = [[role, str(permissions)] for role, permissions in result.items()]
        self.stdout.write(format_table(title="Roles", columns=["role", "permissions"], rows=rows))
