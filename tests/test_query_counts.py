"""Query budgets of all lists, with few rows and with three times as many."""

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

from classifier.models import Batch, Change, ItemNeighbours, Listing
from library.admin_site.roles import ADMINISTRATORS
from library.analytics.models import ScheduledReport
from library.catalogue.models import Book, Branch
from library.circulation.models import ClosedDay, FineEntry, Hold, Loan, Notice
from library.people.models import AuditEntry, Borrower
from library.people.services.audit import write_entry
from library.rest.models import ApiToken
from tests.classifier.factories import (
    make_alert,
    make_batch,
    make_change,
    make_drift_report,
    make_feedback,
    make_item,
    make_listing,
    make_misfiled,
    make_neighbours,
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
from tests.library.admin_site.url_samples import walk
from tests.logins import desk, make_user
from tests.query_budgets import BUDGETS

FEW = 4


def add_rows(book, start, stop):
    """Add rows of every model, related to one book."""
    for number in range(start, stop):
        category = make_category(parent=book.category)
        other = make_book(category=category, cover="covers/a.png")
        branch = make_branch()
        copy = make_copy(book=book, branch=branch, item_type=make_item_type())
        borrower = make_borrower(name="Anna Chen", category=make_borrower_category())
        loan = make_loan(copy=copy, borrower=borrower)
        make_policy(branch=branch, item_type=copy.item_type, borrower_category=make_borrower_category())
        ClosedDay.objects.create(branch=branch, date=NOW)
        hold = {"borrower": borrower, "copy": copy, "pickup_branch": branch}
        Hold.objects.create(book=book, position=number, placed_at=NOW, **hold)
        notice = {"kind": "overdue_1", "occasion": NOW, "state": "to_print", "claimed_at": NOW}
        Notice.objects.create(loan=loan, message_id=f"<{number}@library.example>", **notice)
        FineEntry.objects.create(loan=loan, borrower=borrower, kind="charge", amount=1, created_at=NOW)
        version = make_version(parent=make_version(), previous=make_version())
        make_alert()
        make_drift_report(version=version)
        make_suggestion(book=book, rank=number, category=category, model_version=version)
        batch = Batch.objects.order_by("pk").first() or make_batch()
        make_change(batch=batch, book=other, from_category=category)
        make_batch(run=make_run(kind="reclassify", status="succeeded"))
        make_misfiled(book=other)
        make_taxonomy_change(category=category)
        filters = {"branch": branch, "category": category}
        ScheduledReport.objects.create(
            page="overview", email="head@library.example", frequency="week", **filters
        )
        make_recommendation(borrower=borrower, book=other)
        make_feedback(borrower=borrower, book=other)
        make_neighbours(book=other, following={book: {"text": 0.5}}, similar={book: {"text": 0.5}})
        for kind in Listing.Kind:
            make_listing(kind=kind, book=make_copy(branch=branch).book)
        first_branch = Branch.objects.earliest("pk")
        make_listing(
            book=make_copy(book=make_book(category=book.category, language="en"), branch=first_branch).book,
            branch=first_branch,
        )
        waiting = make_suggestion(category=category).book
        make_suggestion(book=waiting, rank=2)
        make_copy(book=waiting, branch=branch)
        make_neighbours(book=waiting, similar={other: {"text": 0.5}})
        make_item(book=waiting)
        make_review()
        add_rows_of_packages(number)
        write_entry(user=None, action=AuditEntry.Action.VIEWED, path="/", now=NOW, model=Borrower)


def add_rows_of_packages(number):
    """Add a row of each model of the installed packages."""
    user = User.objects.create_user(f"user {number}")
    make_run(status="succeeded", requested_by=user)
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


def query_counts(client, book):
    """Return the number of queries of each URL."""
    counts = {}
    values = {
        "book": book.pk,
        "category": book.category_id,
        "branch": Branch.objects.earliest("pk").pk,
        "other": ItemNeighbours.objects.latest("book").pk,
        "borrower": (loan := Loan.objects.latest("pk")).borrower_id,
        "card": loan.borrower.card_number,
        "batch": Change.objects.values_list("batch", flat=True).first(),
    }
    for url in BUDGETS:
        with CaptureQueriesContext(connection) as queries:
            response = client.get(url.format(**values))
        assert response.status_code == 200, url
        counts[url] = len(queries)
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
def test_api_record_takes_no_more_queries_than_its_list():
    ContentType.objects.get_for_model(Book)
    add_rows(make_book(category=make_category(parent=make_category())), 1, FEW + 1)
    client = desk(make_user(ADMINISTRATORS))
    lists = {"/" + route.partition("(")[0] for name, route in walk() if name.endswith("-detail")}
    over = {}
    for url in lists:
        row = client.get(url).json()["results"][0]
        with CaptureQueriesContext(connection) as queries:
            assert client.get(f"{url}{row.get('id', row.get('pk'))}/").status_code == 200
        if len(queries) > BUDGETS[url]:
            over[url] = len(queries)
    assert over == {}
    assert len(lists) > 15


@pytest.mark.django_db
def test_list_budgets():
    # Cached per process, so it would be counted depending on the order of the tests.
    ContentType.objects.get_for_model(Book)
    book = make_book(category=make_category(parent=make_category()))
    client = desk(make_user(ADMINISTRATORS))
    add_rows(book, 1, FEW + 1)
    few = query_counts(client, book)
    add_rows(book, FEW + 1, 3 * FEW + 1)
    many = query_counts(client, book)
    assert {url: (few[url], many[url]) for url in few if few[url] != many[url]} == {}
    assert {url: count for url, count in many.items() if count > BUDGETS[url]} == {}
