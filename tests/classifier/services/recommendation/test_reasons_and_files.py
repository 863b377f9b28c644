"""Reasons of recommendations, and their CSV file."""

import csv
import io
import re

import pytest
from django.db import DatabaseError

from classifier.models import Recommendation
from classifier.services.recommendation.recommend import recommend
from classifier.services.runs.context import JobContext
from library.circulation.models import LoanEvent
from library.errors import LibraryError
from library.people.models import AuditEntry
from library.people.services.audit import system_user
from tests.classifier.libraries import make_library
from tests.classifier.stored_recommendations import history, recommended
from tests.factories import NOW, make_book, make_loan

pytestmark = pytest.mark.django_db


def test_a_reason_names_a_title_the_borrower_has_had():
    make_library()
    recommend(JobContext(now=NOW))
    kinds = set()
    for card, rows in recommended().items():
        titles = {book.title for book in history(card)}
        for row in rows:
            kind, title, rest = re.split("[“”]", row.reason)
            kinds.add((kind, rest))
            assert title in titles
            assert row.because.title == title
    loans, text = ("Borrowers of ", " also borrowed this"), ("Similar text to ", "")
    assert {loans, text} <= kinds <= {loans, text, ("Borrowers of ", " also borrowed this; similar text")}


def test_what_only_popularity_speaks_for_says_so():
    star, comet, popular, _ = (make_book(title=title) for title in ("star", "a star", "soup", "a soup"))
    reader = make_loan(book=star).borrower
    for _number in range(5):
        LoanEvent.objects.create(kind="checkout", occurred_at=NOW, book=popular)
    recommend(JobContext(now=NOW))
    rows = Recommendation.objects.filter(borrower=reader)
    assert [(row.book, row.reason) for row in rows] == [
        (comet, "Similar text to “star”"),
        (popular, "Popular in this library"),
    ]


def test_a_very_long_title_is_cut_in_the_reason():
    long, other = make_book(title="star " * 200), make_book(title="star")
    reader = make_loan(book=long).borrower
    recommend(JobContext(now=NOW))
    row = Recommendation.objects.get(borrower=reader)
    assert row.book == other
    assert row.reason == f"Similar text to “{('star ' * 60)[:299]}…”"


def test_the_file_holds_what_the_rows_hold(tmp_path):
    make_library()
    file = tmp_path / "recommendations.csv"
    assert recommend(JobContext(now=NOW), n=3, output=file)["output"] == str(file)
    expected = io.StringIO(newline="")
    writer = csv.writer(expected)
    writer.writerow(["borrower", "rank", "book", "score", "reason"])
    for card, rows in recommended().items():
        for row in rows:
            writer.writerow([card, row.rank, row.book.control_number, f"{row.score:.6f}", row.reason])
    assert file.read_bytes().decode() == expected.getvalue()
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.user_name, entry.path) == (
        "exported",
        system_user(),
        "manage.py recommend --output",
    )
    assert (entry.created_at, entry.object_type) == (NOW, "people.borrower")
    borrowers = Recommendation.objects.values_list("borrower", flat=True).distinct().order_by("borrower")
    assert entry.record_keys == [str(pk) for pk in borrowers]


def test_file_needs_its_audit_entry(tmp_path, monkeypatch):
    make_library()
    recommend(JobContext(now=NOW))
    assert not AuditEntry.objects.exists()

    def fail(**fields):
        raise DatabaseError("disk full")

    monkeypatch.setattr("classifier.services.recommendation.recommend.write_entry", fail)
    with pytest.raises(DatabaseError, match="disk full"):
        recommend(JobContext(now=NOW), output=tmp_path / "recommendations.csv")
    assert list(tmp_path.glob("*.csv")) == []


def test_missing_output_folder_is_named(tmp_path):
    make_library()
    file = tmp_path / "nowhere" / "recommendations.csv"
    with pytest.raises(LibraryError) as caught:
        recommend(JobContext(now=NOW), output=file)
    assert caught.value.message == f"{file} cannot be written: No such file or directory."
