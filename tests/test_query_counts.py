"""How many queries each list takes, with few rows and with three times as many."""

import re

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from classifier.models import Change, Listing, Reclassification, TitleLinks
from library.admin_site.roles import ADMINISTRATORS
from library.analytics.models import ScheduledReport
from library.catalogue.models import Book, Branch
from library.circulation.models import ClosedDay, FineEntry, Hold, Loan, Notice
from library.people.models import AuditEntry, Borrower
from library.people.services.audit import write_entry
from library.rest.models import ApiToken
from tests.classifier.factories import (
    make_alarm,
    make_batch,
    make_change,
    make_drift_report,
    make_feedback,
    make_item,
    make_links,
    make_listing,
    make_misfiled,
    make_recommendation,
    make_review,
    make_run,
    make_suggestion,
    make_version,
)
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
    make_taxonomy_change,
)
from tests.library.admin_site.addresses import walk
from tests.logins import desk, make_user

FEW = 4

# Session and user, permissions (own and the group's) where one is asked for, the rows' count and the rows.
# What is above six is a filter's choices, a date hierarchy, the count of all rows beside that of those found,
# the book's inlines, or the audit log's entry.
# Every list of the admin and the API stands here; a new one without its budget fails the test.
BUDGETS = {
    "/api/v1/books/": 5,
    "/api/v1/books/?search=title": 5,
    # Neither copies nor a count nor, below, categories.
    "/api/v1/books/?pagination=cursor&fields=title,category_notation": 3,
    "/api/v1/books/?fields=id,title": 4,
    # The branch and the category, and those below it.
    "/api/v1/books/?branch={branch}&category={category}&available=true": 8,
    "/api/v1/books/{book}/availability/": 5,
    "/api/v1/categories/": 4,
    "/api/v1/categories/tree/": 4,
    "/api/v1/categories/{category}/ancestors/": 5,
    "/api/v1/categories/{category}/children/": 5,
    "/api/v1/copies/": 4,
    "/api/v1/borrowers/": 7,
    "/api/v1/borrowers/?search=anna+chen": 7,
    "/api/v1/loans/": 7,
    # The titles that are meant, before the rows about them.
    "/api/v1/loans/?search=title": 8,
    "/api/v1/holds/": 7,
    "/api/v1/loans/?overdue=true": 7,
    "/api/v1/fines/": 7,
    "/api/v1/notices/": 7,
    "/api/v1/branches/": 4,
    "/api/v1/item-types/": 4,
    "/api/v1/borrower-categories/": 6,
    "/api/v1/loan-policies/": 6,
    "/api/v1/closed-days/": 6,
    "/api/v1/runs/": 6,
    "/api/v1/reviews/": 6,
    "/api/v1/reviews/next/?n=20": 15,
    "/api/v1/reviews/figures/": 6,
    "/api/v1/alarms/": 6,
    "/api/v1/models/": 6,
    "/api/v1/reclassifications/": 6,
    "/api/v1/changes/": 6,
    "/api/v1/misfiled/": 6,
    "/api/v1/taxonomy-changes/": 6,
    "/api/v1/suggestions/": 4,
    "/api/v1/recommendations/": 7,
    "/api/v1/feedback/": 7,
    "/api/v1/books/{other}/similar/": 6,
    # Loans, opinions, links, the categories read, three lists, books, and the titles of the reasons.
    "/api/v1/borrowers/{borrower}/recommendations/": 16,
    "/api/v1/books/{book}/suggestions/": 5,
    "/api/v1/popular/": 4,
    # The branch and the category, and those below it.
    "/api/v1/popular/?branch={branch}&category={category}&language=en&available=true": 7,
    "/api/v1/trending/": 4,
    "/api/v1/latest/": 4,
    "/api/v1/treasures/": 4,
    # A query or two for each tile.
    "/admin/": 20,
    "/admin/auth/group/": 7,
    "/admin/auth/user/": 8,
    "/admin/rest/apitoken/": 7,
    "/admin/axes/accessattempt/": 10,
    "/admin/catalogue/book/": 7,
    "/admin/catalogue/book/?q=title": 8,
    "/admin/catalogue/book/{book}/change/": 10,
    "/admin/catalogue/book/lists/": 9,
    "/admin/catalogue/branch/": 6,
    "/admin/catalogue/category/": 8,
    "/admin/catalogue/copy/": 8,
    "/admin/catalogue/itemtype/": 6,
    "/admin/catalogue/taxonomychange/": 8,
    "/admin/circulation/closedday/": 9,
    "/admin/circulation/fineentry/": 9,
    "/admin/circulation/hold/": 8,
    "/admin/circulation/loan/": 9,
    "/admin/circulation/loan/?q=title": 10,
    "/admin/circulation/loanpolicy/": 9,
    "/admin/classifier/alarm/": 6,
    "/admin/classifier/driftreport/": 8,
    "/admin/classifier/feedback/": 7,
    "/admin/classifier/change/": 6,
    "/admin/classifier/change/?reclassification__id__exact={batch}": 10,
    "/admin/classifier/misfiled/": 8,
    "/admin/classifier/modelversion/": 8,
    # The two versions, those to choose from, and the names of categories.
    "/admin/classifier/modelversion/compare/": 12,
    "/admin/classifier/modelversion/map/": 9,
    "/admin/classifier/reclassification/": 8,
    "/admin/classifier/recommendation/": 7,
    "/admin/classifier/recommendation/for/?card_number={card}": 18,
    "/admin/classifier/review/": 8,
    "/admin/classifier/review/next/": 18,
    "/admin/classifier/review/groups/": 10,
    "/admin/classifier/run/": 7,
    "/admin/classifier/suggestion/": 8,
    "/admin/django_celery_beat/clockedschedule/": 7,
    "/admin/django_celery_beat/crontabschedule/": 7,
    "/admin/django_celery_beat/intervalschedule/": 7,
    "/admin/django_celery_beat/periodictask/": 10,
    "/admin/django_celery_beat/solarschedule/": 7,
    "/admin/people/auditentry/": 8,
    "/admin/people/borrower/": 8,
    "/admin/people/borrower/?q=anna+chen": 8,
    "/admin/circulation/overdueloan/": 10,
    "/admin/circulation/overdueloan/export/": 13,
    "/admin/circulation/notice/": 7,
    "/admin/circulation/notice/letters/": 6,
    "/admin/people/borrowercategory/": 7,
    "/admin/analytics/statistics/": 20,
    "/admin/analytics/statistics/?category={category}&branch={branch}": 20,
    "/admin/analytics/statistics/titles/": 16,
    "/admin/analytics/statistics/collection/": 14,
    "/admin/analytics/statistics/seasons/": 8,
    "/admin/analytics/statistics/returns/": 12,
    "/admin/analytics/statistics/borrowers/": 12,
    "/admin/analytics/statistics/forecast/": 12,
    "/admin/analytics/statistics/purchase/": 14,
    "/admin/analytics/statistics/weeding/": 12,
    "/admin/analytics/statistics/shelf/": 12,
    "/admin/analytics/scheduledreport/": 8,
    "/api/v1/stats/loans/?group_by=branch": 8,
    "/api/v1/stats/most-loaned/": 8,
    "/api/v1/stats/categories/?category={category}": 12,
}


