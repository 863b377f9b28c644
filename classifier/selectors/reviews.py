"""Books that wait for review, past verdicts, and demand for books.

Separate from `classifier.selectors.records`, so that a web process loads no numpy.
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

DEMAND_EVENTS = (LoanEvent.Kind.CHECKOUT, LoanEvent.Kind.HOLD_PLACED)
"""Events that show demand for a book; they outlive anonymisation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewFilters:
    """Books that a reviewer wants to see; empty values do not filter.

    Attributes
    ----------
    branch
        Code of a branch that has a copy.
    category
        Primary key of the suggested category.
    reason
        One of `ReviewItem.REASONS`.
    """

    branch: str = ""
    language: str = ""
    category: int | None = None
    reason: str = ""


def waiting_items(*, filters: ReviewFilters | None = None) -> QuerySet[ReviewItem]:
    """Return the books that wait for review, locked or not, by position.

    A book that was filed on its own page no longer waits.
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
    return rows.order_by("position", "book")


def deferred_by(reviewer: User) -> Exists:
    """Return the condition that a reviewer has seen the book and left it to others for now."""
    reviews = Review.objects.filter(book=OuterRef("book"), reviewer=reviewer, withdrawn_at=None)
    # After a rejection the next suggestion waits, until the queue is updated.
    return Exists(
        reviews.filter(
            Q(verdict=Review.Verdict.UNKNOWN)
            | Q(verdict=Review.Verdict.REJECT, created_at__gte=OuterRef("ordered_at"))
        )
    )


def suggestions_to_review() -> Iterator[tuple[Any, ...]]:
    """Yield the best suggestion of each unfiled book, with what its position depends on.

    Filed books that may be misfiled are listed elsewhere: see
    `classifier.services.classification.label_errors`.

    Yields
    ------
    tuple
        Book, probability, abstained, whether modalities disagree, words in favour, co-borrowed books; the
        last three may be None.
    """
    rows = Suggestion.objects.filter(rank=1).exclude(book__category_source__in=TRUSTED_SOURCES)
    return (
        rows.order_by("book")
        .values_list(
            "book",
            "probability",
            "abstained",
            "evidence__modalities_disagree",
            "evidence__terms__for",
            "evidence__co_borrowed__books",
        )
        .iterator()
    )


def demand_since(*, since: datetime) -> dict[int, int]:
    """Return the number of checkouts and holds per book since then; books without any are missing."""
    events = LoanEvent.objects.filter(kind__in=DEMAND_EVENTS, occurred_at__gte=since).order_by()
    return dict(events.values_list("book").annotate(demand=Count("pk")).iterator())


def rejected(*, books: Collection[int] | None = None) -> dict[str, list[str]]:
    """Return the categories that a librarian rejected for a book, as `category_key`, by control number.

    Parameters
    ----------
    books
        Primary keys; None for all books.
    """
    keys: dict[str, list[str]] = defaultdict(list)
    rows = Review.objects.filter(verdict=Review.Verdict.REJECT, withdrawn_at=None).order_by("pk")
    if books is not None:
        rows = rows.filter(book__in=books)
    for number, scheme, notation in rows.values_list(
        "book__control_number", "suggested__scheme", "suggested__notation"
    ):
        keys[number].append(category_key(scheme, notation))
    return dict(keys)


def category_key(scheme: str, notation: str) -> str:
    """Return the model's name of a category, which is the same on every machine."""
    return f"{scheme}/{notation}"


def find_categories(*, text: str, limit: int) -> list[Category]:
    """Return open categories that match a text, each with up to three ancestors.

    Parameters
    ----------
    text
        Beginning of a notation, or part of a label of the category or its parent, in either language.
    """
    text = text.strip()
    labels = Q(label_en__icontains=text) | Q(label_zh__icontains=text)
    parent = Q(parent__label_en__icontains=text) | Q(parent__label_zh__icontains=text)
    rows = Category.objects.filter(Q(notation__istartswith=text) | labels | parent, **Category.OPEN)
    relevance = Case(
        When(notation__iexact=text, then=0),
        When(notation__istartswith=text, then=1),
        When(labels, then=2),
        default=3,
    )
    return list(
        rows.select_related("parent__parent__parent").order_by(relevance, "scheme", "notation")[:limit]
    )


def bulk_groups(
    *, probability: float, reviewer: User, now: datetime, limit: int
) -> list[tuple[Category, int]]:
    """Return the categories with the most `bulk_candidates`, and the number of these."""
    rows = bulk_candidates(probability=probability, reviewer=reviewer, now=now).order_by()
    counted = rows.values_list("category").annotate(books=Count("pk")).order_by("-books", "category")[:limit]
    books_by_category = dict(counted)
    categories = Category.objects.in_bulk(books_by_category)
    return [(categories[pk], books) for pk, books in books_by_category.items()]


def bulk_candidates(*, probability: float, reviewer: User, now: datetime) -> QuerySet[Suggestion]:
    """Return the best suggestions of waiting books that may be accepted together, most confident first.

    Abstained suggestions and books claimed by other reviewers are excluded.

    Parameters
    ----------
    probability
        Minimum of a suggestion.
    """
    free = Q(locked_until=None) | Q(locked_until__lte=now) | Q(locked_by=reviewer)
    waiting = waiting_items().filter(free).order_by().values("book")
    confident = Suggestion.objects.filter(
        rank=1, abstained=False, probability__gte=probability, book__in=waiting
    )
    return confident.order_by("-probability", "pk")


def review_statistics() -> dict[str, Any]:
    """Return the numbers of reviews and of waiting books, without any person."""
    reviews = Review.objects.filter(withdrawn_at=None).order_by()
    verdicts = dict(reviews.values_list("verdict").annotate(n=Count("pk")))
    waiting = waiting_items().order_by().aggregate(
        books=Count("pk"), **{name: Count("pk", filter=Q(**{name: True})) for name in ReviewItem.REASONS}
    )  # fmt: skip
    return {
        "reviewed": sum(verdicts.values()),
        "verdicts": {verdict: verdicts.get(verdict, 0) for verdict in Review.Verdict.values},
        "waiting": waiting.pop("books"),
        "reasons": waiting,
    }
