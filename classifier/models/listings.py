"""The lists for nobody in particular: popular, trending, new and hidden treasures."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from library.catalogue.models import Book, Branch


class Listing(models.Model):
    """A title on a list, with the facts of its reason; written by
    `classifier.services.recommendation.listings` alone.

    Without a branch it is about all of them. What too few loans are behind has no row, and of those who
    made the loans there is nothing here: a row may be shown to anyone.
    """

    class Kind(models.TextChoices):
        POPULAR = "popular", _("popular")
        TRENDING = "trending", _("trending")
        LATEST = "latest", _("new titles")
        TREASURE = "treasure", _("hidden treasures")

    kind = models.CharField(_("list"), max_length=10, choices=Kind)
    # Both are found by the indexes below.
    branch = models.ForeignKey(
        Branch, models.CASCADE, null=True, related_name="+", verbose_name=_("branch"), db_index=False
    )
    book = models.ForeignKey(
        Book, models.CASCADE, related_name="listings", verbose_name=_("book"), db_index=False
    )
    #: The book's own, kept here so that an index holds the whole order.
    control_number = models.CharField(_("control number"), max_length=100)
    score = models.FloatField(_("score"))
    #: Loans: of a treasure, what titles like it have on average.
    times = models.PositiveIntegerField(_("times"), null=True)
    expected = models.FloatField(_("expected"), null=True)
    since = models.DateTimeField(_("since"), null=True)

    class Meta:
        verbose_name = _("listed title")
        verbose_name_plural = _("listed titles")
        ordering = ["kind", "-score", "control_number"]
        # Nobody adds or changes one by hand; who may see books may see them.
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["book", "kind", "branch"], name="listing_once_a_branch"),
            models.UniqueConstraint(
                fields=["book", "kind"], condition=Q(branch=None), name="listing_once_for_all_branches"
            ),
        ]
        # Two, because PostgreSQL takes no order from an index on a column that "is null".
        indexes = [
            models.Index(
                "kind",
                "branch",
                F("score").desc(),
                "control_number",
                condition=Q(branch__isnull=False),
                name="listing_order_at_branch",
            ),
            models.Index(
                "kind", F("score").desc(), "control_number", condition=Q(branch=None), name="listing_order"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.book}"
