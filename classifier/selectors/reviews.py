"""What waits for review, what was said before, and how much each book is asked for.

Apart from `classifier.selectors.records`, so that a web process loads no numpy.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Case, Count, Exists, OuterRef, Q, QuerySet, When

from classifier.models import TRUSTED_SOURCES, Review, ReviewItem, Suggestion
from library.catalogue.models import Category, Copy
from library.circulation.models import LoanEvent

USES = (LoanEvent.Kind.CHECKOUT, LoanEvent.Kind.HOLD_PLACED)
"""Events that say that somebody wants a book; they stay when the borrower is forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewFilters:
    """Which books a reviewer wants to see; what is left out does not matter.

    Attributes
    ----------
    branch : str
        Code of a branch that has a copy.
    language : str
    category : int or None
        Primary key of the category suggested.
    reason : str
        One of `ReviewItem.REASONS`.
    """

    branch: str = ""
    language: str = ""
    category: int | None = None
    reason: str = ""


def waiting_items(*, filters: ReviewFilters | None = None) -> QuerySet[ReviewItem]:
    """Return the books that wait for review, locked or not, those to be looked at first in front.

    A book that somebody has filed on its own page meanwhile waits no more.
    """
    filters = filters or ReviewFilters()
    rows = ReviewItem.objects.filter(reviewed_at=None).exclude(book__category_source__in=TRUSTED_SOURCES)
    if filters.branch:
        rows = rows.filter(Exists(Copy.objects.filter(book=OuterRef("book"), branch__code=filters.branch)))
    if filters.language:
        rows = rows.filter(book__language=filters.language)
    if filters.category is not None:
        first = Suggestion.objects.filter(book=OuterRef("book"), rank=1, category=filters.category)
        rows = rows.filter(Exists(first))
    if filters.reason in ReviewItem.REASONS:
        rows = rows.filter(**{filters.reason: True})
    return rows.order_by("place", "book")


def put_off_by(reviewer: User) -> Exists:
    """Return the condition that a reviewer has had the book, and left it to others for now."""
    had = Review.objects.filter(book=OuterRef("book"), reviewer=reviewer, withdrawn_at=None)
    # A rejected suggestion has made room for another; that one is as new as the order.
    return Exists(
        had.filter(
            Q(verdict=Review.Verdict.UNKNOWN)
            | Q(verdict=Review.Verdict.REJECT, at__gte=OuterRef("ordered_at"))
        )
    )


def suggestions_to_review() -> Iterator[tuple[Any, ...]]:
    """Yield what the order of reviews goes by of the best suggestion of each book that nobody has filed.

    Books that may be filed wrongly are listed by themselves: see
    `classifier.services.classification.label_errors`.

    Yields
    ------
    tuple
        Book, probability, abstained, whether modalities disagree (or None), words for it (or None), books it
        was borrowed with (or None).
    """
    rows = Suggestion.objects.filter(rank=1).exclude(book__category_source__in=TRUSTED_SOURCES)
    return (
        rows.order_by("book")
        .values_list(
            "book",
            "probability",
            "abstained",
            "evidence__disagree",
            "evidence__terms__for",
            "evidence__borrowed_with__books",
        )
        .iterator()
    )


def uses_since(*, since: datetime) -> dict[int, int]:
    """Return how often each book was lent or held for since then; those that were not are left out."""
    events = LoanEvent.objects.filter(kind__in=USES, at__gte=since).order_by()
    return dict(events.values_list("book").annotate(uses=Count("pk")).iterator())


def rejected(*, books: Collection[int] | None = None) -> dict[str, list[str]]:
    """Return by control number the `category_key` of each category that a librarian rejected for a book.

    Parameters
    ----------
    books : collection of int, optional
        Primary keys; left out, of all books.
    """
    found: dict[str, list[str]] = defaultdict(list)
    rows = Review.objects.filter(verdict=Review.Verdict.REJECT, withdrawn_at=None).order_by("pk")
    if books is not None:
        rows = rows.filter(book__in=books)
    for number, scheme, notation in rows.values_list(
        "book__control_number", "suggested__scheme", "suggested__notation"
    ):
        found[number].append(category_key(scheme, notation))
    return dict(found)


def category_key(scheme: str, notation: str) -> str:
    """Return what the model calls a category: it must mean the same on another machine."""
    return f"{scheme}/{notation}"


def categories_like(*, text: str, most: int) -> list[Category]:
    """Return open categories that a person may mean, each with up to three of those above it.

    Parameters
    ----------
    text : str
        What was typed: the beginning of a notation, or part of a label, in either language, of the category
        or of the one above it.
    most : int
    """
    text = text.strip()
    labels = Q(label_en__icontains=text) | Q(label_zh__icontains=text)
    above = Q(parent__label_en__icontains=text) | Q(parent__label_zh__icontains=text)
    rows = Category.objects.filter(Q(notation__istartswith=text) | labels | above, **Category.OPEN)
    nearest = Case(
        When(notation__iexact=text, then=0),
        When(notation__istartswith=text, then=1),
        When(labels, then=2),
        default=3,
    )
    return list(rows.select_related("parent__parent__parent").order_by(nearest, "scheme", "notation")[:most])


def groups_alike(
    *, probability: float, reviewer: User, now: datetime, most: int
) -> list[tuple[Category, int]]:
    """Return the categories that most waiting books are surely suggested, with how many those are.

    See `alike` for the others.
    """
    rows = alike(probability=probability, reviewer=reviewer, now=now).order_by()
    counted = rows.values_list("category").annotate(books=Count("pk")).order_by("-books", "category")[:most]
    found = dict(counted)
    categories = Category.objects.in_bulk(found)
    return [(categories[pk], books) for pk, books in found.items()]


def alike(*, probability: float, reviewer: User, now: datetime) -> QuerySet[Suggestion]:
    """Return the best suggestions of waiting books that may be accepted together, the surest first.

    Parameters
    ----------
    probability : float
        The least of a suggestion; a guess is none.
    reviewer : User
        Books that are with others are left out.
    now : datetime
    """
    free = Q(locked_until=None) | Q(locked_until__lte=now) | Q(locked_by=reviewer)
    waiting = waiting_items().filter(free).order_by().values("book")
    sure = Suggestion.objects.filter(rank=1, abstained=False, probability__gte=probability, book__in=waiting)
    return sure.order_by("-probability", "pk")


def review_figures() -> dict[str, Any]:
    """Return numbers of what was reviewed and what waits, of no person."""
    standing = Review.objects.filter(withdrawn_at=None).order_by()
    verdicts = dict(standing.values_list("verdict").annotate(n=Count("pk")))
    waiting = waiting_items().order_by().aggregate(
        books=Count("pk"), **{name: Count("pk", filter=Q(**{name: True})) for name in ReviewItem.REASONS}
    )  # fmt: skip
    return {
        "reviewed": sum(verdicts.values()),
        "verdicts": {verdict: verdicts.get(verdict, 0) for verdict in Review.Verdict.values},
        "waiting": waiting.pop("books"),
        "reasons": waiting,
    }
