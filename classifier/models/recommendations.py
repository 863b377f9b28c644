"""Neighbours of titles, and the recommendations computed from them."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from classifier.messages import recommendation_reason
from library.catalogue.models import Book
from library.people.models import Borrower


class ItemNeighbours(models.Model):
    """The titles that follow a title, and those similar to it, by source.

    Stored so that a web process needs no model. They come from loans that several borrowers share and from
    content, and contain nothing about a single borrower. Only `classifier.services.recommendation.links`
    writes these rows.
    """

    book = models.OneToOneField(
        Book, models.CASCADE, primary_key=True, related_name="neighbours", verbose_name=_("book")
    )
    #: Contributions of this title to the scores of others, by primary key: see
    #: `classifier.pipeline.recommender.reranking.pack_links`.
    following = models.BinaryField(_("follow-up titles"))
    #: The most similar titles, in the same format.
    similar = models.BinaryField(_("similar titles"))
    #: Of both columns, to detect changes.
    digest = models.BigIntegerField(_("digest"))

    class Meta:
        verbose_name = _("related title list")
        verbose_name_plural = _("related title lists")
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.book)


class Recommendation(models.Model):
    """A title for a borrower; a borrower's rows are the current list, best first."""

    borrower = models.ForeignKey(
        Borrower, models.CASCADE, related_name="recommendations", verbose_name=_("borrower")
    )
    rank = models.PositiveSmallIntegerField(_("rank"))
    book = models.ForeignKey(Book, models.CASCADE, related_name="+", verbose_name=_("book"))
    score = models.FloatField(_("score"))
    #: Comma-separated, largest contribution first: see `classifier.pipeline.recommender.reranking.Candidate`.
    sources = models.CharField(_("sources"), max_length=50)
    because = models.ForeignKey(
        Book, models.CASCADE, null=True, related_name="+", verbose_name=_("based on title")
    )
    #: Digest of the list's input: while it is unchanged, the list is kept.
    input_digest = models.BigIntegerField(_("input digest"))
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("recommendation")
        verbose_name_plural = _("recommendations")
        ordering = ["borrower", "rank"]
        constraints = [
            models.UniqueConstraint(fields=["borrower", "rank"], name="recommendation_borrower_rank"),
        ]

    def __str__(self) -> str:
        return f"{self.borrower}: {self.book}"

    @property
    def reason(self) -> str:
        """The reason as a sentence in the current language; queries the title that it names."""
        return recommendation_reason(
            self.sources.split(","), title=self.because.title if self.because else ""
        )
