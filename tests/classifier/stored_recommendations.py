"""Stored recommendations by card."""

from itertools import groupby

from classifier.models import Recommendation
from library.catalogue.models import Book


def recommended():
    """Recommended titles by card number, best first."""
    rows = Recommendation.objects.order_by("borrower__card_number", "rank").select_related("borrower", "book")
    return {card: list(ranked) for card, ranked in groupby(rows, key=lambda row: row.borrower.card_number)}


def history(card):
    """The books a borrower has had."""
    return set(Book.objects.filter(copies__loans__borrower__card_number=card))
