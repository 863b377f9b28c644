"""A POST with an Idempotency-Key is processed once, however often and in whatever order it is sent."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client, RequestFactory
from django.utils import timezone

from library.admin_site.roles import LIBRARIANS
from library.catalogue.models import Copy
from library.circulation.models import Loan
from library.circulation.services.erasure import erase_borrower
from library.people.models import AuditEntry
from library.rest.auth.tokens import issue_token
from library.rest.idempotency.middleware import IdempotencyMiddleware
from library.rest.idempotency.store import (
    save,
)
from library.rest.models import ApiToken, IdempotencyRecord
from tests.databases import both_databases, in_thread, on_postgresql
from tests.factories import make_borrower, make_copy, make_policy
from tests.library.people.test_fields import everything_in_the_database
from tests.logins import desk, make_librarian, make_user
from tests.problems import problem_of

CHECKOUT, BRANCHES = "/api/v1/loans/", "/api/v1/branches/"


def post(client, address, data, key="6a2b7e1c", **headers):
    body = data if isinstance(data, str) else json.dumps(data)
    headers |= {"idempotency-key": key} if key else {}
    return client.post(address, body, content_type="application/json", headers=headers)


def browser(user):
    return desk(user, raise_request_exception=False)


@pytest.fixture
def loan():
    """The body of a checkout."""
    make_policy()
    return {
        "barcode": make_copy().barcode,
        "card_number": make_borrower(card_number="CARD-OF-ZYX").card_number,
    }


@pytest.mark.django_db
def test_repeated_checkout_is_one_loan_and_one_response(loan):
    client = browser(make_librarian())
    first, again = post(client, CHECKOUT, loan), post(client, CHECKOUT, loan)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert again["Content-Type"] == first["Content-Type"] == "application/json"
    assert Loan.objects.count() == 1
    assert AuditEntry.objects.filter(action="changed").count() == 1


@pytest.mark.django_db
def test_replayed_response_has_its_location():
    client = browser(make_librarian())
    first, again = (post(client, "/api/v1/runs/", {"kind": "train"}) for _ in range(2))
    assert (first.status_code, again["Location"]) == (202, first["Location"])
    assert again.json()["is_new"] is True


@pytest.mark.django_db
@pytest.mark.parametrize(
    "other", [("/api/v1/item-types/", {"code": "a", "name": "A"}), (BRANCHES, {"code": "b", "name": "A"})]
)
def test_key_with_another_request_is_422(other):
    client = browser(make_librarian())
    assert post(client, BRANCHES, {"code": "a", "name": "A"}).status_code == 201
    assert problem_of(post(client, *other), 422)["code"] == "idempotency_key_reused"
    assert post(client, *other, key="other").status_code == 201


@pytest.mark.django_db
def test_key_belongs_to_the_user_not_to_the_token():
    librarian, other = make_librarian(), User.objects.create_superuser("root")
    branch = {"code": "a", "name": "A"}
    for _ in range(2):
        _row, token = issue_token(
            user=librarian, name="t", scopes=["catalogue:write"], days=1, now=timezone.now()
        )
        response = post(Client(), BRANCHES, branch, authorization=f"Bearer {token}")
        assert response.status_code == 201
    assert problem_of(post(browser(other), BRANCHES, branch), 400)["errors"][0]["pointer"] == "/code"
    _row, token = issue_token(user=librarian, name="t", scopes=["stats"], days=1, now=timezone.now())
    response = post(Client(), BRANCHES, branch, authorization=f"Bearer {token}")
    assert problem_of(response, 403)["code"] == "insufficient_scope"


@pytest.mark.django_db
def test_refused_request_is_processed_again():
    client, copy, borrower = browser(make_librarian()), make_copy(), make_borrower(blocked="moved")
    loan = {"barcode": copy.barcode, "card_number": borrower.card_number}
    assert problem_of(post(client, CHECKOUT, loan), 409)["code"] == "circulation_refused"
    borrower.blocked = ""
    borrower.save()
    assert post(client, CHECKOUT, loan).status_code == 201


@pytest.mark.django_db
def test_refusal_is_still_audited(loan):
    client = browser(make_user("analysts"))
    problem_of(post(client, CHECKOUT, loan), 403)
    assert AuditEntry.objects.filter(action="refused").exists()


@both_databases
def test_internal_error_rolls_back_and_releases_the_key(database, loan, monkeypatch):
    client = browser(make_librarian())
    with monkeypatch.context() as patch:
        patch.setattr("library.circulation.api.loans.LoanViewSet.audit", lambda *args, **kwargs: 1 / 0)
        problem_of(post(client, CHECKOUT, loan), 500)
    assert not Loan.objects.exists()
    assert Copy.objects.get().status == Copy.Status.AVAILABLE
    assert post(client, CHECKOUT, loan).status_code == 201


@both_databases
def test_failed_commit_stores_neither_change_nor_response(database, loan, monkeypatch):
    client = browser(make_librarian())

    def fail(**kwargs):
        save(**kwargs)
        raise OperationalError("the connection went away")

    with monkeypatch.context() as patch:
        patch.setattr("library.rest.idempotency.middleware.save", fail)
        assert post(client, CHECKOUT, loan)["Retry-After"] == "5"
    assert not Loan.objects.exists()
    assert post(client, CHECKOUT, loan).status_code == 201


@on_postgresql
def test_concurrent_requests_are_one_loan(database, loan):
    clients = [browser(make_librarian())] * 6
    with ThreadPoolExecutor(6) as threads:
        futures = [
            in_thread(threads, lambda client=client: post(client, CHECKOUT, loan)) for client in clients
        ]
    responses = [future.result() for future in futures]
    assert {response.status_code for response in responses} <= {201, 409}
    for response in responses:
        if response.status_code == 409:
            assert problem_of(response, 409)["code"] == "idempotency_key_in_progress"
            assert response["Retry-After"] == "1"
    assert Loan.objects.count() == 1
    assert post(clients[0], CHECKOUT, loan).json()["id"] == Loan.objects.get().pk


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", " ", "a b", "ü", "x" * 256])
def test_invalid_key_is_400(key):
    branch = {"code": "a", "name": "A"}
    response = post(browser(make_librarian()), BRANCHES, branch, key=None, **{"idempotency-key": key})
    assert problem_of(response, 400)["code"] == "invalid_idempotency_key"


@pytest.mark.django_db
def test_anonymous_requests_and_new_tokens_are_not_stored(client):
    user = User.objects.create_user("someone", password="right")
    sign_in = {"username": "someone", "password": "right"}
    tokens = {post(browser(user), "/api/v1/token/", sign_in).json()["token"] for _ in range(2)}
    tokens |= {post(client, "/api/v1/token/", sign_in).json()["token"] for _ in range(2)}
    assert len(tokens) == ApiToken.objects.count() == 4
    problem_of(post(client, BRANCHES, {"code": "a"}), 401)
    assert not IdempotencyRecord.objects.exists()


@both_databases
def test_stored_response_is_encrypted(database, loan):
    assert post(browser(make_user(LIBRARIANS)), CHECKOUT, loan).status_code == 201
    borrower = Loan.objects.get().borrower
    post(browser(User.objects.get()), "/api/v1/loans/checkin/", {"barcode": loan["barcode"]}, key="in")
    assert IdempotencyRecord.objects.count() == 2
    erase_borrower(borrower=borrower, now=timezone.now())
    assert not [row for row in IdempotencyRecord.objects.values() if "CARD-OF-ZYX" in str(row)]
    assert b"6a2b7e1c" not in everything_in_the_database()


def test_other_methods_and_paths_ignore_the_key():
    passed = []
    middleware = IdempotencyMiddleware(passed.append)
    for request in (RequestFactory().get("/api/v1/books/"), RequestFactory().post("/admin/")):
        request.META["HTTP_IDEMPOTENCY_KEY"] = "a"
        middleware(request)
    assert len(passed) == 2
