"""Query budgets of writing through the API, with few rows and with three times as many."""

from json import dumps as json

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext

from classifier.models import ModelVersion, Run
from library.admin_site.roles import ADMINISTRATORS
from library.catalogue.models import Book
from tests.classifier.factories import make_change, make_misfiled, make_run, make_suggestion
from tests.factories import make_book, make_borrower, make_category, make_item_type
from tests.logins import desk, make_user
from tests.test_query_counts import FEW, add_rows

#: By list: the values that must differ from an existing record to create another one, and the budgets of
#: creating and changing, including the queries for the session, the account and the transaction.
RECORD_BUDGETS = {
    "books": ({"control_number": "new-{}"}, (15, 15)),
    "categories": ({"notation": "new-{}"}, (13, 13)),
    "copies": ({"barcode": "new-{}"}, (13, 15)),
    "borrowers": ({"card_number": "new-{}"}, (14, 17)),
    "branches": ({"code": "new-{}"}, (9, 10)),
    "item-types": ({"code": "new-{}"}, (9, 10)),
    "borrower-categories": ({"code": "new-{}"}, (9, 10)),
    "loan-policies": ({"item_type": make_item_type}, (31, 32)),  # each number is checked by its constraint
    "closed-days": ({"date": "2031-01-{}"}, (11, 12)),
}
#: By URL of an action on one record.
ACTION_BUDGETS = {
    "suggestions/{suggestion}/accept/": 17,
    "suggestions/{rejected}/review/": 20,
    "misfiled/{moved}/move/": 19,
    "misfiled/{confirmed}/dismiss/": 11,
    "batches/{batch}/accept/": 19,
    "batches/{batch}/undo/": 14,
    "models/{version}/pin/": 12,
    "runs/{run}/cancel/": 12,
    "feedback/": 20,
}


def count_queries(client, method, url, data, status):
    with CaptureQueriesContext(connection) as queries:
        response = client.generic(method, f"/api/v1/{url}", data, content_type="application/json")
    assert response.status_code == status, (method, url, response.content)
    return len(queries), response


def record_counts(client, day):
    counts = {}
    for name, (different, _budget) in RECORD_BUDGETS.items():
        other = {
            key: value.format(day) if isinstance(value, str) else value().pk
            for key, value in different.items()
        }
        row = client.get(f"/api/v1/{name}/").json()["results"][0]
        data = {
            key: value for key, value in row.items() if value is not None and key not in ("cover", "audio")
        }
        creating, response = count_queries(client, "POST", f"{name}/", json(data | other), 201)
        url = f"{name}/{response.json()['id']}/"
        changing, _response = count_queries(client, "PATCH", url, json(other), 200)
        counts[name] = creating, changing
    return counts


def action_counts(client):
    change = make_change()
    rows = {
        "suggestion": make_suggestion(book=make_book()).pk,
        "rejected": make_suggestion(book=make_book()).pk,
        "moved": make_misfiled().pk,
        "confirmed": make_misfiled().pk,
        "batch": change.batch_id,
        "version": ModelVersion.objects.first().pk,
        "run": make_run().pk,
    }
    feedback = {"borrower": make_borrower().pk, "book": make_book().pk, "verdict": "not_this"}
    body = {
        "suggestions/{rejected}/review/": json({"verdict": "reject"}),
        "models/{version}/pin/": json({"pinned": True}),
        "feedback/": json(feedback),
    }
    counts = {}
    for url in ACTION_BUDGETS:
        with CaptureQueriesContext(connection) as queries:
            response = client.generic(
                "POST", f"/api/v1/{url.format(**rows)}", body.get(url, "{}"), "application/json"
            )
        assert response.status_code < 300, (url, response.content)
        counts[url] = len(queries)
    Run.objects.filter(status="queued").delete()
    return counts


@pytest.mark.django_db
def test_write_budgets():
    ContentType.objects.get_for_model(Book)
    client = desk(make_user(ADMINISTRATORS))
    book = make_book(category=make_category(parent=make_category()))
    add_rows(book, 1, FEW + 1)
    few = record_counts(client, 11), action_counts(client)
    add_rows(book, FEW + 1, 3 * FEW + 1)
    many = record_counts(client, 12), action_counts(client)
    changed = [
        {name: (before[name], count) for name, count in after.items() if count != before[name]}
        for before, after in zip(few, many, strict=True)
    ]
    assert changed == [{}, {}]
    over = {
        name: counts
        for name, counts in many[0].items()
        if any(n > budget for n, budget in zip(counts, RECORD_BUDGETS[name][1], strict=True))
    }
    assert over == {}
    assert {name: count for name, count in many[1].items() if count > ACTION_BUDGETS[name]} == {}
