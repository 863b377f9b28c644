"""URLs of the site, with sample records for their arguments."""

import re
from collections.abc import Iterator
from typing import Any

from axes.models import AccessAttempt
from django.contrib.auth.models import Group, User
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RegexPattern
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from library.analytics.models import ScheduledReport, Statistics
from library.circulation.models import ClosedDay, FineEntry, Hold, Notice
from library.people.models import AuditEntry
from library.people.services.audit import write_entry
from library.rest.models import ApiToken
from tests.classifier.factories import (
    make_alert,
    make_change,
    make_drift_report,
    make_feedback,
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

#: Query strings and arguments besides the key of a record.
QUERIES = {"admin:autocomplete": "?app_label=circulation&model_name=loan&field_name=borrower&term="}
ARGUMENTS = {
    "cover": {"path": "a.jpg"},
    "book-cover": {"size": "small"},
    "recording": {"path": "a.wav"},
    "admin:app_list": {"app_label": "catalogue"},
    "admin/(?P<url>.*)$": {"url": "nowhere/"},
}


def walk(resolver: URLResolver | None = None, route: str = "", space: str = "") -> Iterator[tuple[str, str]]:
    """Yield the name (or, without a name, the route) and the route of every URL."""
    for entry in (resolver or get_resolver()).url_patterns:
        here = route + str(entry.pattern).removeprefix("^" if isinstance(entry.pattern, RegexPattern) else "")
        if isinstance(entry, URLResolver):
            yield from walk(entry, here, f"{space}{entry.namespace}:" if entry.namespace else space)
        elif isinstance(entry, URLPattern):
            yield (f"{space}{entry.name}" if entry.name else here), here


def fill_route(name: str, route: str, samples: dict[str, Any]) -> str:
    """Return the URL of a route, with arguments from the samples."""
    values = ARGUMENTS.get(name, {})
    label = None
    if found := re.match(r"admin/(\w+)/(\w+)/", route):
        label = ".".join(found.groups())
    elif found := re.match(r"api/v1/([\w-]+)/", route):
        plural = {
            "categories": "catalogue.category",
            "copies": "catalogue.copy",
            "batches": "classifier.batch",
            "branches": "catalogue.branch",
            "item-types": "catalogue.itemtype",
            "borrower-categories": "people.borrowercategory",
            "loan-policies": "circulation.loanpolicy",
            "closed-days": "circulation.closedday",
            "fines": "circulation.fineentry",
            "models": "classifier.modelversion",
            "taxonomy-changes": "catalogue.taxonomychange",
            "tokens": "rest.apitoken",
        }
        label = plural.get(found[1]) or next(
            (name for name in samples if name.endswith("." + found[1].rstrip("s"))), None
        )

    def value(match: re.Match[str]) -> str:
        kind = match[1] or match[2]
        return str(values[kind] if kind in values else samples.get(f"people.{kind}", samples.get(label)))

    path = re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)|<(?:\w+:)?(\w+)>", value, route)
    return "/" + path.removesuffix("\\Z").removesuffix("$").replace("\\", "") + QUERIES.get(name, "")


def make_samples() -> dict[str, Any]:
    """Create a record of every model of the admin; return the primary keys by label.

    The pages can show the name and card number of only this borrower.
    """
    category = make_category()
    book = make_book(title="Optics", category=category)
    borrower = make_borrower(name="Zyxwvut Reader", card_number="CARD-OF-ZYX")
    user = User.objects.create_user("sample")
    interval = IntervalSchedule.objects.create(every=1, period="days")
    loan = make_loan(borrower=borrower, book=book)
    records = [
        category,
        make_branch(),
        make_item_type(),
        make_borrower_category(),
        make_policy(branch=make_branch()),
        ClosedDay.objects.create(date=NOW),
        Hold.objects.create(book=make_book(), borrower=borrower, position=1, placed_at=NOW),
        FineEntry.objects.create(loan=loan, borrower=borrower, kind="charge", amount=1, created_at=NOW),
        Notice.objects.create(
            loan=loan,
            kind="overdue_1",
            occasion=loan.due_at,
            state="to_print",
            message_id="<a@b>",
            claimed_at=NOW,
        ),
        book,
        make_copy(book=book),
        borrower,
        loan,
        make_suggestion(book=book, category=category),
        make_recommendation(borrower=borrower, book=book),
        make_feedback(borrower=borrower, book=book),
        make_version(),
        make_alert(),
        make_drift_report(),
        make_run(status="succeeded"),
        make_review(),
        (change := make_change()),
        change.batch,
        make_misfiled(),
        make_taxonomy_change(),
        user,
        ApiToken.objects.create(user=user, name="sample", created_at=NOW, expires_at=NOW),
        Statistics.objects.create(pk=1),
        ScheduledReport.objects.create(page="overview", email="head@library.example", frequency="week"),
        Group.objects.create(name="sample"),
        AccessAttempt.objects.create(attempt_time=NOW, failures_since_start=1),
        write_entry(user=None, action=AuditEntry.Action.VIEWED, path="/", now=NOW, model=type(borrower)),
        interval,
        CrontabSchedule.objects.create(),
        ClockedSchedule.objects.create(clocked_time=NOW),
        SolarSchedule.objects.create(event="sunset", latitude=0, longitude=0),
        PeriodicTask.objects.create(name="sample", task="sample", interval=interval),
    ]
    samples = {record._meta.label_lower: record.pk for record in records}
    return samples | {
        "circulation.overdueloan": loan.pk,
    }
