"""Many books that are surely suggested the same category, accepted in one go, and taken back in one go."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from classifier.models import TRUSTED_SOURCES, Review, ReviewItem, Suggestion
from classifier.services.review.verdicts import (
    NothingToUndoError,
    SuggestionReplacedError,
    accept_suggestion,
    undo_last,
)
from library.catalogue.models import Book
from library.errors import LibraryError

MOST = 60
"""Books of one go: more pictures are not looked at any more."""


class TooManyError(LibraryError):
    """More than `MOST` books."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What became of a group.

    Attributes
    ----------
    filed : list of Book
    left_out : list of str
        A sentence for each book that was not filed.
    """

    filed: list[Book]
    left_out: list[str]


def accept_all(*, suggestions: Sequence[int], reviewer: User, now: datetime) -> Accepted:
    """Accept the suggestions that are still as they were shown; each is a review of its own.

    Parameters
    ----------
    suggestions : sequence of int
        Primary keys, at most `MOST`.
    reviewer : User
    now : datetime
        Of all these reviews: `undo_group` takes those of one time back.

    Raises
    ------
    TooManyError
    """
    if len(suggestions) > MOST:
        raise TooManyError(_("At most %s books are accepted at once.") % MOST, most=MOST)
    filed, left_out = [], []
    for suggestion in dict.fromkeys(suggestions):
        # One that cannot be filed is not to hold the others up, nor all the others the library.
        try:
            with transaction.atomic():
                filed.append(_accept(suggestion, reviewer=reviewer, now=now))
        except LibraryError as error:
            left_out.append(error.message)
    return Accepted(filed=filed, left_out=left_out)


def undo_group(*, reviewer: User, now: datetime) -> list[Review]:
    """Take back the reviewer's last review, and all that were made in one go with it.

    Returns
    -------
    list of Review
        Those that were undone, the last first. It ends where a book was filed in another way since.

    Raises
    ------
    NothingToUndoError
        If not even one can be undone.
    """
    undone = [undo_last(reviewer=reviewer, now=now)]
    while Review.objects.filter(reviewer=reviewer, withdrawn_at=None, at=undone[0].at).exists():
        try:
            undone.append(undo_last(reviewer=reviewer, now=now))
        except NothingToUndoError:
            break
    return undone


class TakenError(LibraryError):
    """The book is filed or with another reviewer by now."""


def _accept(pk: int, *, reviewer: User, now: datetime) -> Book:
    # Locked in the order of `classifier.services.review.verdicts`.
    suggestion = Suggestion.objects.select_for_update(of=("self",)).filter(pk=pk, rank=1).first()
    if suggestion is None:
        raise SuggestionReplacedError(suggestion=pk)
    book = Book.objects.select_for_update().get(pk=suggestion.book_id)
    taken = ReviewItem.objects.filter(book=book, locked_until__gt=now).exclude(locked_by=reviewer)
    if book.category_source in TRUSTED_SOURCES or taken.exists():
        raise TakenError(_("%s was reviewed, or taken by another reviewer, meanwhile.") % book, book=book.pk)
    return accept_suggestion(suggestion=suggestion, reviewer=reviewer, now=now)
