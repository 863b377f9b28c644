"""Borrowers, their categories, and the search terms and key canary that go with encrypted data."""

from django.core.validators import validate_email
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from library.people.encryption import blind_index
from library.people.encryption.fields import EncryptedTextField

#: Fields encrypted at rest. Lists that show none of them defer them.
PERSONAL_FIELDS = ("name", "email", "phone", "address")


class BorrowerCategory(models.Model):
    """A group of borrowers with its own loan policies, such as children or staff."""

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
        DEFAULT = "default", _("Library default")
        KEEP = "keep", _("Keep")
        ANONYMISE = "anonymise", _("Anonymise on return")

    card_number = models.CharField(_("card number"), max_length=100, unique=True)
    name = EncryptedTextField(pgettext_lazy("of a person", "name"), max_length=200, blank=True)
    email = EncryptedTextField(_("email"), max_length=254, blank=True, validators=[validate_email])
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
        _("block reason"),
        max_length=200,
        blank=True,
        help_text=_("Leave blank if not blocked."),
    )
    retention = models.CharField(
        _("borrowing history"),
        max_length=10,
        choices=Retention,
        default=Retention.DEFAULT,
        db_default=Retention.DEFAULT,
        help_text=_("How long the library keeps this borrower’s borrowing history."),
    )
    excluded_from_statistics = models.BooleanField(
        _("exclude from statistics and recommendations"),
        default=False,
        db_default=False,
        help_text=_(
            "If selected, this borrower’s loans are not used for training or recommendations, "
            "and no recommendations are created for this borrower."
        ),
    )

    #: True once a loan has been anonymised: later ones no longer count as co-borrowed (see circulation).
    has_anonymised_loans = models.BooleanField(
        _("has anonymised loans"), default=False, db_default=False, editable=False
    )

    class Meta:
        verbose_name = _("borrower")
        verbose_name_plural = _("borrowers")
        ordering = ["card_number"]
        permissions = [("export_borrower", "Can export all that is kept of a borrower")]
        # Few rows, queried whenever titles are counted.
        indexes = [
            models.Index(
                fields=["id"],
                condition=models.Q(excluded_from_statistics=True),
                name="borrower_excluded",
            )
        ]

    def __str__(self) -> str:
        return self.card_number


class BorrowerTerm(models.Model):
    """A search term of a borrower as a keyed digest, written together with the borrower."""

    class Kind(models.TextChoices):
        CARD = blind_index.CARD, _("card number")
        EMAIL = blind_index.EMAIL, _("email")
        PHONE = blind_index.PHONE, _("phone")
        NAME = blind_index.NAME, _("name")

    borrower = models.ForeignKey(Borrower, models.CASCADE, related_name="terms", verbose_name=_("borrower"))
    kind = models.CharField(_("type"), max_length=5, choices=Kind)
    digest = models.CharField(_("digest"), max_length=blind_index.DIGEST_LENGTH)

    class Meta:
        verbose_name = _("borrower search term")
        verbose_name_plural = _("borrower search terms")
        constraints = [
            models.UniqueConstraint(fields=["borrower", "kind", "digest"], name="borrower_term_once"),
        ]
        # Includes the borrower, so that a search reads the index alone.
        indexes = [models.Index(fields=["digest", "borrower"], name="borrower_term_digest")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.digest}"


class KeyCanary(models.Model):
    """A known text encrypted with the keys in use: keys that cannot read it belong to another database."""

    KNOWN_TEXT = "canary"

    text = EncryptedTextField(_("text"), max_length=20, default=KNOWN_TEXT)
    digest = models.CharField(_("digest"), max_length=blind_index.DIGEST_LENGTH)

    class Meta:
        verbose_name = _("key check value")
        verbose_name_plural = _("key check values")
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="key_canary_only_one")]

    def __str__(self) -> str:
        return self.digest
