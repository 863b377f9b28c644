"""Copies of books, with the branches and item types that circulation rules name."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from library.catalogue.models.books import Book


class Branch(models.Model):
    """A branch of the library that lends copies."""

    code = models.SlugField(_("code"), unique=True)
    name = models.CharField(_("name"), max_length=200)

    class Meta:
        verbose_name = _("branch")
        verbose_name_plural = _("branches")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name


class ItemType(models.Model):
    """A kind of copy with loan rules of its own, such as a reference work or a new film."""

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

    Only circulation writes its status and its numbers of checkouts and renewals.
    """

    class Status(models.TextChoices):
        AVAILABLE = "available", _("available")
        ON_LOAN = "on_loan", _("on loan")
        ON_HOLD_SHELF = "on_hold_shelf", _("on hold shelf")
        IN_TRANSIT = "in_transit", _("in transit")
        LOST = "lost", _("lost")
        WITHDRAWN = "withdrawn", _("withdrawn")

    #: Statuses of copies that are no longer held.
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
        # Shelf order.
        indexes = [models.Index(fields=["shelf_location", "call_number", "barcode"], name="copy_shelf")]

    def __str__(self) -> str:
        return self.barcode