def add_rows(book, start, stop):
    """Make so many more of everything, round one book."""
    for number in range(start, stop):
        category = make_category(parent=book.category)
        other = make_book(category=category, cover="covers/a.png")
        branch = make_branch()
        copy = make_copy(book=book, branch=branch, item_type=make_item_type())
        borrower = make_borrower(name="Anna Chen", category=make_borrower_category())
        loan = make_loan(copy=copy, borrower=borrower)
        make_policy(branch=branch, item_type=copy.item_type, borrower_category=make_borrower_category())
        ClosedDay.objects.create(branch=branch, date=NOW)
        about = {"borrower": borrower, "copy": copy, "pickup_branch": branch}
        Hold.objects.create(book=book, position=number, placed_at=NOW, **about)
        told = {"kind": "overdue_1", "occasion": NOW, "state": "to_print", "claimed_at": NOW}
        Notice.objects.create(loan=loan, message_id=f"<{number}@library.example>", **told)
        FineEntry.objects.create(loan=loan, borrower=borrower, kind="charge", amount=1, at=NOW)
        version = make_version(parent=make_version(), previous=make_version())
        make_alarm()
        make_drift_report(version=version)
        make_suggestion(book=book, rank=number, category=category, model_version=version)
        batch = Reclassification.objects.order_by("pk").first() or make_batch()
        make_change(reclassification=batch, book=other, from_category=category)
        make_batch(run=make_run(kind="reclassify", status="succeeded"))
        make_misfiled(book=other)
        make_taxonomy_change(category=category)
        about = {"branch": branch, "category": category}
        ScheduledReport.objects.create(page="overview", email="head@library.example", every="week", **about)
        make_recommendation(borrower=borrower, book=other)
        make_feedback(borrower=borrower, book=other)
        make_links(book=other, following={book: {"text": 0.5}}, alike={book: {"text": 0.5}})
        for kind in Listing.Kind:
            make_listing(kind=kind, book=make_copy(branch=branch).book)
        there = Branch.objects.earliest("pk")
        make_listing(
            book=make_copy(book=make_book(category=book.category, language="en"), branch=there).book,
            branch=there,
        )
        waits = make_suggestion(category=category).book
        make_suggestion(book=waits, rank=2)
        make_copy(book=waits, branch=branch)
        make_links(book=waits, alike={other: {"text": 0.5}})
        make_item(book=waits)
        make_review()
        add_rows_of_packages(number)
        write_entry(user=None, action=AuditEntry.Action.VIEWED, path="/", now=NOW, model=Borrower)


