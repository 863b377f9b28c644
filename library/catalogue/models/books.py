"""Books and their entries in the search index."""

from django.core.validators import FileExtensionValidator
from django.db import models
from django.db.models.functions import Left, Now
from django.utils.translation import gettext_lazy as _

from library.catalogue.models.categories import Category

#: Characters of a title in its index: so few titles share them that the database checks the rest quickly.
TITLE_PREFIX_LENGTH = 100


class Book(models.Model):
    """A title of the catalogue; a `Copy` is an item on the shelf."""

    class CategorySource(models.TextChoices):
        NONE = "none", _("none")
        IMPORTED = "imported", _("imported")
        LIBRARIAN = "librarian", _("librarian")
        MODEL = "model", _("model")

    control_number = models.CharField(_("control number"), max_length=100, unique=True)
    title = models.CharField(_("title"), max_length=1000)
    subtitle = models.CharField(_("subtitle"), max_length=1000, blank=True)
    authors = models.CharField(_("authors"), max_length=1000, blank=True)
    publisher = models.CharField(_("publisher"), max_length=500, blank=True)
    year = models.SmallIntegerField(_("year"), null=True, blank=True)
    language = models.CharField(_("language"), max_length=12, blank=True, db_index=True)
    isbn = models.CharField("ISBN", max_length=13, blank=True, db_index=True)
    description = models.TextField(_("description"), blank=True)
    cover = models.ImageField(_("cover"), upload_to="covers/", blank=True)
    audio = models.FileField(
        _("audio"),
        upload_to="audio/",
        blank=True,
        validators=[FileExtensionValidator(["wav", "flac", "ogg"])],
        help_text=_("Audiobook sample or spoken description: WAV, FLAC or OGG, up to 50 MB."),
    )
    category = models.ForeignKey(
        Category,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="books",
        limit_choices_to=Category.OPEN,
        verbose_name=_("category"),
    )
    category_source = models.CharField(
        _("category source"), max_length=10, choices=CategorySource, default=CategorySource.NONE
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("book")
        verbose_name_plural = _("books")
        ordering = ["control_number"]
        # These serve "oldest first" and "other editions of a work" without reading descriptions.
        indexes = [
            models.Index(fields=["created_at", "id"], name="book_created"),
            # A prefix: PostgreSQL refuses index entries of more than 2,700 bytes.
            models.Index(Left("title", TITLE_PREFIX_LENGTH), name="book_title_start"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(category__isnull=True, category_source="none")
                | (models.Q(category__isnull=False) & ~models.Q(category_source="none")),
                name="book_category_has_source",
                violation_error_message=_("Set a category and its source together, or neither."),
            )
        ]

    def __str__(self) -> str:
        return self.title


class SearchEntry(models.Model):
    """The search index entry of a book, read and written by `library.catalogue.search` alone.

    The other columns depend on the database. The database deletes an entry together with its book.
    """

    book = models.OneToOneField(
        Book,
        models.DO_NOTHING,
        primary_key=True,
        related_name="+",
        db_column="rowid",
        verbose_name=_("book"),
    )

    class Meta:
        verbose_name = _("search index entry")
        verbose_name_plural = _("search index entries")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.book_id}"
