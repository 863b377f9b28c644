"""Every address of the site, who may have it, and a record to try it with.

What is expected of the admin's pages of a model follows from the matrix of the roles; all else is named here.
An address that is in neither fails the test that walks them.
"""

import re
from collections.abc import Iterator
from typing import Any

from axes.models import AccessAttempt
from django.contrib import admin
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

from library.admin_site.roles import CLIENTS, ROLES, permissions_of
from library.analytics.figures.registry import PAGES
from library.analytics.models import ScheduledReport, Statistics
from library.circulation.models import ClosedDay, FineEntry, Hold, Notice
from library.people.models import AuditEntry
from library.people.services.audit import write_entry
from library.rest.models import ApiToken
from tests.classifier.factories import (
    make_alarm,
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

PUBLIC, SIGNED_IN, STAFF = "public", "signed in", "staff"
NOBODY = "a permission that nobody has"
STRANGER, NO_ROLE = "stranger", "no role"

#: By method, who gets the address, and the status they get. Who: one of the three words, or permissions that
#: are all needed (with a bar between: either will do).
Expected = dict[str, tuple[str | tuple[str, ...], int]]

_PAGES = {"changelist": "view|change", "add": "add", "delete": "delete", "history": "view|change"}

#: By basename: the model, what reading takes, and whether the API writes it.
_API: dict[str, tuple[str, bool, bool]] = {
    "category": ("catalogue.category", False, True),
    "book": ("catalogue.book", False, True),
    "copy": ("catalogue.copy", False, True),
    "borrower": ("people.borrower", True, True),
    "loan": ("circulation.loan", True, True),
    "hold": ("circulation.hold", True, False),
    "suggestion": ("classifier.suggestion", False, False),
    "recommendation": ("classifier.recommendation", True, False),
    "modelversion": ("classifier.modelversion", True, False),
    "alarm": ("classifier.alarm", True, False),
    "branch": ("catalogue.branch", False, True),
    "itemtype": ("catalogue.itemtype", False, True),
    "borrowercategory": ("people.borrowercategory", True, True),
    "loanpolicy": ("circulation.loanpolicy", True, True),
    "closedday": ("circulation.closedday", True, True),
    "fineentry": ("circulation.fineentry", True, False),
    "notice": ("circulation.notice", True, False),
    "reclassification": ("classifier.reclassification", True, False),
    "change": ("classifier.change", True, False),
    "misfiled": ("classifier.misfiled", True, False),
    "taxonomychange": ("catalogue.taxonomychange", True, False),
}

_SHOWN_ONLY = {"circulation.hold", "circulation.notice"}
#: Whose permission to change is for something else: a run is cancelled by it, a version promoted.
_NEVER_SAVED = {
    "rest.apitoken",
    "classifier.run", "classifier.modelversion", "classifier.reclassification", "classifier.misfiled",
}  # fmt: skip
_DESK = ("circulation.add_loan", "people.view_borrower")
_MAY_CHANGE = {"get": (("catalogue.change_category",), 200), "post": (("catalogue.change_category",), 200)}
#: What a file brings beside the rows it is of is made with it.
_IMPORTS = {
    "catalogue_book": (
        "catalogue.add_book", "catalogue.change_book", "catalogue.add_category", "catalogue.add_copy",
    ),
    "catalogue_category": ("catalogue.add_category", "catalogue.change_category"),
    "circulation_loan": (
        "circulation.add_loan", "circulation.change_loan", "people.view_borrower", "people.add_borrower",
        "catalogue.add_copy",
    ),
}  # fmt: skip
_DECIDES = ("classifier.view_modelversion", "classifier.change_modelversion")

_NAMED: dict[str, Expected] = {
    "home": {"get": (PUBLIC, 200)},
    "health": {"get": (PUBLIC, 302)},
    "health-live": {"get": (PUBLIC, 200)},
    "health-ready": {"get": (PUBLIC, 200)},
    # By address.
    "metrics": {"get": (PUBLIC, 200)},
    "api-status": {"get": (SIGNED_IN, 200)},
    "cover": {"get": (PUBLIC, 200)},
    "recording": {"get": (PUBLIC, 200)},
    "set_language": {"post": (PUBLIC, 302)},
    "api-token": {"post": (PUBLIC, 400), "get": (PUBLIC, 405)},
    "api-tokens": {"get": (SIGNED_IN, 200)},
    "api-token-revoke": {"delete": (SIGNED_IN, 404)},
    "api-schema": {"get": (PUBLIC, 200)},
    "api-docs": {"get": (PUBLIC, 200)},
    "book-similar": {"get": (SIGNED_IN, 200)},
    "borrower-recommendations": {"get": (("people.view_borrower", "classifier.view_recommendation"), 200)},
    "book-availability": {"get": (SIGNED_IN, 200)},
    # As open as the files of covers; the sample has none.
    "book-cover": {"get": (PUBLIC, 404)},
    **{f"category-{name}": {"get": (SIGNED_IN, 200)} for name in ("tree", "children", "ancestors")},
    "book-suggestions": {"get": (SIGNED_IN, 200)},
    "classify": {"post": (SIGNED_IN, 400)},
    "classify-batch": {"post": (SIGNED_IN, 400)},
    **{name: {"get": (SIGNED_IN, 200)} for name in ("popular", "trending", "latest", "treasures")},
    **{
        f"admin:analytics_statistics_{page}": {"get": (("analytics.view_statistics",), 200)}
        for page in PAGES
        if page != "overview"
    },
    **{
        f"stats-{name}": {"get": (("analytics.view_statistics",), 200)}
        for name in ("loans", "most-loaned", "categories")
    },
    **{
        f"admin:{label}_import": {"get": (needed, 200), "post": (needed, 200)}
        for label, needed in _IMPORTS.items()
    },
    "admin:catalogue_book_lists": {"get": (("catalogue.view_book",), 200)},
    "suggestion-accept": {"post": (("catalogue.change_book",), 200)},
    "suggestion-review": {"post": (("classifier.add_review", "catalogue.change_book"), 400)},
    "loan-checkout": {"post": (("circulation.add_loan",), 400)},
    "loan-checkin-copy": {"post": (("circulation.add_loan",), 400)},
    "loan-allows-renewal": {"get": (("circulation.view_loan",), 200)},
    "borrower-account": {"get": (("people.view_borrower", "circulation.view_loan"), 200)},
    "loan-checkin": {"post": (("circulation.add_loan",), 200)},
    # It came back by the one before.
    "loan-renew": {"post": (("circulation.add_loan",), 409)},
    "hold-cancel": {"post": (("circulation.add_hold",), 200)},
    "hold-suspend": {"post": (("circulation.add_hold",), 409)},
    "hold-resume": {"post": (("circulation.add_hold",), 409)},
    "hold-reorder": {"post": (("circulation.add_hold",), 400)},
    "fineentry-pay": {"post": (("circulation.add_fineentry",), 400)},
    "fineentry-waive": {"post": (("circulation.add_fineentry",), 400)},
    "borrower-export": {"get": (("people.export_borrower",), 200)},
    "admin:people_borrower_export": {"get": (("people.export_borrower",), 200)},
    "admin:circulation_loan_checkout": {"get": (_DESK, 200), "post": (_DESK, 302)},
    "admin:circulation_loan_checkout_borrower": {"get": (_DESK, 200), "post": (_DESK, 302)},
    "admin:circulation_loan_checkin": {"get": (_DESK, 200), "post": (_DESK, 302)},
    "admin:circulation_overdueloan_export": {"get": (("circulation.view_overdueloan",), 200)},
    "admin:circulation_notice_letters": {"get": (("circulation.view_notice", "people.view_borrower"), 200)},
    # Written by services alone, whatever a person may.
    "admin:circulation_overdueloan_add": {"get": ((NOBODY,), 200)},
    "admin:circulation_overdueloan_delete": {"get": ((NOBODY,), 200)},
    "admin:circulation_notice_add": {"get": ((NOBODY,), 200)},
    "admin:circulation_loanpolicy_which": {
        "get": (("circulation.view_loanpolicy", "people.view_borrower"), 200)
    },
    # Lines of the ledger come from settling alone, whatever a person may.
    "admin:circulation_fineentry_add": {"get": ((NOBODY,), 200)},
    "admin:circulation_fineentry_settle": {
        "get": (("circulation.view_fineentry", "circulation.add_fineentry"), 200)
    },
    "admin:index": {"get": (STAFF, 200)},
    "admin:login": {"post": (PUBLIC, 200)},
    "admin:logout": {"get": (STAFF, 405)},
    "admin:password_change": {"get": (STAFF, 200)},
    "admin:password_change_done": {"get": (STAFF, 200)},
    "admin:jsi18n": {"get": (STAFF, 200)},
    "admin:search": {"get": (STAFF, 200)},
    "admin:view_on_site": {"get": (STAFF, 404)},
    "admin:app_list": {"get": (STAFF, 200)},
    "admin:autocomplete": {"get": (("people.view_borrower",), 200)},
    "admin:auth_user_password_change": {"get": (("auth.change_user",), 200)},
    "admin:classifier_recommendation_for": {
        "get": (("people.view_borrower", "classifier.view_recommendation"), 200)
    },
    "admin:classifier_feedback_add": {"get": ((NOBODY,), 200)},
    "feedback-list": {
        "get": (("classifier.view_feedback",), 200),
        "options": (("classifier.view_feedback",), 200),
        "post": (("classifier.add_feedback",), 400),
    },
    # The last of all, as nothing is left to look at then.
    "feedback-detail": {
        "get": (("classifier.view_feedback",), 200),
        "options": (("classifier.view_feedback",), 200),
        "put": (("classifier.change_feedback",), 405),
        "delete": (("classifier.delete_feedback",), 204),
    },
    # Reviews come from the page for them alone.
    "admin:classifier_review_add": {"get": ((NOBODY,), 200)},
    "admin:classifier_review_next": {
        "get": (("classifier.add_review", "catalogue.change_book"), 200),
        "post": (("classifier.add_review", "catalogue.change_book"), 302),
    },
    "admin:classifier_review_groups": {
        "get": (("classifier.add_review", "catalogue.change_book"), 200),
        "post": (("classifier.add_review", "catalogue.change_book"), 302),
    },
    "admin:classifier_review_categories": {"get": (("classifier.add_review", "catalogue.change_book"), 200)},
    "review-list": {
        "get": (("classifier.view_review",), 200),
        "options": (("classifier.view_review",), 200),
        "post": (("classifier.add_review", "catalogue.change_book"), 400),
    },
    "review-next-books": {"get": (("classifier.add_review", "catalogue.change_book"), 200)},
    # What is undone is the suggestion that was accepted above.
    "review-undo": {"post": (("classifier.add_review", "catalogue.change_book"), 200)},
    "review-figures": {"get": (("classifier.view_suggestion",), 200)},
    "admin:classifier_run_cancel": {
        "post": (("classifier.view_run", "classifier.change_run"), 302),
        "get": (STAFF, 405),
    },
    "admin:classifier_modelversion_compare": {"get": (("classifier.view_modelversion",), 200)},
    "admin:classifier_modelversion_map": {
        "get": (("classifier.view_modelversion", "catalogue.view_book"), 200),
        "post": (("classifier.view_modelversion", "catalogue.view_book", "classifier.add_run"), 302),
    },
    "admin:classifier_run_progress": {"get": (("classifier.view_run",), 200)},
    "admin:classifier_modelversion_promote": {"post": (_DECIDES, 302), "get": (STAFF, 405)},
    "admin:classifier_modelversion_pin": {"post": (_DECIDES, 302), "get": (STAFF, 405)},
    "admin:classifier_modelversion_rollback": {"post": (_DECIDES, 302), "get": (STAFF, 405)},
    "modelversion-promote": {"post": (("classifier.change_modelversion",), 400)},
    "modelversion-rollback": {"post": (("classifier.change_modelversion",), 400)},
    "modelversion-pin": {"post": (("classifier.change_modelversion",), 400)},
    "admin:classifier_reclassification_undo": {
        "post": (("classifier.view_reclassification", "classifier.change_reclassification"), 302),
        "get": (STAFF, 405),
    },
    "admin:classifier_misfiled_move": {
        "post": (("classifier.view_misfiled", "catalogue.change_book"), 302),
        "get": (STAFF, 405),
    },
    "admin:classifier_misfiled_dismiss": {
        "post": (("classifier.view_misfiled", "classifier.change_misfiled"), 302),
        "get": (STAFF, 405),
    },
    "reclassification-undo": {"post": (("classifier.change_reclassification",), 202)},
    "reclassification-accept": {"post": (("catalogue.change_book",), 200)},
    **{f"admin:catalogue_category_{kind}": _MAY_CHANGE for kind in ("merge", "split", "retire", "move")},
    "admin:catalogue_taxonomychange_undo": {
        "post": (("catalogue.view_taxonomychange", "catalogue.change_category"), 302),
        "get": (STAFF, 405),
    },
    "taxonomychange-preview": {"post": (("catalogue.change_category",), 400)},
    "taxonomychange-apply": {"post": (("catalogue.change_category",), 400)},
    # Undone and dismissed in the admin, which comes first.
    "taxonomychange-undo": {"post": (("catalogue.change_category",), 409)},
    "misfiled-dismiss": {"post": (("classifier.change_misfiled",), 409)},
    "misfiled-move": {"post": (("catalogue.change_book",), 409)},
    "run-list": {
        "get": (("classifier.view_run",), 200),
        "options": (("classifier.view_run",), 200),
        "post": (("classifier.add_run",), 400),
    },
    "run-detail": {"get": (("classifier.view_run",), 200), "put": (("classifier.change_run",), 405)},
    "run-cancel": {"post": (("classifier.change_run",), 409)},
    "run-events": {"get": (("classifier.view_run",), 200)},
    "admin:classifier_suggestion_accept": {
        "post": (("classifier.view_suggestion", "catalogue.change_book"), 302),
        "get": (STAFF, 405),
    },
    # Whatever else is asked for under admin/, so that strangers are not told what is there.
    "admin/(?P<url>.*)$": {"get": (STAFF, 404)},
}

#: What an address needs besides the record.
QUERIES = {"admin:autocomplete": "?app_label=circulation&model_name=loan&field_name=borrower&term="}
ARGUMENTS = {
    "cover": {"path": "a.jpg"},
    "book-cover": {"size": "small"},
    "recording": {"path": "a.wav"},
    "admin:app_list": {"app_label": "catalogue"},
    "admin/(?P<url>.*)$": {"url": "nowhere/"},
}


def walk(resolver: URLResolver | None = None, route: str = "", space: str = "") -> Iterator[tuple[str, str]]:
    """Yield every address as (its name, or its route where it has none; its route)."""
    for entry in (resolver or get_resolver()).url_patterns:
        here = route + str(entry.pattern).removeprefix("^" if isinstance(entry.pattern, RegexPattern) else "")
        if isinstance(entry, URLResolver):
            yield from walk(entry, here, f"{space}{entry.namespace}:" if entry.namespace else space)
        elif isinstance(entry, URLPattern):
            yield (f"{space}{entry.name}" if entry.name else here), here


def expectations() -> dict[str, Expected]:
    """Return what is expected of every address that somebody has thought of, by name."""
    expected = dict(_NAMED)
    for model in admin.site._registry:
        options = model._meta
        app, name = options.app_label, options.model_name

        def needs(actions: str, app: str = app, name: str | None = name) -> tuple[str, ...]:
            return ("|".join(f"{app}.{action}_{name}" for action in actions.split("|")),)

        for page, actions in _PAGES.items():
            expected.setdefault(f"admin:{app}_{name}_{page}", {"get": (needs(actions), 200)})
        # Where nothing can be changed, an empty form is no error.
        saved = 302 if f"{app}.{name}" in _SHOWN_ONLY else 200
        expected[f"admin:{app}_{name}_change"] = {
            "get": (needs("view|change"), 200),
            "post": ((NOBODY,) if f"{app}.{name}" in _NEVER_SAVED else needs("change"), saved),
        }
        # The page's address in old bookmarks, without "change".
        expected[f"admin/{app}/{name}/<path:object_id>/"] = {"get": (STAFF, 302)}
    for basename, (label, is_personal, is_written) in _API.items():
        app, name = label.split(".")
        reads: str | tuple[str, ...] = (f"{app}.view_{name}",) if is_personal else SIGNED_IN
        one: Expected = {"get": (reads, 200), "options": (reads, 200)}
        # Refused as a change would be, or for being no way to change.
        one["put"] = ((f"{app}.change_{name}",), 405)
        many: Expected = {"get": (reads, 200), "options": (reads, 200)}
        if is_written:
            many["post"] = ((f"{app}.add_{name}",), 400)
            one["patch"] = ((f"{app}.change_{name}",), 200)
            one["delete"] = ((f"{app}.delete_{name}",), 405)
        expected |= {f"{basename}-list": many, f"{basename}-detail": one}
    return expected


def filled(name: str, route: str, samples: dict[str, Any]) -> str:
    """Return an address as a browser asks for it."""
    values = ARGUMENTS.get(name, {})
    label = None
    if found := re.match(r"admin/(\w+)/(\w+)/", route):
        label = ".".join(found.groups())
    elif found := re.match(r"api/v1/([\w-]+)/", route):
        plural = {
            "categories": "catalogue.category",
            "copies": "catalogue.copy",
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
            (x for x in samples if x.endswith("." + found[1].rstrip("s"))), None
        )

    def value(match: re.Match[str]) -> str:
        kind = match[1] or match[2]
        return str(values[kind] if kind in values else samples.get(f"people.{kind}", samples.get(label)))

    path = re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)|<(?:\w+:)?(\w+)>", value, route)
    return "/" + path.removesuffix("\\Z").removesuffix("$").replace("\\", "") + QUERIES.get(name, "")


