"""The audit log: who looked up or changed which borrower or loan."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class AuditEntry(models.Model):
    """One look or one change, never altered afterwards, and kept for 180 days at least.

    Triggers of the database see to that.

    It names objects by their key only: what is forgotten elsewhere must not live on here. The person is
    kept as text, so that an entry outlives the account.
    """

    class Action(models.TextChoices):
        VIEWED = "viewed", _("viewed")
        SEARCHED = "searched", _("searched")
        CHANGED = "changed", _("changed")
        EXPORTED = "exported", _("exported")
        LOGIN = "login", _("signed in")
        REFUSED = "refused", _("refused")

    at = models.DateTimeField(_("time"), db_index=True)
    user_key = models.CharField(_("user key"), max_length=40, blank=True)
    user_name = models.CharField(_("user"), max_length=150, blank=True, db_index=True)
    action = models.CharField(_("action"), max_length=10, choices=Action)
    object_type = models.CharField(
        _("kind of record"), max_length=100, blank=True, help_text=_("Such as people.borrower.")
    )
    object_key = models.CharField(_("record"), max_length=40, blank=True)
    listed = models.TextField(
        _("records listed"),
        blank=True,
        help_text=_("The keys of the records that a list showed, with spaces around each."),
    )
    path = models.CharField(_("address"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")
        ordering = ["-at", "-id"]
        # Nobody adds, changes or deletes an entry by hand, so there is no permission for it.
        default_permissions = ("view",)
        indexes = [models.Index(fields=["object_type", "object_key"], name="audit_object")]

    def __str__(self) -> str:
        return f"{self.user_name} {self.action} {self.object_type} {self.object_key}".strip()
