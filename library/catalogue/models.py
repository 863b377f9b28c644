"""Books, their copies and the categories they are filed under."""

from django.conf import settings
from django.core.validators import FileExtensionValidator
from django.db import models
from django.db.models.functions import Left, Now
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

#: So many letters of a title find the few with all of them.
TITLE_START = 100


class Category(models.Model):
    """A class of a classification scheme (DDC, 中图法, or the library's own).

    One that is given up keeps its row and its key, for whoever has noted them; only taxonomy changes
    (`library.catalogue.services.taxonomy.changes`) retire and reopen one, and then no book is filed under it.
    """

    #: Of a foreign key: only these can be chosen.
    OPEN = {"retired_at__isnull": True}

    scheme = models.CharField(_("scheme"), max_length=40, default="local")
    notation = models.CharField(_("notation"), max_length=200)
    label_en = models.CharField(_("English label"), max_length=200, blank=True)
    label_zh = models.CharField(_("Chinese label"), max_length=200, blank=True)
    parent = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="children",
        limit_choices_to=OPEN,
        verbose_name=_("parent"),
    )
    retired_at = models.DateTimeField(_("retired at"), null=True, blank=True, editable=False)
    #: What its books are filed under instead; that one may be retired too by now.
    replaced_by = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("replaced by"),
    )

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        ordering = ["scheme", "notation"]
        constraints = [
            models.UniqueConstraint(fields=["scheme", "notation"], name="category_scheme_notation"),
            models.CheckConstraint(
                condition=~models.Q(parent=models.F("id")),
                name="category_not_own_parent",
                violation_error_message=_("A category cannot be its own parent."),
            ),
            models.CheckConstraint(
                condition=models.Q(replaced_by=None)
                | (models.Q(retired_at__isnull=False) & ~models.Q(replaced_by=models.F("id"))),
                name="category_replaced_is_retired",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.notation} {self.label}".strip()

    @property
    def label(self) -> str:
        """Its name in the reader's language, or in the other where it has none there."""
        if (get_language() or "").startswith("zh"):
            return self.label_zh or self.label_en
        return self.label_en or self.label_zh


class Book(models.Model):
    """A title of the catalogue; what stands on the shelf is a `Copy`."""

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
        help_text=_("A sample of the audiobook or a spoken description: WAV, FLAC or OGG, 50 MB at most."),
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
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("book")
        verbose_name_plural = _("books")
        ordering = ["control_number"]
        # Without reading descriptions: what has been there longest, and other editions of a work.
        indexes = [
            models.Index(fields=["created_at", "id"], name="book_created"),
            # Not the whole: PostgreSQL keeps nothing in an index that has more than 2,700 bytes.
            models.Index(Left("title", TITLE_START), name="book_title_start"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(category__isnull=True, category_source="none")
                | (models.Q(category__isnull=False) & ~models.Q(category_source="none")),
                name="book_category_has_source",
                violation_error_message=_("A category needs a source, and a source a category."),
            )
        ]

    def __str__(self) -> str:
        return self.title


class SearchEntry(models.Model):
    """What a book is found by: see `library.catalogue.search`, which alone reads and writes it.

    The kind of database decides what else the table has. It goes with its book, by the database's own means.
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
        verbose_name = _("search entry")
        verbose_name_plural = _("search entries")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.book_id}"


class Branch(models.Model):
    """A place of the library that lends."""

    code = models.SlugField(_("code"), unique=True)
    name = models.CharField(_("name"), max_length=200)

    class Meta:
        verbose_name = _("branch")
        verbose_name_plural = _("branches")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name


class ItemType(models.Model):
    """A kind of copy that is lent by rules of its own: a reference work, a new film."""

    code = models.SlugField(_("code"), unique=True)
    name = models.CharField(_("name"), max_length=200)

    class Meta:
        verbose_name = _("item type")
        verbose_name_plural = _("item types")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name


class Copy(models.Model):
    """One physical (or licensed) copy of a book.

    Where it is and how often it was out is written by circulation alone.
    """

    class Status(models.TextChoices):
        AVAILABLE = "available", _("available")
        ON_LOAN = "on_loan", _("on loan")
        ON_HOLD_SHELF = "on_hold_shelf", _("on hold shelf")
        IN_TRANSIT = "in_transit", _("in transit")
        LOST = "lost", _("lost")
        WITHDRAWN = "withdrawn", _("withdrawn")

    #: What will not come back to the shelves by itself.
    GONE = (Status.LOST, Status.WITHDRAWN)

    barcode = models.CharField(_("barcode"), max_length=100, unique=True)
    book = models.ForeignKey(Book, models.CASCADE, related_name="copies", verbose_name=_("book"))
    branch = models.ForeignKey(
        Branch, models.PROTECT, null=True, blank=True, related_name="copies", verbose_name=_("branch")
    )
    item_type = models.ForeignKey(
        ItemType, models.PROTECT, null=True, blank=True, related_name="copies", verbose_name=_("item type")
    )
    shelf_location = models.CharField(_("shelf location"), max_length=100, blank=True)
    call_number = models.CharField(_("call number"), max_length=100, blank=True)
    status = models.CharField(
        _("status"), max_length=20, choices=Status, default=Status.AVAILABLE, db_default=Status.AVAILABLE
    )
    last_seen_at = models.DateTimeField(_("last seen"), null=True, blank=True, editable=False)
    checkouts = models.PositiveIntegerField(_("checkouts"), default=0, db_default=0, editable=False)
    renewals = models.PositiveIntegerField(_("renewals"), default=0, db_default=0, editable=False)

    class Meta:
        verbose_name = _("copy")
        verbose_name_plural = _("copies")
        ordering = ["barcode"]
        # The order of the shelves.
        indexes = [models.Index(fields=["shelf_location", "call_number", "barcode"], name="copy_shelf")]

    def __str__(self) -> str:
        return self.barcode


class TaxonomyChange(models.Model):
    """Categories that were merged, split, retired or moved, and all that it takes to undo that."""

    class Kind(models.TextChoices):
        MERGE = "merge", _("merge")
        SPLIT = "split", _("split")
        RETIRE = "retire", _("retire")
        MOVE = "move", _("move")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    #: What it is about; of a merge, the category that stays.
    category = models.ForeignKey(Category, models.PROTECT, related_name="+", verbose_name=_("category"))
    #: From what to what, as the categories were called then.
    words = models.CharField(_("what was done"), max_length=1000, blank=True)
    #: What was asked for, see `library.catalogue.services.taxonomy.requests`.
    parameters = models.JSONField(_("parameters"))
    #: The categories that it changed, each as it was: id, parent_id, retired_at, replaced_by_id.
    before = models.JSONField(_("categories before"), default=list)
    #: Keys of the categories that a split made.
    made = models.JSONField(_("categories made"), default=list)
    books = models.PositiveIntegerField(_("books moved"), default=0)
    undecided = models.PositiveIntegerField(_("books undecided"), default=0)
    made_at = models.DateTimeField(_("made at"))
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("made by"),
    )
    undone_at = models.DateTimeField(_("undone at"), null=True, blank=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("undone by"),
    )
    #: Books that stayed when it was undone: filed otherwise since.
    kept = models.PositiveIntegerField(_("books that stayed"), default=0)

    class Meta:
        verbose_name = _("taxonomy change")
        verbose_name_plural = _("taxonomy changes")
        ordering = ["-id"]

    def __str__(self) -> str:
        return _("Taxonomy change %s") % self.pk


class RefiledBook(models.Model):
    """How a taxonomy change found a book and left it."""

    change = models.ForeignKey(
        TaxonomyChange, models.CASCADE, related_name="refiled", verbose_name=_("taxonomy change")
    )
    book = models.ForeignKey(Book, models.CASCADE, related_name="+", verbose_name=_("book"))
    from_category = models.ForeignKey(
        Category, models.PROTECT, related_name="+", verbose_name=_("from category")
    )
    from_source = models.CharField(_("source before"), max_length=10, choices=Book.CategorySource)
    to_category = models.ForeignKey(
        Category, models.PROTECT, null=True, related_name="+", verbose_name=_("to category")
    )
    to_source = models.CharField(_("category source"), max_length=10, choices=Book.CategorySource)

    class Meta:
        verbose_name = _("refiled book")
        verbose_name_plural = _("refiled books")
        ordering = ["change", "book"]
        constraints = [models.UniqueConstraint(fields=["change", "book"], name="refiled_once_a_change")]

    def __str__(self) -> str:
        return f"{self.book}: {self.from_category} → {self.to_category or '-'}"
