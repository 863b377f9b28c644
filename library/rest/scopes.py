"""What a token may be used for: a short list, whatever its user may do beside."""

from django.conf import settings
from django.db.models import TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS


class Scope(TextChoices):
    CATALOGUE_READ = "catalogue:read", gettext_lazy("read the catalogue")
    CATALOGUE_WRITE = "catalogue:write", gettext_lazy("change the catalogue")
    CIRCULATION = "circulation", gettext_lazy("loans, holds, fines and notices")
    BORROWERS = "borrowers", gettext_lazy("borrowers and what is recommended to them")
    CLASSIFY = "classify", gettext_lazy("classify books")
    REVIEWS = "reviews", gettext_lazy("suggestions, reviews and reclassifications")
    MODELS = "models", gettext_lazy("model versions, runs and alarms")
    STATS = "stats", gettext_lazy("statistics")


#: In the place of a scope in the setting: any token will do.
ANY = ""
VERSION = "/api/v1/"


class MissingScope(PermissionDenied):
    """The token may not be used for this, whatever its user may do."""

    default_code = "missing_scope"

    def __init__(self, scope: str) -> None:
        super().__init__(_("The token lacks the scope %(scope)s.") % {"scope": scope})
        self.extra = {"scope": scope}
        # RFC 6750, 3.1
        self.auth_header = f'Bearer error="insufficient_scope", scope="{scope}"'


def scope_of(*, path: str, method: str) -> str | None:
    """Return the scope that a request takes.

    Parameters
    ----------
    path : str
        Such as ``/api/v1/books/1/``; what follows the version decides, by the setting ``API_SCOPES``.
    method : str

    Returns
    -------
    str or None
        ``""`` if any token will do, None if none will.
    """
    name = path.removeprefix(VERSION)
    if name == path:
        # The schema and its pages are anybody's.
        return ANY
    scope: str | None = settings.API_SCOPES.get(name.partition("/")[0])
    if scope == "catalogue":
        return Scope.CATALOGUE_READ if method in SAFE_METHODS else Scope.CATALOGUE_WRITE
    return scope
