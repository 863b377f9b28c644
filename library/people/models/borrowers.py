"""The people who borrow."""

from django.core.validators import validate_email
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from library.people.encryption import blind_index
from library.people.encryption.fields import EncryptedTextField

#: What is known of the person, encrypted at rest; lists that show none of it defer it.
PERSONAL_FIELDS = ("name", "email", "phone", "address")


class BorrowerCategory(models.Model):
    """Borrowers whom the library lends to by rules of their own: children, staff."""

    code = models.SlugField(_("code"), unique=True)
    name = models.CharField(_("name"), max_length=200)

    class Meta:
        verbose_name = _("borrower category")
        verbose_name_plural = _("borrower categories")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name


class Borrower(models.Model):
    """A person with a library card."""

    class Retention(models.TextChoices):
        DEFAULT = "default", _("as the library does")
        KEEP = "keep", _("keep")
        FORGET = "forget", _("forget at return")

    card_number = models.CharField(_("card number"), max_length=100, unique=True)
    name = EncryptedTextField(pgettext_lazy("of a person", "name"), max_length=200, blank=True)
    email = EncryptedTextField(_("e-mail"), max_length=254, blank=True, validators=[validate_email])
    phone = EncryptedTextField(_("phone"), max_length=50, blank=True)
    address = EncryptedTextField(_("address"), max_length=1000, blank=True)
    category = models.ForeignKey(
        BorrowerCategory,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="borrowers",
        verbose_name=_("borrower category"),
    )
    blocked = models.CharField(
        _("blocked"),
        max_length=200,
        blank=True,
        help_text=_("Why this borrower may not borrow now; empty if the borrower may."),
    )
    retention = models.CharField(
        _("borrowing history"),
        max_length=10,
        choices=Retention,
        default=Retention.DEFAULT,
        db_default=Retention.DEFAULT,
        help_text=_("How long the library remembers what this borrower has read."),
    )
    left_out = models.BooleanField(
        _("left out of statistics"),
        default=False,
        db_default=False,
        help_text=_(
            "If so, this borrower's loans count for nothing that is learned or recommended, and no "
            "recommendations are made for this borrower."
        ),
    )

    #: Whether a loan was forgotten already: later ones count for no pair of titles (circulation's matter).
    has_forgotten = models.BooleanField(
        _("in part forgotten"), default=False, db_default=False, editable=False
    )

    class Meta:
        verbose_name = _("borrower")
        verbose_name_plural = _("borrowers")
        ordering = ["card_number"]
        permissions = [("export_borrower", "Can export all that is kept of a borrower")]
        # Few, and asked for whenever titles are counted.
        indexes = [models.Index(fields=["id"], condition=models.Q(left_out=True), name="borrower_left_out")]

    def __str__(self) -> str:
        return self.card_number


class BorrowerTerm(models.Model):
    """One word that a borrower is found by, as a keyed digest; written with the borrower."""

    class Kind(models.TextChoices):
        CARD = blind_index.CARD, _("card number")
        EMAIL = blind_index.EMAIL, _("e-mail")
        PHONE = blind_index.PHONE, _("phone")
        NAME = blind_index.NAME, _("name")

    borrower = models.ForeignKey(Borrower, models.CASCADE, related_name="terms", verbose_name=_("borrower"))
    kind = models.CharField(_("kind"), max_length=5, choices=Kind)
    digest = models.CharField(_("digest"), max_length=blind_index.DIGEST_LENGTH)

    class Meta:
        verbose_name = _("search term of a borrower")
        verbose_name_plural = _("search terms of borrowers")
        constraints = [
            models.UniqueConstraint(fields=["borrower", "kind", "digest"], name="borrower_term_once"),
        ]
        # With the borrower, so that a search reads the index alone.
        indexes = [models.Index(fields=["digest", "borrower"], name="borrower_term_digest")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.digest}"


class KeyCanary(models.Model):
    """A known text under the keys in use: keys that cannot read it are not this database's keys."""

    KNOWN_TEXT = "canary"

    text = EncryptedTextField(_("text"), max_length=20, default=KNOWN_TEXT)
    digest = models.CharField(_("digest"), max_length=blind_index.DIGEST_LENGTH)

    class Meta:
        verbose_name = _("key canary")
        verbose_name_plural = _("key canaries")
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="key_canary_only_one")]

    def __str__(self) -> str:
        return self.digest
