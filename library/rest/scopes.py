"""Scopes of API tokens. They limit a token further than the permissions of its user."""

from django.conf import settings
from django.db.models import TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS


class Scope(TextChoices):
    CATALOGUE_READ = "catalogue:read", gettext_lazy("read the catalogue")
    CATALOGUE_WRITE = "catalogue:write", gettext_lazy("edit the catalogue")
    CIRCULATION = "circulation", gettext_lazy("loans, holds, fines and notices")
    BORROWERS = "borrowers", gettext_lazy("borrowers and their recommendations")
    CLASSIFY = "classify", gettext_lazy("classify books")
    REVIEWS = "reviews", gettext_lazy("suggestions, reviews and batches")
    MODELS = "models", gettext_lazy("model versions, jobs and alerts")
    STATS = "stats", gettext_lazy("statistics")


#: In the setting ``API_SCOPES`` in place of a scope: any token may be used.
ANY_TOKEN = ""
API_PREFIX = "/api/v1/"


class InsufficientScope(PermissionDenied):
    """The token lacks the scope of the endpoint, whatever the permissions of its user."""

    default_code = "insufficient_scope"

    def __init__(self, scope: str) -> None:
        super().__init__(_("The token does not have the scope %(scope)s.") % {"scope": scope})
        self.extra = {"scope": scope}
        # RFC 6750, 3.1
        self.auth_header = f'Bearer error="insufficient_scope", scope="{scope}"'


def required_scope(*, path: str, method: str) -> str | None:
    """Return the scope that a request requires.

    Parameters
    ----------
    path
        Such as ``/api/v1/books/1/``; ``API_SCOPES`` maps the segment after the version to a scope.

    Returns
    -------
    str or None
        ``""`` if any token may be used, None if none may.
    """
    name = path.removeprefix(API_PREFIX)
    if name == path:
        # The schema and its pages are public.
        return ANY_TOKEN
    scope: str | None = settings.API_SCOPES.get(name.partition("/")[0])
    if scope == "catalogue":
        return Scope.CATALOGUE_READ if method in SAFE_METHODS else Scope.CATALOGUE_WRITE
    return scope
