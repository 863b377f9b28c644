"""A librarian's judgement of what the model suggests.

Locked in this order: the suggestion, the book, its place in the queue.
"""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from classifier.models import ModelVersion, Review, ReviewItem, Suggestion
from classifier.services.classification.suggestions import put_back, take_out
from library.catalogue.models import Book, Category
from library.catalogue.services import check_open, librarian_source
from library.errors import ConflictError, LibraryError


class SuggestionReplacedError(LibraryError):
    """The suggestion is gone: the book was classified again after the page was shown."""

    def __init__(self, *, suggestion: object) -> None:
        super().__init__(
            _("This suggestion was replaced by a newer one. Reload the page and choose again."),
            suggestion=suggestion,
        )


class NotYoursError(ConflictError):
    """The book is not with this reviewer."""

    def __init__(self, *, book: int) -> None:
        super().__init__(
            _("This book is not with you any more: it was reviewed, or another took it. Take the next one."),
            book=book,
        )


class ReviewError(LibraryError):
    """A review that says too little, or too much."""


class NothingToUndoError(ConflictError):
    """The reviewer has no review, or the book was filed anew since."""


def accept_suggestion(*, suggestion: Suggestion, reviewer: User, now: datetime) -> Book:
    """File a book under the category suggested for it, as the librarian's own decision.

    Parameters
    ----------
    suggestion : Suggestion
        The one to accept; the book need not stand in the queue. To accept another than the best one is to
        correct that.
    reviewer : User
    now : datetime

    Returns
    -------
    Book
        The book as saved; ``category_source`` is ``librarian``.

    Raises
    ------
    SuggestionReplacedError
        If classifying again has replaced the suggestion meanwhile.
    """
    with transaction.atomic():
        return _accept(_locked(suggestion=suggestion.pk), reviewer=reviewer, now=now).book


def refile(
    *,
    book: Book,
    category: Category,
    probability: float,
    model_version: ModelVersion | None,
    reviewer: User,
    now: datetime,
) -> Book:
    """File a book under what a version said against the category that it had, as the librarian's decision.

    Parameters
    ----------
    book : Book
    category : Category
        Where to.
    probability : float
        How sure the version was.
    model_version : ModelVersion or None
        None where it is gone.
    reviewer : User
    now : datetime

    Returns
    -------
    Book
        As saved.
    """
    with transaction.atomic():
        said = Suggestion(
            book=Book.objects.select_for_update().get(pk=book.pk),
            category=category,
            probability=probability,
            model_version=model_version,
        )
        return _record(said, verdict=Review.Verdict.ACCEPT, reviewer=reviewer, now=now).book