def add_rows_of_packages(number):
    """Make one more of each record that other packages bring."""
    user = User.objects.create_user(f"user {number}")
    make_run(status="succeeded", asked_by=user)
    user.groups.add(Group.objects.create(name=f"group {number}"))
    ApiToken.objects.create(user=user, digest=number, created_at=NOW, expires_at=NOW)
    AccessAttempt.objects.create(username=f"user {number}", attempt_time=NOW, failures_since_start=1)
    schedules = {
        "interval": IntervalSchedule.objects.create(every=number, period="days"),
        "crontab": CrontabSchedule.objects.create(minute=number),
        "clocked": ClockedSchedule.objects.create(clocked_time=NOW),
        "solar": SolarSchedule.objects.create(event="sunset", latitude=number, longitude=0),
    }
    for kind, schedule in schedules.items():
        one_off = kind == "clocked"
        PeriodicTask.objects.create(
            name=f"{kind} {number}", task="sample", one_off=one_off, **{kind: schedule}
        )


def counted(client, book):
    """Return how many queries each address takes."""
    counts = {}
    about = {
        "book": book.pk,
        "category": book.category_id,
        "branch": Branch.objects.earliest("pk").pk,
        "other": TitleLinks.objects.latest("book").pk,
        "borrower": (loan := Loan.objects.latest("pk")).borrower_id,
        "card": loan.borrower.card_number,
        "batch": Change.objects.values_list("reclassification", flat=True).first(),
    }
    for address in BUDGETS:
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(address.format(**about))
        assert answer.status_code == 200, address
        counts[address] = len(queries)
    return counts


def test_every_list_has_a_budget():
    lists = {
        "/" + re.sub(r"[\^$]|\\Z", "", route)
        for name, route in walk()
        if re.search(r"_changelist$|-list$", name)
    }
    assert len(lists) > 30
    assert lists <= BUDGETS.keys()


@pytest.mark.django_db
def test_a_record_of_the_api_takes_no_more_queries_than_its_list():
    ContentType.objects.get_for_model(Book)
    add_rows(make_book(category=make_category(parent=make_category())), 1, FEW + 1)
    client = desk(make_user(ADMINISTRATORS))
    lists = {"/" + route.partition("(")[0] for name, route in walk() if name.endswith("-detail")}
    over = {}
    for address in lists:
        row = client.get(address).json()["results"][0]
        with CaptureQueriesContext(connection) as queries:
            assert client.get(f"{address}{row.get('id', row.get('pk'))}/").status_code == 200
        if len(queries) > BUDGETS[address]:
            over[address] = len(queries)
    assert over == {}
    assert len(lists) > 15


@pytest.mark.django_db
def test_lists_keep_their_budgets_and_take_no_more_queries_for_more_rows():
    # Asked for once a process, so counted or not by the order of the tests.
    ContentType.objects.get_for_model(Book)
    book = make_book(category=make_category(parent=make_category()))
    client = desk(make_user(ADMINISTRATORS))
    add_rows(book, 1, FEW + 1)
    few = counted(client, book)
    add_rows(book, FEW + 1, 3 * FEW + 1)
    many = counted(client, book)
    assert {address: (few[address], many[address]) for address in few if few[address] != many[address]} == {}
    assert {address: count for address, count in many.items() if count > BUDGETS[address]} == {}
