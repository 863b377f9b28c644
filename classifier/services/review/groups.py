"""Bulk review: many books with the same confident suggestion, accepted and undone together."""

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

MAX_BOOKS = 60
"""Books accepted together: nobody looks at more covers."""


class TooManyError(LibraryError):
    """More than `MAX_BOOKS` books."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedGroup:
    """Result of accepting a group; `skipped` has a message for each book that was not filed."""

    filed: list[Book]
    skipped: list[str]


def accept_group(*, suggestions: Sequence[int], reviewer: User, now: datetime) -> AcceptedGroup:
    """Accept the suggestions that have not been replaced; each is a review of its own, at `now`.

    `undo_group` undoes the reviews of one time.

    Raises
    ------
    TooManyError
        For more than `MAX_BOOKS`.
    """
    if len(suggestions) > MAX_BOOKS:
        raise TooManyError(_("You can accept at most %s books at once.") % MAX_BOOKS, max=MAX_BOOKS)
    filed, skipped = [], []
    for suggestion in dict.fromkeys(suggestions):
        # One failure must not stop the others, and the group must not lock the library.
        try:
            with transaction.atomic():
                filed.append(_accept(suggestion, reviewer=reviewer, now=now))
        except LibraryError as error:
            skipped.append(error.message)
    return AcceptedGroup(filed=filed, skipped=skipped)


def undo_group(*, reviewer: User, now: datetime) -> list[Review]:
    """Undo the reviewer's last review and all of the same group; return them, the last first.

    It stops at a book that has been filed elsewhere since.

    Raises
    ------
    NothingToUndoError
        If none can be undone.
    """
    undone = [undo_last(reviewer=reviewer, now=now)]
    while Review.objects.filter(
        reviewer=reviewer, withdrawn_at=None, created_at=undone[0].created_at
    ).exists():
        try:
            undone.append(undo_last(reviewer=reviewer, now=now))
        except NothingToUndoError:
            break
    return undone


class AlreadyReviewedError(LibraryError):
    """The book has been filed, or is assigned to another reviewer."""


def _accept(pk: int, *, reviewer: User, now: datetime) -> Book:
    # Locked in the order of `classifier.services.review.verdicts`.
    suggestion = Suggestion.objects.select_for_update(of=("self",)).filter(pk=pk, rank=1).first()
    if suggestion is None:
        raise SuggestionReplacedError(suggestion=pk)
    book = Book.objects.select_for_update().get(pk=suggestion.book_id)
    taken = ReviewItem.objects.filter(book=book, locked_until__gt=now).exclude(locked_by=reviewer)
    if book.category_source in TRUSTED_SOURCES or taken.exists():
        raise AlreadyReviewedError(
            _("%s has already been reviewed, or is assigned to another reviewer.") % book, book=book.pk
        )
    return accept_suggestion(suggestion=suggestion, reviewer=reviewer, now=now)