def is_allowed(who: str, needed: str | tuple[str, ...]) -> bool:
    """Return whether a role, or someone without, has what an address needs."""
    if needed in (PUBLIC, SIGNED_IN, STAFF):
        return {PUBLIC: True, SIGNED_IN: who != STRANGER, STAFF: who in ROLES and who != CLIENTS}[needed]
    if who not in ROLES:
        return False
    held = {
        f"{label.partition('.')[0]}.{code}"
        for label, codes in permissions_of(role=who).items()
        for code in codes
    }
    return all(held & set(either.split("|")) for either in needed)


def make_samples() -> dict[str, Any]:
    """Return the primary key of a record of every model of the admin, by label.

    The borrower is the only person whose name or card number could be met on a page.
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
        FineEntry.objects.create(loan=loan, borrower=borrower, kind="charge", amount=1, at=NOW),
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
        make_alarm(),
        make_drift_report(),
        make_run(status="succeeded"),
        make_review(),
        (change := make_change()),
        change.reclassification,
        make_misfiled(),
        make_taxonomy_change(),
        user,
        ApiToken.objects.create(user=user, name="sample", created_at=NOW, expires_at=NOW),
        Statistics.objects.create(pk=1),
        ScheduledReport.objects.create(page="overview", email="head@library.example", every="week"),
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
