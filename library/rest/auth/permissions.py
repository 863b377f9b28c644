"""Permissions for reading personal data. Writing uses Django's model permissions everywhere."""

from rest_framework.permissions import DjangoModelPermissions


class PersonalDataPermissions(DjangoModelPermissions):
    """Demand the view permission for reading, because loans show what a person reads.

    REST framework's own class lets every signed-in user read.
    """

    perms_map = {
        **DjangoModelPermissions.perms_map,
        "GET": ["%(app_label)s.view_%(model_name)s"],
        "HEAD": ["%(app_label)s.view_%(model_name)s"],
        "OPTIONS": ["%(app_label)s.view_%(model_name)s"],
    }
