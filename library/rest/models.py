"""API tokens, and responses stored for repeated requests."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from library.rest.scopes import Scope


class ApiToken(models.Model):
    """A token that lets its bearer use the API as its user, within its scopes.

    Only a digest is stored. The token is long and random, so the digest needs no salt and reveals nothing.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_tokens", verbose_name=_("user")
    )
    name = models.CharField(
        _("name"),
        max_length=100,
        help_text=_("What the token is used for, for example the public catalogue."),
    )
    prefix = models.CharField(_("prefix"), max_length=12, editable=False)
    digest = models.CharField(_("digest"), max_length=64, unique=True, editable=False)
    scopes = models.JSONField(_("scopes"), default=list)
    created_at = models.DateTimeField(_("created at"), editable=False)
    expires_at = models.DateTimeField(_("expires at"))
    last_used_at = models.DateTimeField(
        _("last used at"), null=True, editable=False, help_text=_("Accurate to 10 minutes.")
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
        """The names of the scopes, for people."""
        return ", ".join(str(Scope(scope).label) for scope in self.scopes)


class IdempotencyRecord(models.Model):
    """The state of a POST with an Idempotency-Key, and its response once it has one.

    A response may name a borrower. It is encrypted with a secret derived from the client's key, which is not
    stored: neither the database nor the library's own keys decrypt it.
    """

    digest = models.CharField(_("digest"), max_length=64, unique=True)
    fingerprint = models.CharField(_("request digest"), max_length=64)
    #: Random; identifies the process that works on the request.
    holder = models.CharField(_("holder"), max_length=32)
    acquired_at = models.DateTimeField(_("acquired at"), db_index=True)
    response = models.TextField(_("encrypted response"), blank=True)

    class Meta:
        verbose_name = _("idempotency record")
        verbose_name_plural = _("idempotency records")
        default_permissions = ()

    def __str__(self) -> str:
        return self.digest
