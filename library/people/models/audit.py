"""The audit log: who read or changed which borrower or loan."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class AuditEntry(models.Model):
    """One read or one change. Database triggers refuse every update, and deletion within 180 days.

    Entries name records by key only: data deleted elsewhere must not survive here. The user is stored as
    text, so an entry outlives the account.
    """

    class Action(models.TextChoices):
        VIEWED = "viewed", _("viewed")
        SEARCHED = "searched", _("searched")
        CHANGED = "changed", _("changed")
        EXPORTED = "exported", _("exported")
        LOGIN = "login", _("signed in")
        REFUSED = "refused", _("access denied")

    created_at = models.DateTimeField(_("time"), db_index=True)
    user_key = models.CharField(_("user ID"), max_length=40, blank=True)
    user_name = models.CharField(_("user"), max_length=150, blank=True, db_index=True)
    action = models.CharField(_("action"), max_length=10, choices=Action)
    object_type = models.CharField(
        _("record type"), max_length=100, blank=True, help_text=_("For example, people.borrower.")
    )
    object_key = models.CharField(_("record ID"), max_length=40, blank=True)
    path = models.CharField(_("path"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("audit log entry")
        verbose_name_plural = _("audit log")
        ordering = ["-created_at", "-id"]
        # Nobody adds, changes or deletes an entry by hand, so there is no permission for it.
        default_permissions = ("view",)
        indexes = [models.Index(fields=["object_key", "object_type"], name="audit_object")]

    def __str__(self) -> str:
        return f"{self.user_name} {self.action} {self.object_type} {self.object_key}".strip()

    @property
    def record_keys(self) -> list[str]:
        """The keys of the records listed, in the order shown."""
        return [record.key for record in self.records.all()]


class AuditedRecord(models.Model):
    """One record in a list that an audit entry is about.

    The same triggers protect it: no update, and no deletion while its entry is younger than 180 days.
    """

    # Not CASCADE: Django would load every entry to delete it. `prune_audit` deletes the records first.
    entry = models.ForeignKey(
        AuditEntry,
        models.DO_NOTHING,
        db_index=False,  # the unique constraint is its index
        related_name="records",
        verbose_name=_("audit log entry"),
    )
    key = models.CharField(_("record ID"), max_length=40)

    class Meta:
        verbose_name = _("audited record")
        verbose_name_plural = _("audited records")
        ordering = ["id"]
        # Records are shown with their entry, so they need no permission of their own.
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["entry", "key"], name="audited_record_once")]
        # With the entry, so that a search by key reads the index alone.
        indexes = [models.Index(fields=["key", "entry"], name="audited_record_key")]

    def __str__(self) -> str:
        return self.key
