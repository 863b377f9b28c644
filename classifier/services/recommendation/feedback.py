"""Borrowers say what they think of titles, and take it back."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from classifier.errors import FeedbackRefusedError
from classifier.models import Feedback, Recommendation
from library.catalogue.models import Book
from library.circulation.selectors.retention import forgets_at_return
from library.circulation.services.locks import lock_borrower
from library.people.models import Borrower


@transaction.atomic
def give_feedback(*, borrower: Borrower, book: Book, verdict: Feedback.Verdict, now: datetime) -> Feedback:
    """Keep what a borrower says of a title, in the place of what was said of it before.

    A title that is not wanted is taken off the borrower's stored list at once.

    Parameters
    ----------
    borrower : Borrower
    book : Book
    verdict : Feedback.Verdict
    now : datetime

    Returns
    -------
    Feedback

    Raises
    ------
    FeedbackRefusedError
        If the borrower is forgotten at return: what is said of titles would tell for good what was read.
    """
    # Locked, so that "forget at return" is chosen wholly before or wholly after.
    borrower = lock_borrower(pk=borrower.pk)
    if Borrower.objects.filter(forgets_at_return(), pk=borrower.pk).exists():
        raise FeedbackRefusedError(
            _(
                "Nothing is remembered of what this borrower reads, so no feedback on titles either. "
                "To give some, choose “keep” as borrowing history on the borrower's page first."
            ),
            borrower=borrower.pk,
        )
    if verdict == Feedback.Verdict.NOT_THIS:
        Recommendation.objects.filter(borrower=borrower, book=book).delete()
    feedback, _created = Feedback.objects.update_or_create(
        borrower=borrower, book=book, defaults={"verdict": verdict, "at": now}
    )
    return feedback


def withdraw_feedback(*, borrower: Borrower, book: Book) -> bool:
    """Delete what a borrower said of a title: it can be recommended again from the next run on.

    Parameters
    ----------
    borrower : Borrower
    book : Book

    Returns
    -------
    bool
        Whether anything had been said.
    """
    deleted, _models = Feedback.objects.filter(borrower=borrower, book=book).delete()
    return bool(deleted)
