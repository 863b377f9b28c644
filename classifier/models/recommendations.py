"""Which titles follow which, and the lists made of it."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from classifier.messages import in_words
from library.catalogue.models import Book
from library.people.models import Borrower


class TitleLinks(models.Model):
    """The titles linked with one, by source: kept so that a web process answers without the model.

    They rest on what several borrowers share and on what is in the titles; of any one borrower there is
    nothing here. Written by `classifier.services.recommendation.recommend` alone.
    """

    book = models.OneToOneField(
        Book, models.CASCADE, primary_key=True, related_name="links", verbose_name=_("book")
    )
    #: What having had this title adds to the scores of others:
    #: `classifier.pipeline.recommender.reranking.packed`, the titles by their primary keys.
    following = models.BinaryField(_("titles that follow"))
    #: The nearest titles, likewise.
    alike = models.BinaryField(_("similar titles"))
    #: Tells whether the row is as it was.
    digest = models.BigIntegerField(_("digest"))

    class Meta:
        verbose_name = _("links of a title")
        verbose_name_plural = _("links of titles")
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.book)


class Recommendation(models.Model):
    """A title for a borrower; the rows of a borrower are the current list, rank 1 first."""

    borrower = models.ForeignKey(
        Borrower, models.CASCADE, related_name="recommendations", verbose_name=_("borrower")
    )
    rank = models.PositiveSmallIntegerField(_("rank"))
    book = models.ForeignKey(Book, models.CASCADE, related_name="+", verbose_name=_("book"))
    score = models.FloatField(_("score"))
    #: What made the score, most first, with commas between: `classifier.pipeline.recommender.reranking.Pick`.
    sources = models.CharField(_("sources"), max_length=50)
    because = models.ForeignKey(
        Book, models.CASCADE, null=True, related_name="+", verbose_name=_("because of")
    )
    #: Digest of all that the list was made from: while it stays, so does the list.
    basis = models.BigIntegerField(_("basis"))
    created_at = models.DateTimeField(_("created"))

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
        """Why, as a sentence in the current language; reads the title that it names."""
        return in_words(self.sources.split(","), title=self.because.title if self.because else "")
