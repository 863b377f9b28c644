"""Public lists of titles: popular, trending, new and hidden gems."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from library.catalogue.models import Book, Branch


class Listing(models.Model):
    """A title on a list, with the facts of its reason.

    Only `classifier.services.recommendation.listings` writes it.
    Without a branch it covers all of them. Titles with too few loans have no row, and a row contains nothing
    about borrowers: it may be shown to anyone.
    """

    class Kind(models.TextChoices):
        POPULAR = "popular", _("Popular")
        TRENDING = "trending", _("Trending")
        LATEST = "latest", _("New titles")
        HIDDEN_GEM = "hidden_gem", _("Hidden gems")

    kind = models.CharField(_("list"), max_length=10, choices=Kind)
    # The indexes below cover both.
    branch = models.ForeignKey(
        Branch, models.CASCADE, null=True, related_name="+", verbose_name=_("branch"), db_index=False
    )
    book = models.ForeignKey(
        Book, models.CASCADE, related_name="listings", verbose_name=_("book"), db_index=False
    )
    #: Copied from the book, so that an index contains the whole order.
    control_number = models.CharField(_("control number"), max_length=100)
    score = models.FloatField(_("score"))
    #: For a hidden gem the average of similar titles.
    loans = models.PositiveIntegerField(_("number of loans"), null=True)
    expected = models.FloatField(_("expected"), null=True)
    since = models.DateTimeField(_("since"), null=True)

    class Meta:
        verbose_name = _("highlighted title")
        verbose_name_plural = _("highlighted titles")
        ordering = ["kind", "-score", "control_number"]
        # Nobody edits rows; anyone who may see books may see them.
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["book", "kind", "branch"], name="listing_one_per_branch"),
            models.UniqueConstraint(
                fields=["book", "kind"], condition=Q(branch=None), name="listing_one_for_all_branches"
            ),
        ]
        # Two indexes, because PostgreSQL cannot use the order of an index with an "is null" condition.
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
