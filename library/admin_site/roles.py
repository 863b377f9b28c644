"""The initial roles of a library, stored as Django groups that administrators can change.

`MATRIX` is the single source of the permissions. Tests compare ROLES.md and every URL of the site with it.
"""

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.utils.translation import gettext as _

from library.errors import LibraryError

ADMINISTRATORS = "administrators"
LIBRARIANS = "librarians"
CIRCULATION = "circulation desk"
ANALYSTS = "analysts"
CLIENTS = "catalogue clients"
ROLES = (ADMINISTRATORS, LIBRARIANS, CIRCULATION, ANALYSTS, CLIENTS)

#: View, Add, Change, Delete, and eXport all data about a borrower.
_ACTIONS = {"V": "view", "A": "add", "C": "change", "D": "delete", "X": "export"}

# One row for each model, one column for each role in the order of ROLES. Loans, recommendations and feedback
# show what a person reads, so they need the same protection as the borrower. ROLES.md explains what the
# actions mean for models that are not edited directly. Suggestions, reviews, changes, possible misfiles,
# recommendations and notices can be deleted because deleting a book, a borrower or a loan deletes them too.
MATRIX: dict[str, tuple[str, str, str, str, str]] = {
    "catalogue.category": ("VACD", "VACD", "V", "V", "V"),
    "catalogue.taxonomychange": ("V", "V", "", "V", ""),
    "catalogue.book": ("VACD", "VACD", "V", "V", "V"),
    "catalogue.copy": ("VACD", "VACD", "V", "V", "V"),
    "catalogue.branch": ("VACD", "VACD", "V", "V", "V"),
    "catalogue.itemtype": ("VACD", "VACD", "V", "V", "V"),
    "people.borrower": ("VACDX", "VACDX", "VAC", "", ""),
    "people.borrowercategory": ("VACD", "VACD", "V", "V", ""),
    "circulation.loan": ("VACD", "VACD", "VAC", "", ""),
    "circulation.overdueloan": ("V", "V", "V", "", ""),
    "circulation.hold": ("VAC", "VAC", "VAC", "", ""),
    "circulation.fineentry": ("VA", "VA", "VA", "", ""),
    "circulation.notice": ("VCD", "VCD", "VC", "", ""),
    "circulation.loanevent": ("V", "V", "", "", ""),
    "circulation.loanpolicy": ("VACD", "VACD", "V", "V", ""),
    "circulation.closedday": ("VACD", "VACD", "V", "V", ""),
    "analytics.statistics": ("V", "V", "", "V", ""),
    "analytics.scheduledreport": ("VACD", "VACD", "", "V", ""),
    "classifier.suggestion": ("VD", "VD", "", "V", ""),
    "classifier.batch": ("VC", "VC", "", "V", ""),
    "classifier.change": ("VD", "VD", "", "V", ""),
    "classifier.misfiled": ("VCD", "VCD", "", "V", ""),
    "classifier.recommendation": ("VD", "VD", "", "", ""),
    "classifier.feedback": ("VAD", "VAD", "", "", ""),
    "classifier.review": ("VAD", "VAD", "", "", ""),
    "classifier.modelversion": ("VC", "VC", "", "V", ""),
    "classifier.alert": ("V", "V", "", "V", ""),
    "classifier.driftreport": ("V", "V", "", "V", ""),
    "classifier.run": ("VAC", "VAC", "", "V", ""),
    "people.auditentry": ("V", "", "", "", ""),
    "auth.user": ("VACD", "", "", "", ""),
    "auth.group": ("VACD", "", "", "", ""),
    "rest.apitoken": ("VAD", "", "", "", ""),
    "axes.accessattempt": ("VD", "", "", "", ""),
    "django_celery_beat.periodictask": ("VACD", "", "", "", ""),
    "django_celery_beat.intervalschedule": ("VACD", "", "", "", ""),
    "django_celery_beat.crontabschedule": ("VACD", "", "", "", ""),
    "django_celery_beat.clockedschedule": ("VACD", "", "", "", ""),
    "django_celery_beat.solarschedule": ("VACD", "", "", "", ""),
}


class RolesError(LibraryError):
    """A permission that a role needs does not exist."""


def permissions_of(*, role: str) -> dict[str, set[str]]:
    """Return the permissions of a role by model.

    Returns
    -------
    dict
        Codenames such as ``view_book`` by model labels such as ``catalogue.book``, without models that the
        role has no permission for.
    """
    column = ROLES.index(role)
    return {
        label: {f"{_ACTIONS[letter]}_{label.partition('.')[2]}" for letter in row[column]}
        for label, row in MATRIX.items()
        if row[column]
    }


@transaction.atomic
def ensure_roles() -> dict[str, Group]:
    """Create the groups of the roles, or add missing permissions to existing ones.

    Permissions that an administrator has added stay.

    Raises
    ------
    RolesError
        If a permission does not exist because the database is not migrated.
    """
    existing = {
        (app_label, codename): pk
        for pk, app_label, codename in Permission.objects.values_list(
            "pk", "content_type__app_label", "codename"
        )
    }
    groups = {}
    for role in ROLES:
        groups[role], _created = Group.objects.get_or_create(name=role)
        wanted = []
        for label, codenames in permissions_of(role=role).items():
            app_label = label.partition(".")[0]
            if any((app_label, codename) not in existing for codename in codenames):
                raise RolesError(
                    _("Permissions for %(model)s are missing. Run: manage.py migrate") % {"model": label},
                    model=label,
                )
            wanted += [existing[app_label, codename] for codename in codenames]
        groups[role].permissions.add(*wanted)
    return groups
