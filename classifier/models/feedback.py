"""What borrowers say of titles."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from library.catalogue.models import Book
from library.people.models import Borrower


class Feedback(models.Model):
    """What a borrower says of a title, once a title: the last word counts."""

    #: It is kept when loans are forgotten: nobody worked it out from them (see `delete_derived`).
    said_by_borrower = True

    class Verdict(models.TextChoices):
        NOT_THIS = "not_this", _("not this")
        LIKED = "liked", _("liked")

    borrower = models.ForeignKey(
        Borrower, models.CASCADE, related_name="feedback", verbose_name=_("borrower")
    )
    book = models.ForeignKey(Book, models.CASCADE, related_name="+", verbose_name=_("book"))
    verdict = models.CharField(_("verdict"), max_length=10, choices=Verdict)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("feedback")
        verbose_name_plural = _("feedback")
        ordering = ["-at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["borrower", "book"], name="feedback_once_a_title"),
            models.CheckConstraint(
                condition=models.Q(verdict__in=["not_this", "liked"]), name="feedback_known_verdict"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.borrower}: {self.book}, {self.get_verdict_display()}"
