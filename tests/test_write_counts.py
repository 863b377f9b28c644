"""How many queries it takes to write through the API: as many with much data as with little."""

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

#: By list: what of an existing record must differ for another one to be made, and the most queries that
#: creating and changing take, with those of the session, the account and the transaction.
WRITTEN = {
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
#: By address of what is done to one record.
DONE = {
    "suggestions/{suggestion}/accept/": 17,
    "suggestions/{rejected}/review/": 20,
    "misfiled/{moved}/move/": 19,
    "misfiled/{right}/dismiss/": 11,
    "reclassifications/{batch}/accept/": 19,
    "reclassifications/{batch}/undo/": 14,
    "models/{version}/pin/": 12,
    "runs/{run}/cancel/": 12,
    "feedback/": 20,
}


def counted(client, method, address, data, status):
    with CaptureQueriesContext(connection) as queries:
        answer = client.generic(method, f"/api/v1/{address}", data, content_type="application/json")
    assert answer.status_code == status, (method, address, answer.content)
    return len(queries), answer


def written(client, day):
    counts = {}
    for name, (differs, _budget) in WRITTEN.items():
        other = {
            key: value.format(day) if isinstance(value, str) else value().pk for key, value in differs.items()
        }
        row = client.get(f"/api/v1/{name}/").json()["results"][0]
        data = {
            key: value for key, value in row.items() if value is not None and key not in ("cover", "audio")
        }
        creating, answer = counted(client, "POST", f"{name}/", json(data | other), 201)
        address = f"{name}/{answer.json()['id']}/"
        changing, _answer = counted(client, "PATCH", address, json(other), 200)
        counts[name] = creating, changing
    return counts


def done(client):
    change = make_change()
    rows = {
        "suggestion": make_suggestion(book=make_book()).pk,
        "rejected": make_suggestion(book=make_book()).pk,
        "moved": make_misfiled().pk,
        "right": make_misfiled().pk,
        "batch": change.reclassification_id,
        "version": ModelVersion.objects.first().pk,
        "run": make_run().pk,
    }
    said = {"borrower": make_borrower().pk, "book": make_book().pk, "verdict": "not_this"}
    body = {
        "suggestions/{rejected}/review/": json({"verdict": "reject"}),
        "models/{version}/pin/": json({"pinned": True}),
        "feedback/": json(said),
    }
    counts = {}
    for address in DONE:
        with CaptureQueriesContext(connection) as queries:
            answer = client.generic(
                "POST", f"/api/v1/{address.format(**rows)}", body.get(address, "{}"), "application/json"
            )
        assert answer.status_code < 300, (address, answer.content)
        counts[address] = len(queries)
    Run.objects.filter(status="queued").delete()
    return counts


@pytest.mark.django_db
def test_writing_keeps_its_budgets_and_takes_no_more_queries_for_more_rows():
    ContentType.objects.get_for_model(Book)
    client = desk(make_user(ADMINISTRATORS))
    book = make_book(category=make_category(parent=make_category()))
    add_rows(book, 1, FEW + 1)
    few = written(client, 11), done(client)
    add_rows(book, FEW + 1, 3 * FEW + 1)
    many = written(client, 12), done(client)
    changed = [
        {name: (before[name], count) for name, count in after.items() if count != before[name]}
        for before, after in zip(few, many, strict=True)
    ]
    assert changed == [{}, {}]
    over = {
        name: counts
        for name, counts in many[0].items()
        if any(n > most for n, most in zip(counts, WRITTEN[name][1], strict=True))
    }
    assert over == {}
    assert {name: count for name, count in many[1].items() if count > DONE[name]} == {}
