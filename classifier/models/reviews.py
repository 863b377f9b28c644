"""What librarians said of suggestions, and the books that wait for their word."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from classifier.models.versions import ModelVersion
from library.catalogue.models import Book, Category


class Review(models.Model):
    """What a librarian said of the category suggested for a book.

    Rows are added and never changed, but for `withdrawn_at`. Only `classifier.services.review.verdicts`
    writes them.
    """

    class Verdict(models.TextChoices):
        ACCEPT = "accept", _("accept")
        CORRECT = "correct", _("correct")
        REJECT = "reject", _("reject")
        UNKNOWN = "unknown", _("don't know")

    book = models.ForeignKey(Book, models.CASCADE, related_name="reviews", verbose_name=_("book"))
    suggested = models.ForeignKey(
        Category, models.PROTECT, related_name="+", verbose_name=_("category suggested")
    )
    probability = models.FloatField(_("probability"))
    #: Why it was suggested, of a rejection alone: what else would put the suggestion back?
    evidence = models.JSONField(_("evidence"), default=dict, blank=True)
    model_version = models.ForeignKey(
        ModelVersion, models.SET_NULL, null=True, related_name="+", verbose_name=_("model version")
    )
    verdict = models.CharField(_("verdict"), max_length=10, choices=Verdict)
    category = models.ForeignKey(
        Category,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("category chosen"),
    )
    #: How the book was filed before: what undoing goes back to.
    category_before = models.ForeignKey(
        Category, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("filed before")
    )
    source_before = models.CharField(_("source before"), max_length=10, choices=Book.CategorySource)
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("reviewer")
    )
    at = models.DateTimeField(_("at"))
    seconds = models.PositiveIntegerField(_("seconds it took"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=200, blank=True)
    withdrawn_at = models.DateTimeField(
        _("withdrawn at"), null=True, blank=True, help_text=_("Undone, or a rejection that was cleared.")
    )

    class Meta:
        verbose_name = _("review")
        verbose_name_plural = _("reviews")
        ordering = ["-at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["book", "suggested"],
                condition=Q(verdict="reject", withdrawn_at__isnull=True),
                name="review_one_rejection",
            ),
            models.CheckConstraint(
                condition=Q(verdict__in=["accept", "correct"], category__isnull=False)
                | Q(verdict__in=["reject", "unknown"], category__isnull=True),
                name="review_chosen_if_filed",
            ),
            models.CheckConstraint(
                condition=~Q(verdict="accept") | Q(category=models.F("suggested")),
                name="review_accepts_the_suggested",
            ),
        ]
        indexes = [models.Index(fields=["reviewer", "-at"], name="review_last_of_reviewer")]

    def __str__(self) -> str:
        return f"{self.get_verdict_display()}: {self.book}"


class ReviewItem(models.Model):
    """A book that waits for review; `place` 1 is looked at first.

    Written by `classifier.services.review.queue`, which orders them anew after each reclassification.
    """

    #: By name: the field that says so, and what people are told.
    REASONS = {
        "unsure": _("not sure enough"),
        "disagree": _("text, cover and loans disagree"),
        "borrowed": _("much borrowed"),
        "unlike": _("unlike anything known"),
    }

    book = models.OneToOneField(
        Book, models.CASCADE, related_name="review_item", verbose_name=_("book"), primary_key=True
    )
    place = models.PositiveIntegerField(_("place"), db_index=True)
    benefit = models.FloatField(_("expected benefit"))
    unsure = models.BooleanField(REASONS["unsure"], default=False)
    disagree = models.BooleanField(REASONS["disagree"], default=False)
    borrowed = models.BooleanField(REASONS["borrowed"], default=False)
    unlike = models.BooleanField(REASONS["unlike"], default=False)
    #: Set by a review, so that undoing it finds the book at its place again.
    reviewed_at = models.DateTimeField(_("reviewed at"), null=True, blank=True)
    ordered_at = models.DateTimeField(_("ordered at"))
    locked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("with"),
    )
    locked_at = models.DateTimeField(_("since"), null=True, blank=True)
    locked_until = models.DateTimeField(_("until"), null=True, blank=True)

    class Meta:
        verbose_name = _("book to review")
        verbose_name_plural = _("books to review")
        ordering = ["place", "book"]

    def __str__(self) -> str:
        return str(self.book)

    @property
    def reasons(self) -> list[str]:
        """The names of the reasons it waits for, see `REASONS`."""
        return [name for name in self.REASONS if getattr(self, name)]
