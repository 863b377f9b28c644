"""Circulation events and listings for tests of the public lists."""

from datetime import timedelta

from classifier.models import Listing
from classifier.selectors.listings import listed_titles
from library.circulation.models import LoanEvent
from tests.factories import NOW, make_book

LONG_AGO = NOW - timedelta(days=2000)


def lend(book, times=1, *, branch=None, days=100, kind="checkout", **fields):
    LoanEvent.objects.bulk_create(
        LoanEvent(kind=kind, occurred_at=NOW - timedelta(days=days), book=book, branch=branch, **fields)
        for _ in range(times)
    )


def old_book(**fields):
    return make_book(**{"created_at": LONG_AGO} | fields)


def on(kind, **chosen):
    """The control numbers of a list, in order."""
    return [row.book.control_number for row in listed_titles(kind=kind, **chosen)]


def rows():
    """All listings but for their keys."""
    fields = [field.attname for field in Listing._meta.fields if not field.primary_key]
    return sorted(Listing.objects.values_list(*fields), key=repr)


def times(book, branch=None, kind="popular"):
    return dict(Listing.objects.filter(book=book, branch=branch).values_list("kind", "loans")).get(kind)
