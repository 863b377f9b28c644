"""How many queries a list with thirty rows takes: one query a row would show at once."""

import pytest
from django.contrib.contenttypes.models import ContentType

from library.catalogue.models import Book
from library.circulation.models import ClosedDay, FineEntry, Hold, Notice
from tests.classifier.factories import make_recommendation, make_similar_book, make_suggestion, make_version
from tests.factories import (
    NOW,
    make_book,
    make_borrower,
    make_borrower_category,
    make_branch,
    make_category,
    make_copy,
    make_item_type,
    make_loan,
    make_policy,
)
from tests.logins import desk, make_librarian

ROWS = 30

# Session and user, permissions (own and the group's) where one is asked for, the rows' count and the rows.
# What is above six is a filter's choices, a date hierarchy, the book's inlines, or the audit log's entry.
LISTS = {
    "/api/v1/books/": 4,
    "/api/v1/categories/": 4,
    "/api/v1/copies/": 4,
    "/api/v1/borrowers/": 7,
    "/api/v1/borrowers/?search=anna+chen": 7,
    "/api/v1/loans/": 7,
    "/api/v1/holds/": 7,
    "/api/v1/loans/?overdue=true": 7,
    "/api/v1/fines/": 7,
    "/api/v1/notices/": 7,
    "/api/v1/branches/": 4,
    "/api/v1/item-types/": 4,
    "/api/v1/borrower-categories/": 6,
    "/api/v1/loan-policies/": 6,
    "/api/v1/closed-days/": 6,
    "/api/v1/suggestions/": 4,
    "/api/v1/recommendations/": 7,
    "/api/v1/books/{book}/similar/": 5,
    "/admin/catalogue/book/": 7,
    "/admin/catalogue/book/{book}/change/": 10,
    "/admin/catalogue/category/": 8,
    "/admin/catalogue/copy/": 8,
    "/admin/catalogue/branch/": 6,
    "/admin/catalogue/itemtype/": 6,
    "/admin/people/borrower/": 8,
    "/admin/people/borrower/?q=anna+chen": 8,
    "/admin/circulation/loan/": 9,
    "/admin/circulation/hold/": 8,
    "/admin/circulation/overdueloan/": 10,
    "/admin/circulation/overdueloan/export/": 13,
    "/admin/circulation/notice/": 7,
    "/admin/circulation/notice/letters/": 6,
    "/admin/circulation/fineentry/": 9,
    "/admin/circulation/loanpolicy/": 9,
    "/admin/circulation/closedday/": 9,
    "/admin/classifier/suggestion/": 8,
    "/admin/classifier/recommendation/": 7,
    "/admin/classifier/modelversion/": 8,
}


@pytest.fixture
def book():
    """A book with thirty of everything around it."""
    # Asked for once a process, so counted or not by the order of the tests.
    ContentType.objects.get_for_model(Book)
    book = make_book(category=make_category(parent=make_category()))
    for rank in range(1, ROWS + 1):
        category = make_category(parent=book.category)
        other = make_book(category=category, cover="covers/a.png")
        branch = make_branch()
        copy = make_copy(book=book, branch=branch, item_type=make_item_type())
        borrower = make_borrower(name="Anna Chen", category=make_borrower_category())
        loan = make_loan(copy=copy, borrower=borrower)
        make_policy(branch=branch, item_type=copy.item_type, borrower_category=make_borrower_category())
        ClosedDay.objects.create(branch=branch, date=NOW)
        about = {"borrower": loan.borrower, "copy": copy, "pickup_branch": branch}
        Hold.objects.create(book=book, position=rank, placed_at=NOW, **about)
        told = {"kind": "overdue_1", "occasion": NOW, "state": "to_print", "claimed_at": NOW}
        Notice.objects.create(loan=loan, message_id=f"<{rank}@library.example>", **told)
        FineEntry.objects.create(loan=loan, borrower=loan.borrower, kind="charge", amount=1, at=NOW)
        version = make_version()
        make_suggestion(book=book, rank=rank, category=category, model_version=version)
        make_recommendation(borrower=loan.borrower, book=other)
        make_similar_book(book=book, rank=rank, other=other)
    return book


@pytest.mark.django_db
@pytest.mark.parametrize(("address", "queries"), LISTS.items())
def test_a_list_takes_no_more_queries_for_more_rows(address, queries, book, django_assert_num_queries):
    client = desk(make_librarian())
    with django_assert_num_queries(queries):
        answer = client.get(address.format(book=book.pk))
    assert answer.status_code == 200
