"""Borrowers' feedback on titles."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from classifier.errors import FeedbackRefusedError
from classifier.models import Feedback, Recommendation
from library.catalogue.models import Book
from library.circulation.selectors.retention import anonymises_at_return
from library.circulation.services.locks import lock_borrower
from library.people.models import Borrower


@transaction.atomic
def give_feedback(*, borrower: Borrower, book: Book, verdict: Feedback.Verdict, now: datetime) -> Feedback:
    """Store a borrower's feedback on a title, replacing any earlier one; remove an unwanted title at once.

    Raises
    ------
    FeedbackRefusedError
        If the borrower's loans are anonymised at return: feedback would show for good what was read.
    """
    # Locked, so that a change of the privacy setting comes wholly before or wholly after.
    borrower = lock_borrower(pk=borrower.pk)
    if Borrower.objects.filter(anonymises_at_return(), pk=borrower.pk).exists():
        raise FeedbackRefusedError(
            _(
                "The borrowing history of this borrower is not kept, so feedback cannot be saved. "
                "Set “borrowing history” to “Keep” on the borrower page first."
            ),
            borrower=borrower.pk,
        )
    if verdict == Feedback.Verdict.NOT_THIS:
        Recommendation.objects.filter(borrower=borrower, book=book).delete()
    feedback, _created = Feedback.objects.update_or_create(
        borrower=borrower, book=book, defaults={"verdict": verdict, "created_at": now}
    )
    return feedback


def withdraw_feedback(*, borrower: Borrower, book: Book) -> bool:
    """Delete feedback, so that the next run may recommend the title; return whether there was any."""
    deleted, _models = Feedback.objects.filter(borrower=borrower, book=book).delete()
    return bool(deleted)
