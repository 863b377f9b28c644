"""The roles a library starts with, kept as Django groups so that the admin can change them."""

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.utils.translation import gettext as _

from library.errors import LibraryError

LIBRARIANS = "librarians"

# Suggestions and recommendations can be deleted because deleting a book or a borrower takes theirs along.
LIBRARIAN_PERMISSIONS = {
    "catalogue.category": ("view", "add", "change", "delete"),
    "catalogue.book": ("view", "add", "change", "delete"),
    "catalogue.copy": ("view", "add", "change", "delete"),
    "catalogue.branch": ("view", "add", "change", "delete"),
    "catalogue.itemtype": ("view", "add", "change", "delete"),
    "people.borrower": ("view", "add", "change", "delete"),
    "circulation.loan": ("view", "add", "change", "delete"),
    "circulation.hold": ("view", "add", "change"),
    "circulation.fineentry": ("view", "add"),
    "circulation.loanevent": ("view",),
    "circulation.loanpolicy": ("view", "add", "change", "delete"),
    "circulation.closedday": ("view", "add", "change", "delete"),
    "classifier.suggestion": ("view", "delete"),
    "classifier.recommendation": ("view", "delete"),
    "classifier.modelversion": ("view",),
}


class RolesError(LibraryError):
    """The permissions that the roles are made of are not there."""


def ensure_roles() -> Group:
    """Make the librarians' group, or give an existing one the permissions it lacks.

    Returns
    -------
    Group
        The librarians; permissions that were added by hand are kept.

    Raises
    ------
    RolesError
        If a permission is missing because the database was not migrated.
    """
    with transaction.atomic():
        group, _created = Group.objects.get_or_create(name=LIBRARIANS)
        for label, actions in LIBRARIAN_PERMISSIONS.items():
            app_label, model = label.split(".")
            codenames = [f"{action}_{model}" for action in actions]
            permissions = Permission.objects.filter(content_type__app_label=app_label, codename__in=codenames)
            if len(permissions) != len(codenames):
                raise RolesError(
                    _("The permissions of %(model)s are missing. Run: manage.py migrate") % {"model": label},
                    model=label,
                )
            group.permissions.add(*permissions)
    return group
