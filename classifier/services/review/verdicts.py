"""Librarians' verdicts on suggestions, and their undo.

Rows are locked in this order: the suggestion, the book, its item in the queue.
"""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from classifier.models import ModelVersion, Review, ReviewItem, Suggestion
from classifier.services.classification.suggestions import remove_suggestion, restore_suggestion
from library.catalogue.models import Book, Category
from library.catalogue.services import check_open
from library.errors import ConflictError, LibraryError


class SuggestionReplacedError(LibraryError):
    """The suggestion no longer exists: the book was classified again after the page was shown."""

    def __init__(self, *, suggestion: object) -> None:
        super().__init__(
            _("A newer suggestion has replaced this one. Reload the page and choose again."),
            suggestion=suggestion,
        )


class NotAssignedError(ConflictError):
    """The book is not assigned to this reviewer."""

    def __init__(self, *, book: int) -> None:
        super().__init__(
            _(
                "This book is no longer assigned to you: it was reviewed or claimed by someone else. "
                "Continue with the next one."
            ),
            book=book,
        )


class ReviewError(LibraryError):
    """The review lacks a category, or has one without need."""


class NothingToUndoError(ConflictError):
    """The reviewer has no review, or the book has been filed again since."""


def accept_suggestion(*, suggestion: Suggestion, reviewer: User, now: datetime) -> Book:
    """File a book under a suggested category, as the librarian's own decision; return the saved book.

    The book need not be in the queue. To accept another suggestion than the best is to correct that one.

    Raises
    ------
    SuggestionReplacedError
        If the book has been classified again.
    """
    with transaction.atomic():
        return _accept(_locked(suggestion=suggestion.pk), reviewer=reviewer, now=now).book


def reassign(
    *,
    book: Book,
    category: Category,
    probability: float,
    model_version: ModelVersion | None,
    reviewer: User,
    now: datetime,
) -> Book:
    """File a book under the predicted category instead of its own; return the saved book.

    It is the librarian's decision, recorded as an accepted suggestion.

    Parameters
    ----------
    model_version
        None if it was deleted.
    """
    with transaction.atomic():
        suggestion = Suggestion(
            book=Book.objects.select_for_update().get(pk=book.pk),
            category=category,
            probability=probability,
            model_version=model_version,
        )
        return _record(suggestion, verdict=Review.Verdict.ACCEPT, reviewer=reviewer, now=now).book


def record_verdict(
    *,
    suggestion: int,
    verdict: str,
    reviewer: User,
    now: datetime,
    category: Category | None = None,
    note: str = "",
    from_queue: bool = True,
) -> Review:
    """Record a reviewer's verdict on a suggestion.

    Parameters
    ----------
    verdict
        One of `Review.Verdict`: accept files the book under the suggested category, correct under another. A
        rejected category is not suggested for this book again. "Don't know" leaves the book to others.
    category
        Required for correct, and only allowed there; the suggested category counts as accepted.
    from_queue
        If true, the book must be locked for this reviewer; else it must not be locked for another.

    Raises
    ------
    SuggestionReplacedError
        If the book has been classified again.
    NotAssignedError
        If the book is not locked for this reviewer, was reviewed in the meantime, or is locked for another.
    ReviewError
        If the verdict is unknown, or a category is missing or not allowed.
    """
    if verdict not in Review.Verdict.values:
        raise ReviewError(_("Unknown verdict “%s”.") % verdict)
    if (category is not None) != (verdict == Review.Verdict.CORRECT):
        raise ReviewError(_("A correction must name the correct category; other verdicts must not name one."))
    with transaction.atomic():
        current = _locked(suggestion=suggestion)
        if category == current.category:
            verdict, category = Review.Verdict.ACCEPT, None
        item = ReviewItem.objects.select_for_update().filter(book=current.book, reviewed_at=None).first()
        is_assigned = item is not None and item.locked_by_id == reviewer.pk
        is_locked = item is not None and item.locked_until is not None and now <= item.locked_until
        if not is_assigned and (from_queue or is_locked):
            raise NotAssignedError(book=current.book_id)
        seconds = None
        if item and item.locked_at and is_assigned and is_locked:
            # A book that was locked in advance was looked at only after the review of the book before it.
            earlier = Review.objects.filter(
                reviewer=reviewer, created_at__range=(item.locked_at, now)
            ).order_by("-created_at")
            since = earlier.values_list("created_at", flat=True).first() or item.locked_at
            seconds = max(0, round((now - since).total_seconds()))
        if verdict == Review.Verdict.ACCEPT:
            return _accept(current, reviewer=reviewer, now=now, note=note, seconds=seconds)
        return _record(
            current,
            verdict=verdict,
            reviewer=reviewer,
            now=now,
            category=category,
            note=note,
            seconds=seconds,
        )