def judge(
    *,
    suggestion: int,
    verdict: str,
    reviewer: User,
    now: datetime,
    category: Category | None = None,
    note: str = "",
    from_queue: bool = True,
) -> Review:
    """Say what is to become of a book that the queue has given to a reviewer, or that nobody has taken.

    Parameters
    ----------
    suggestion : int
        Primary key of the suggestion that is judged.
    verdict : str
        One of `Review.Verdict`: accept files the book under the suggested category, correct under another.
        A rejected category is not suggested for this book again. "Don't know" leaves the book to others.
    reviewer : User
    now : datetime
    category : Category, optional
        For correct alone, where it must be; the suggested one counts as accepted.
    note : str
    from_queue : bool
        Whether the book must be locked for this reviewer; else it must not be locked for another.

    Raises
    ------
    SuggestionReplacedError
        If classifying again has replaced the suggestion meanwhile.
    NotYoursError
        If the book is not locked for this reviewer, or was reviewed meanwhile; or if another has it.
    ReviewError
        If a category is missing or given needlessly, or the verdict is none.
    """
    if verdict not in Review.Verdict.values:
        raise ReviewError(_("There is no verdict “%s”.") % verdict)
    if (category is not None) != (verdict == Review.Verdict.CORRECT):
        raise ReviewError(_("A correction names the right category; the other verdicts name none."))
    with transaction.atomic():
        current = _locked(suggestion=suggestion)
        if category == current.category:
            verdict, category = Review.Verdict.ACCEPT, None
        item = ReviewItem.objects.select_for_update().filter(book=current.book, reviewed_at=None).first()
        is_mine = item is not None and item.locked_by_id == reviewer.pk
        is_locked = item is not None and item.locked_until is not None and now <= item.locked_until
        if not is_mine and (from_queue or is_locked):
            raise NotYoursError(book=current.book_id)
        seconds = None
        if item and item.locked_at and is_mine and is_locked:
            # One that was locked ahead was looked at only when the one before it was answered.
            before = Review.objects.filter(reviewer=reviewer, at__range=(item.locked_at, now)).order_by("-at")
            since = before.values_list("at", flat=True).first() or item.locked_at
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
    """Take a reviewer's last review back: the book is filed as before, and waits at its place again.

    Returns
    -------
    Review
        The one that was undone.

    Raises
    ------
    NothingToUndoError
        If there is none, or the book was filed in another way since.
    """
    mine = Review.objects.select_for_update(of=("self",)).filter(reviewer=reviewer, withdrawn_at=None)
    review = mine.select_related("suggested", "category_before").order_by("-at", "-pk").first()
    if review is None:
        raise NothingToUndoError(_("You have no review that could be undone."))
    list(Suggestion.objects.select_for_update().filter(book=review.book_id).order_by("pk"))
    book = Book.objects.select_for_update().get(pk=review.book_id)
    as_reviewed = (review.category_id, Book.CategorySource.LIBRARIAN.value)
    if review.category_id and (book.category_id, book.category_source) != as_reviewed:
        raise NothingToUndoError(
            _("%s was filed in another way since. Change it on its own page.") % book, book=book.pk
        )
    if review.category_id or (review.verdict == Review.Verdict.REJECT and book.category_id is None):
        source = review.source_before if review.category_before else Book.CategorySource.NONE
        _file(book, review.category_before, source)
    if review.verdict == Review.Verdict.REJECT:
        put_back(review=review)
    review.withdrawn_at = now
    review.save(update_fields=["withdrawn_at"])
    ReviewItem.objects.filter(book=book).update(reviewed_at=None)
    review.book = book
    return review


def clear_rejections(*, book: Book, now: datetime) -> int:
    """Let the model suggest again what was rejected for a book; return how many categories that are."""
    standing = Review.objects.filter(book=book, verdict=Review.Verdict.REJECT, withdrawn_at=None)
    return standing.update(withdrawn_at=now)


def correct_category(*, book: Book, category: Category | None) -> Book:
    """File a book under the category a librarian chose, or clear it.

    Parameters
    ----------
    book : Book
        The book; its other fields are left as they are in the database.
    category : Category or None
        The category chosen; None clears it, and the model may suggest again.

    Returns
    -------
    Book
        The book as saved.
    """
    with transaction.atomic():
        locked = Book.objects.select_for_update().get(pk=book.pk)
        _file(locked, category, librarian_source(category=category))
    return locked


def _file(book: Book, category: Category | None, source: str) -> None:
    book.category, book.category_source = category, source
    book.save(update_fields=["category", "category_source"])
    check_open(categories=[book.category_id])


def _locked(*, suggestion: int) -> Suggestion:
    # Locked, so that a run that replaces the suggestions waits until this one is judged.
    rows = Suggestion.objects.select_for_update(of=("self",)).select_related("book", "category")
    current = rows.filter(pk=suggestion).first()
    if current is None:
        raise SuggestionReplacedError(suggestion=suggestion)
    current.book = Book.objects.select_for_update().get(pk=current.book_id)
    return current


def _accept(current: Suggestion, **said: Any) -> Review:
    """Record that a suggestion is right; to accept another than the best one is to correct that."""
    best = Suggestion.objects.filter(book=current.book_id, rank__lt=current.rank).order_by("rank").first()
    if best is None:
        return _record(current, verdict=Review.Verdict.ACCEPT, **said)
    best.book = current.book
    return _record(best, verdict=Review.Verdict.CORRECT, category=current.category, **said)


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
        at=now,
        seconds=seconds,
        note=note,
    )
    if chosen:
        _file(book, chosen, Book.CategorySource.LIBRARIAN)
    if is_rejected:
        take_out(suggestion=current)
        if book.category_source == Book.CategorySource.MODEL and book.category_id == current.category_id:
            _file(book, None, Book.CategorySource.NONE)
    is_over = chosen or (is_rejected and not book.suggestions.exists())
    ReviewItem.objects.filter(book=book).update(
        locked_by=None, locked_at=None, locked_until=None, reviewed_at=now if is_over else None
    )
    return review
