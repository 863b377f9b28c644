"""Render notices; the only module of circulation that reads personal data of borrowers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from django.conf import settings
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.utils import translation

from library.circulation.models import Notice
from library.circulation.selectors.calendar import library_date
from library.circulation.selectors.holds import last_day_on_shelf
from library.circulation.services.notices.outbox import topic_of
from library.people.models import Borrower


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to one borrower."""

    borrower: Borrower
    subject: str
    text: str
    notices: tuple[Notice, ...]


def with_borrowers(rows: QuerySet[Notice]) -> QuerySet[Notice]:
    """Return notices with everything that a letter names, in the order of the letter."""
    return rows.select_related(
        "loan__copy__book", "loan__borrower", "hold__book", "hold__pickup_branch", "hold__borrower"
    ).order_by("message_id", "occasion", "pk")


def compose(*, notices: Sequence[Notice]) -> Letter:
    """Return the letter of a message, in NOTICE_LANGUAGE.

    Parameters
    ----------
    notices
        At least one, all of one borrower and one topic.
    """
    borrower = notices[0].borrower
    if borrower is None:
        raise ValueError("A notice of an anonymised loan has no recipient.")
    language = settings.NOTICE_LANGUAGE
    context = {
        "library": settings.LIBRARY_NAME,
        "name": borrower.name or borrower.card_number,
        "lines": [_line(notice) for notice in notices],
        "last": notices[0].kind == Notice.Kind.OVERDUE_3,
    }
    with translation.override(language):
        written = render_to_string(f"notices/{language}/{topic_of(kind=notices[0].kind)}.txt", context)
    # The first line of a template is the subject.
    subject, _newline, text = written.strip().partition("\n")
    return Letter(borrower, subject.strip(), text.strip() + "\n", tuple(notices))


def letters_to_print() -> Iterator[Letter]:
    """Yield the letters to print, one per message."""
    rows = with_borrowers(Notice.objects.filter(state=Notice.State.TO_PRINT))
    for _message, notices in groupby(rows, key=lambda notice: notice.message_id):
        if addressed := [notice for notice in notices if notice.borrower]:
            yield compose(notices=addressed)


def _line(notice: Notice) -> dict[str, object]:
    if loan := notice.loan:
        return {"title": loan.copy.book.title, "day": library_date(at=notice.occasion)}
    hold = notice.hold
    assert hold is not None  # guaranteed by a database constraint
    return {
        "title": hold.book.title,
        "branch": hold.pickup_branch,
        "day": last_day_on_shelf(ready_at=notice.occasion),
    }