@transaction.atomic
def undo_last(*, reviewer: User, now: datetime) -> Review:
    """Undo a reviewer's last review: the book is filed as before and waits at its position again.

    Raises
    ------
    NothingToUndoError
        If there is none, or the book has been filed elsewhere since.
    """
    reviews = Review.objects.select_for_update(of=("self",)).filter(reviewer=reviewer, withdrawn_at=None)
    review = reviews.select_related("suggested", "category_before").order_by("-created_at", "-pk").first()
    if review is None:
        raise NothingToUndoError(_("You have no review to undo."))
    list(Suggestion.objects.select_for_update().filter(book=review.book_id).order_by("pk"))
    book = Book.objects.select_for_update().get(pk=review.book_id)
    as_reviewed = (review.category_id, Book.CategorySource.LIBRARIAN.value)
    if review.category_id and (book.category_id, book.category_source) != as_reviewed:
        raise NothingToUndoError(
            _("%s has since been filed elsewhere. Change the category on its own page.") % book, book=book.pk
        )
    if review.category_id or (review.verdict == Review.Verdict.REJECT and book.category_id is None):
        source = review.source_before if review.category_before else Book.CategorySource.NONE
        _file(book, review.category_before, source)
    if review.verdict == Review.Verdict.REJECT:
        restore_suggestion(review=review)
    review.withdrawn_at = now
    review.save(update_fields=["withdrawn_at"])
    ReviewItem.objects.filter(book=book).update(reviewed_at=None)
    review.book = book
    return review


def clear_rejections(*, book: Book, now: datetime) -> int:
    """Allow the categories that were rejected for a book again; return their number."""
    rejections = Review.objects.filter(book=book, verdict=Review.Verdict.REJECT, withdrawn_at=None)
    return rejections.update(withdrawn_at=now)


def _file(book: Book, category: Category | None, source: str) -> None:
    book.category, book.category_source = category, source
    book.save(update_fields=["category", "category_source"])
    check_open(categories=[book.category_id])


def _locked(*, suggestion: int) -> Suggestion:
    # Locked, so that a run that replaces the suggestions waits for the verdict.
    rows = Suggestion.objects.select_for_update(of=("self",)).select_related("book", "category")
    current = rows.filter(pk=suggestion).first()
    if current is None:
        raise SuggestionReplacedError(suggestion=suggestion)
    current.book = Book.objects.select_for_update().get(pk=current.book_id)
    return current


def _accept(current: Suggestion, **fields: Any) -> Review:
    """Record an accepted suggestion; to accept another one than the best is to correct that one."""
    best = Suggestion.objects.filter(book=current.book_id, rank__lt=current.rank).order_by("rank").first()
    if best is None:
        return _record(current, verdict=Review.Verdict.ACCEPT, **fields)
    best.book = current.book
    return _record(best, verdict=Review.Verdict.CORRECT, category=current.category, **fields)


def _record(
    current: Suggestion,
    *,
    verdict: str,
    reviewer: User,
    now: datetime,
    category: Category | None = None,
    note: str = "",
    seconds: int | None = None,
) -> Review:
    book = current.book
    chosen = current.category if verdict == Review.Verdict.ACCEPT else category
    is_rejected = verdict == Review.Verdict.REJECT
    review = Review.objects.create(
        book=book,
        suggested=current.category,
        probability=current.probability,
        evidence=current.evidence if is_rejected else {},
        model_version_id=current.model_version_id,
        verdict=verdict,
        category=chosen,
        category_before_id=book.category_id,
        source_before=book.category_source,
        reviewer=reviewer,
        created_at=now,
        seconds=seconds,
        note=note,
    )
    if chosen:
        _file(book, chosen, Book.CategorySource.LIBRARIAN)
    if is_rejected:
        remove_suggestion(suggestion=current)
        if book.category_source == Book.CategorySource.MODEL and book.category_id == current.category_id:
            _file(book, None, Book.CategorySource.NONE)
    is_done = chosen or (is_rejected and not book.suggestions.exists())
    ReviewItem.objects.filter(book=book).update(
        locked_by=None, locked_at=None, locked_until=None, reviewed_at=now if is_done else None
    )
    return review
