"""The roles a library starts with, kept as Django groups so that the admin can change them.

`MATRIX` is the one place that says who may do what; ROLES.md beside this file shows it to people, and the
tests hold both, and every address of the site, against it.
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

#: As in a table: View, Add, Change, Delete, and eXport all that is kept of a borrower.
_ACTIONS = {"V": "view", "A": "add", "C": "change", "D": "delete", "X": "export"}

# One row a model, one column a role, in the order of ROLES. Only those who need it see borrowers' names:
# loans, recommendations and feedback say what a person reads, so they follow the borrower.
# To add a run is to start it, to change one is to cancel it; to change a model version is to promote it, to
# roll back and to pin; to add a review is to judge a suggestion; to change a reclassification is to undo it,
# to change a possibly misfiled book is to say that it is right; to add feedback is to give it for a borrower,
# to delete it is to withdraw it. Who may change categories makes and undoes taxonomy changes.
# Suggestions, reviews, changes, possibly misfiled books, recommendations and notices can be deleted because
# deleting a book, a borrower or a loan takes theirs along.
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
    "classifier.reclassification": ("VC", "VC", "", "V", ""),
    "classifier.change": ("VD", "VD", "", "V", ""),
    "classifier.misfiled": ("VCD", "VCD", "", "V", ""),
    "classifier.recommendation": ("VD", "VD", "", "", ""),
    "classifier.feedback": ("VAD", "VAD", "", "", ""),
    "classifier.review": ("VAD", "VAD", "", "", ""),
    "classifier.modelversion": ("VC", "VC", "", "V", ""),
    "classifier.alarm": ("V", "V", "", "V", ""),
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
    """The permissions that the roles are made of are not there."""


def permissions_of(*, role: str) -> dict[str, set[str]]:
    """Return what a role may do, by model.

    Parameters
    ----------
    role : str
        One of `ROLES`.

    Returns
    -------
    dict
        Codenames such as ``view_book`` by labels such as ``catalogue.book``; models of which the role may
        do nothing are left out.
    """
    column = ROLES.index(role)
    return {
        label: {f"{_ACTIONS[letter]}_{label.partition('.')[2]}" for letter in row[column]}
        for label, row in MATRIX.items()
        if row[column]
    }


@transaction.atomic
def ensure_roles() -> dict[str, Group]:
    """Make the groups of the roles, or give existing ones the permissions they lack.

    Returns
    -------
    dict
        The groups by role; permissions that were added by hand are kept.

    Raises
    ------
    RolesError
        If a permission is missing because the database was not migrated.
    """
    known = {
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
            if any((app_label, codename) not in known for codename in codenames):
                raise RolesError(
                    _("The permissions of %(model)s are missing. Run: manage.py migrate") % {"model": label},
                    model=label,
                )
            wanted += [known[app_label, codename] for codename in codenames]
        groups[role].permissions.add(*wanted)
    return groups
