"""A reviewer and a book with suggestions."""

import pytest

from classifier.services.review.queue import next_for
from tests.classifier.factories import make_item, make_suggestion, make_version
from tests.factories import NOW, make_book
from tests.logins import make_user_without_permissions


@pytest.fixture
def reviewer(db):
    return make_user_without_permissions()


@pytest.fixture
def best(reviewer):
    """The best of three suggestions for a book that the reviewer has locked."""
    book, version = make_book(title="Optics"), make_version()
    best, *_ = [
        make_suggestion(
            book=book, rank=rank, probability=sure, model_version=version, evidence={"rank": rank}
        )
        for rank, sure in ((1, 0.6), (2, 0.3), (3, 0.1))
    ]
    make_item(book=book)
    next_for(reviewer=reviewer, now=NOW)
    return best
