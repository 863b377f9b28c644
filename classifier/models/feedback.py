"""Feedback of borrowers on titles."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from library.catalogue.models import Book
from library.people.models import Borrower


class Feedback(models.Model):
    """Feedback of a borrower on a title; the latest replaces earlier ones."""

    #: It is kept when loans are forgotten: nobody worked it out from them (see `delete_derived`).
    entered_by_borrower = True

    class Verdict(models.TextChoices):
        NOT_THIS = "not_this", _("Not interested")
        LIKED = "liked", _("Liked")

    borrower = models.ForeignKey(
        Borrower, models.CASCADE, related_name="feedback", verbose_name=_("borrower")
    )
    book = models.ForeignKey(Book, models.CASCADE, related_name="+", verbose_name=_("book"))
    verdict = models.CharField(_("verdict"), max_length=10, choices=Verdict)
    created_at = models.DateTimeField(_("date and time"))

    class Meta:
        verbose_name = _("borrower feedback")
        verbose_name_plural = _("borrower feedback")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["borrower", "book"], name="feedback_one_per_title"),
            models.CheckConstraint(
                condition=models.Q(verdict__in=["not_this", "liked"]), name="feedback_known_verdict"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.borrower}: {self.book}, {self.get_verdict_display()}"
