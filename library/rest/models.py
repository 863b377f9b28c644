"""The rows of the API itself: the tokens of its clients."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from library.rest.scopes import Scope


class ApiToken(models.Model):
    """A token as the library keeps it: who has it may use the API as its user, within its scopes.

    The token itself is random and long, so that its digest needs no salt and tells nothing of it.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_tokens", verbose_name=_("user")
    )
    name = models.CharField(
        _("name"), max_length=100, help_text=_("What it is for, such as the catalogue’s pages.")
    )
    prefix = models.CharField(_("starts with"), max_length=12, editable=False)
    digest = models.CharField(_("digest"), max_length=64, unique=True, editable=False)
    scopes = models.JSONField(_("scopes"), default=list)
    created_at = models.DateTimeField(_("made at"), editable=False)
    expires_at = models.DateTimeField(_("expires at"))
    last_used_at = models.DateTimeField(
        _("last used at"), null=True, editable=False, help_text=_("To within ten minutes.")
    )

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        ordering = ["-created_at", "-id"]
        default_permissions = ("view", "add", "delete")

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def scope_names(self) -> str:
        """What it may be used for, in words."""
        return ", ".join(str(Scope(scope).label) for scope in self.scopes)


class KeptAnswer(models.Model):
    """What a POST with an Idempotency-Key was answered, for when it is sent again.

    An answer may name a borrower. It can be read with the client's key alone, which is not kept: neither who
    has the database nor who has the library's own keys can open it.
    """

    digest = models.CharField(_("digest"), max_length=64, unique=True)
    fingerprint = models.CharField(_("digest of the request"), max_length=64)
    claim = models.CharField(_("claim"), max_length=32)
    claimed_at = models.DateTimeField(_("claimed at"), db_index=True)
    answer = models.TextField(_("encrypted answer"), blank=True)

    class Meta:
        verbose_name = _("kept answer")
        verbose_name_plural = _("kept answers")
        default_permissions = ()

    def __str__(self) -> str:
        return self.digest
