"""A request with an Idempotency-Key is done once, however often and in whatever order it is sent."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import InterfaceError, OperationalError, connection, transaction
from django.test import Client, RequestFactory
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from library.admin_site.roles import LIBRARIANS
from library.catalogue.models import Branch, Copy
from library.circulation.models import Loan
from library.circulation.services.erasure import erase_borrower
from library.people.models import AuditEntry
from library.rest.auth.tokens import issue_token
from library.rest.idempotency.store import (
    FIRST_MOMENT,
    KEPT,
    LEASE,
    InProgressError,
    Key,
    KeyReusedError,
    claim,
    hold,
    keep,
    prune_answers,
)
from library.rest.models import ApiToken, KeptAnswer
from tests.databases import both_databases, in_thread, on_postgresql, undone
from tests.factories import NOW, make_borrower, make_copy, make_policy
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
    """What is sent to lend a copy."""
    make_policy()
    return {
        "barcode": make_copy().barcode,
        "card_number": make_borrower(card_number="CARD-OF-ZYX").card_number,
    }


@pytest.mark.django_db
def test_a_checkout_sent_twice_is_one_loan_and_one_answer(loan):
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
def test_an_answer_comes_back_with_its_location():
    client = browser(make_librarian())
    first, again = (post(client, "/api/v1/runs/", {"kind": "train"}) for _ in range(2))
    assert (first.status_code, again["Location"]) == (202, first["Location"])
    assert again.json()["is_new"] is True


@pytest.mark.django_db
@pytest.mark.parametrize(
    "other", [("/api/v1/item-types/", {"code": "a", "name": "A"}), (BRANCHES, {"code": "b", "name": "A"})]
)
def test_a_key_is_good_for_one_request(other):
    client = browser(make_librarian())
    assert post(client, BRANCHES, {"code": "a", "name": "A"}).status_code == 201
    assert problem_of(post(client, *other), 422)["code"] == "idempotency_key_reused"
    assert post(client, *other, key="other").status_code == 201


@pytest.mark.django_db
def test_a_key_belongs_to_its_user_and_not_to_one_of_the_users_tokens():
    librarian, other = make_librarian(), User.objects.create_superuser("root")
    branch = {"code": "a", "name": "A"}
    for _ in range(2):
        _row, token = issue_token(
            user=librarian, name="t", scopes=["catalogue:write"], days=1, now=timezone.now()
        )
        answer = post(Client(), BRANCHES, branch, authorization=f"Bearer {token}")
        assert answer.status_code == 201
    assert problem_of(post(browser(other), BRANCHES, branch), 400)["errors"][0]["pointer"] == "/code"
    _row, token = issue_token(user=librarian, name="t", scopes=["stats"], days=1, now=timezone.now())
    answer = post(Client(), BRANCHES, branch, authorization=f"Bearer {token}")
    assert problem_of(answer, 403)["code"] == "missing_scope"


@pytest.mark.django_db
def test_a_refusal_is_looked_at_anew():
    client, copy, borrower = browser(make_librarian()), make_copy(), make_borrower(blocked="moved")
    loan = {"barcode": copy.barcode, "card_number": borrower.card_number}
    assert problem_of(post(client, CHECKOUT, loan), 409)["code"] == "circulation_refused"
    borrower.blocked = ""
    borrower.save()
    assert post(client, CHECKOUT, loan).status_code == 201


@pytest.mark.django_db
def test_a_refused_look_is_still_written_down(loan):
    client = browser(make_user("analysts"))
    problem_of(post(client, CHECKOUT, loan), 403)
    assert AuditEntry.objects.filter(action="refused").exists()


@both_databases
def test_a_fault_undoes_all_and_frees_the_key(database, loan, monkeypatch):
    client = browser(make_librarian())
    with monkeypatch.context() as patch:
        patch.setattr("library.circulation.api.loans.LoanViewSet.audit", lambda *args, **kwargs: 1 / 0)
        problem_of(post(client, CHECKOUT, loan), 500)
    assert not Loan.objects.exists()
    assert Copy.objects.get().status == Copy.Status.AVAILABLE
    assert post(client, CHECKOUT, loan).status_code == 201


@both_databases
def test_a_commit_that_fails_leaves_neither_the_change_nor_the_answer(database, loan, monkeypatch):
    client = browser(make_librarian())

    def fails(**kwargs):
        keep(**kwargs)
        raise OperationalError("the connection went away")

    with monkeypatch.context() as patch:
        patch.setattr("library.rest.idempotency.middleware.keep", fails)
        assert post(client, CHECKOUT, loan)["Retry-After"] == "5"
    assert not Loan.objects.exists()
    assert post(client, CHECKOUT, loan).status_code == 201


@on_postgresql
def test_many_at_once_are_one(database, loan):
    clients = [browser(make_librarian())] * 6
    with ThreadPoolExecutor(6) as threads:
        works = [in_thread(threads, lambda client=client: post(client, CHECKOUT, loan)) for client in clients]
    given = [work.result() for work in works]
    assert {answer.status_code for answer in given} <= {201, 409}
    for answer in given:
        if answer.status_code == 409:
            assert problem_of(answer, 409)["code"] == "idempotency_key_in_progress"
            assert answer["Retry-After"] == "1"
    assert Loan.objects.count() == 1
    assert post(clients[0], CHECKOUT, loan).json()["id"] == Loan.objects.get().pk


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", " ", "a b", "ü", "x" * 256])
def test_a_key_that_is_none_is_refused(key):
    branch = {"code": "a", "name": "A"}
    answer = post(browser(make_librarian()), BRANCHES, branch, key=None, **{"idempotency-key": key})
    assert problem_of(answer, 400)["code"] == "idempotency_key"


@pytest.mark.django_db
def test_strangers_and_new_tokens_have_no_kept_answers(client):
    user = User.objects.create_user("reader", password="right")
    sign_in = {"username": "reader", "password": "right"}
    told = {post(browser(user), "/api/v1/token/", sign_in).json()["token"] for _ in range(2)}
    told |= {post(client, "/api/v1/token/", sign_in).json()["token"] for _ in range(2)}
    assert len(told) == ApiToken.objects.count() == 4
    problem_of(post(client, BRANCHES, {"code": "a"}), 401)
    assert not KeptAnswer.objects.exists()


@both_databases
def test_a_kept_answer_tells_nobody_who_it_was(database, loan):
    assert post(browser(make_user(LIBRARIANS)), CHECKOUT, loan).status_code == 201
    borrower = Loan.objects.get().borrower
    post(browser(User.objects.get()), "/api/v1/loans/checkin/", {"barcode": loan["barcode"]}, key="in")
    assert KeptAnswer.objects.count() == 2
    erase_borrower(borrower=borrower, now=timezone.now())
    assert not [row for row in KeptAnswer.objects.values() if "CARD-OF-ZYX" in str(row)]
    assert b"6a2b7e1c" not in everything_in_the_database()


@pytest.mark.django_db
def test_answers_are_kept_for_a_day():
    key = Key("1", "a")
    row = claim(key=key, request=b"x", now=NOW)
    keep(row=row, key=key, answer=b"done")
    assert key.decrypt(claim(key=key, request=b"x", now=NOW + KEPT - timedelta(seconds=1)).answer) == b"done"
    assert prune_answers(now=NOW + KEPT - timedelta(seconds=1)) == {"removed": 0}
    assert claim(key=key, request=b"y", now=NOW + KEPT).answer == ""
    assert prune_answers(now=NOW + 2 * KEPT) == {"removed": 1}


class Worker:
    """One sending of the request: it claims, then does it in one transaction with the answer."""

    def __init__(self):
        self.row = self.answer = None

    def start(self, now):
        try:
            row = claim(key=KEY_OF_ALL, request=b"x", now=now)
        except InProgressError:
            return
        if row.answer:
            self.answer = KEY_OF_ALL.decrypt(row.answer)
        else:
            self.row = row

    def finish(self):
        if self.row is None:
            return
        row, self.row = self.row, None
        try:
            with transaction.atomic():
                number = Branch.objects.count()
                Branch.objects.create(code=f"effect-{number}", name="x")
                keep(row=row, key=KEY_OF_ALL, answer=str(number).encode())
                self.answer = str(number).encode()
        except InProgressError:
            self.answer = None


KEY_OF_ALL = Key("1", "a")
STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["start", "finish", "die", "wait"])), max_size=25
)


@pytest.mark.django_db
@given(steps=STEPS)
def test_any_interleaving_of_repeats_deaths_and_waits_is_one_effect(steps):
    with undone():
        now, workers, told = NOW, [Worker() for _ in range(4)], set()
        for number, step in [*steps, (0, "wait"), (0, "die"), (0, "start"), (0, "finish")]:
            if step == "start":
                workers[number].start(now)
            elif step == "finish":
                workers[number].finish()
            elif step == "die":
                workers[number] = Worker()
            else:
                now += LEASE
            told |= {worker.answer for worker in workers} - {None}
        assert Branch.objects.count() == 1
        assert told == {b"0"}


@on_postgresql
@pytest.mark.parametrize("ends", ["commits", "is gone"])
def test_a_claim_is_good_as_long_as_its_connection_works_on_it(database, ends):
    held, over = threading.Event(), threading.Event()

    def first():
        row = claim(key=KEY_OF_ALL, request=b"x", now=NOW)
        with transaction.atomic():
            hold(row=row)
            held.set()
            over.wait()
            if ends == "commits":
                keep(row=row, key=KEY_OF_ALL, answer=b"done")
            else:
                connection.connection.close()  # as a restart of the server does it
                raise InterfaceError

    with ThreadPoolExecutor(1) as threads:
        work = in_thread(threads, first)
        held.wait()
        with pytest.raises(InProgressError):
            claim(key=KEY_OF_ALL, request=b"x", now=NOW + FIRST_MOMENT)
        over.set()
        if ends == "commits":
            work.result()
            assert KEY_OF_ALL.decrypt(claim(key=KEY_OF_ALL, request=b"x", now=NOW).answer) == b"done"
        else:
            with pytest.raises(InterfaceError):
                work.result()
            assert claim(key=KEY_OF_ALL, request=b"x", now=NOW + FIRST_MOMENT).answer == ""


@on_postgresql
def test_a_claim_that_was_just_made_is_not_taken_for_dead(database):
    claim(key=KEY_OF_ALL, request=b"x", now=NOW)
    with pytest.raises(InProgressError):
        claim(key=KEY_OF_ALL, request=b"x", now=NOW + FIRST_MOMENT / 2)
    assert claim(key=KEY_OF_ALL, request=b"x", now=NOW + FIRST_MOMENT).answer == ""


@pytest.mark.django_db
def test_an_answer_that_came_meanwhile_is_not_written_over(monkeypatch):
    row = claim(key=KEY_OF_ALL, request=b"x", now=NOW)

    def answered_in_between(row, now):
        keep(row=row, key=KEY_OF_ALL, answer=b"done")
        return True

    with monkeypatch.context() as patch:
        patch.setattr("library.rest.idempotency.store._is_dead", answered_in_between)
        with pytest.raises(InProgressError):
            claim(key=KEY_OF_ALL, request=b"x", now=NOW + LEASE)
    row.refresh_from_db()
    assert KEY_OF_ALL.decrypt(row.answer) == b"done"


@pytest.mark.django_db
def test_another_request_under_the_key_is_refused_also_while_the_first_is_answered():
    claim(key=KEY_OF_ALL, request=b"x", now=NOW)
    with pytest.raises(KeyReusedError):
        claim(key=KEY_OF_ALL, request=b"y", now=NOW)


@pytest.mark.django_db
def test_the_task_prunes(monkeypatch):
    from library.rest.tasks import prune_answers as task

    claim(key=KEY_OF_ALL, request=b"x", now=timezone.now() - KEPT)
    assert task() == {"removed": 1}


def test_other_methods_and_addresses_know_no_key():
    passed = []
    from library.rest.idempotency.middleware import Idempotency

    middleware = Idempotency(passed.append)
    for request in (RequestFactory().get("/api/v1/books/"), RequestFactory().post("/admin/")):
        request.META["HTTP_IDEMPOTENCY_KEY"] = "a"
        middleware(request)
    assert len(passed) == 2
