"""Half an hour of everything at once, while versions change and the worker and the database are restarted."""

import os
import re
import sys
import time
from collections import Counter

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from classifier.models import ModelVersion, Review, Run
from library.admin_site.roles import ADMINISTRATORS, LIBRARIANS, ensure_roles
from library.catalogue.models import Book
from library.circulation.models import Hold, Loan
from library.people.models import Borrower
from library.rest.auth.tokens import issue_token
from library.rest.scopes import Scope
from tests.classifier.libraries import WORDS
from tests.e2e.faults.invariants import runs_are_over, versions_load
from tests.e2e.faults.load import Client, Desk, Promised, Reader, in_turn
from tests.e2e.faults.servers import Program, wait_for
from tests.e2e.serving import end_of, holder
from tests.factories import make_book, make_borrower, make_category, make_copy, make_policy

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
READERS, DESKS = 3, 4
#: As docker/compose.yaml sets it, on this machine and without https.
PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "library.settings.production",
    "SECRET_KEY": "0123456789" * 5,
    "ALLOWED_HOSTS": "127.0.0.1",
    "SECURE_SSL_REDIRECT": "false",
    "API_RATES": "token=1000000/minute",
}


@pytest.fixture
def deployed(library):
    """A library with all its programs started: its address, the worker's program, and the web server's."""
    secrets = {f"BORROWER_{name}_FILE": str(file) for name, file in secret_files(library.folder).items()}
    library.more = PRODUCTION | secrets | {"CACHE_URL": f"unix://{library.broker.socket}?db=2"}
    command = [sys.executable, "-m", "gunicorn", "library.wsgi", "--config", "docker/gunicorn.conf.py"]
    options = ["--bind", "127.0.0.1:0", "--workers", "2", "--threads", "8"]
    log = library.folder.with_name("web.log")
    web = Program([*command, *options], log=log, env=library.environment())
    library.programs.append(web)
    web.wait_until_said("Listening at: ")
    library.beat()
    yield re.search(r"Listening at: (http://\S+)", web.said())[1], web
    end_of(holder())


def secret_files(folder):
    return {
        "KEYS": folder / "secrets" / "borrower_keys",
        "INDEX_KEY": folder / "secrets" / "borrower_index_key",
    }


def token_of(name, role):
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(ensure_roles()[role])
    return issue_token(user=user, name="load", scopes=Scope.values, days=1, now=timezone.now())[1]


def clients_of(address, promised):
    """Make who asks, each with rows that nobody else changes."""
    make_policy(renewals_allowed=9)
    category = make_category()
    waiting = Book.objects.filter(category=None).order_by("pk").values_list("pk", flat=True)
    borrowers = Borrower.objects.order_by("pk").values_list("pk", flat=True)
    some = zip(range(READERS), Book.objects.order_by("pk"), borrowers, WORDS.values(), strict=False)
    readers = [
        Reader(
            address, token_of(f"reader{n}", LIBRARIANS), name=f"reader{n}",
            book=book.pk, borrower=borrower, words=words,
        )
        for n, book, borrower, words in some
    ]  # fmt: skip
    desks = [
        Desk(
            address, token_of(f"desk{n}", LIBRARIANS), name=f"desk{n}",
            copy=make_copy(book=make_book(category=category)),
            cards=(make_borrower().card_number, make_borrower().card_number),
            waiting=book, promised=promised,
        )
        for n, book in zip(range(DESKS), waiting, strict=False)
    ]  # fmt: skip
    return readers, desks


@pytest.mark.soak
def test_mixed_load(library, deployed):
    address, web = deployed
    promised, away = Promised(), []
    with library.opened():
        active = ModelVersion.objects.get(state="active")
        other = ModelVersion.objects.exclude(pk=active.pk).latest("pk")
        readers, desks = clients_of(address, promised)
        before = {model: model.objects.count() for model in (Loan, Hold, Review)}
        person = Client(address, token_of("root", ADMINISTRATORS), name="administrator")
    clients = [*readers, *desks]
    worker = library.worker()
    # Nobody has started the process with the model: who asks first may be told to come again.
    person.ask("POST", "classify/", {"title": "Orbit"})
    person.answers.clear()

    def restart_worker():
        nonlocal worker
        worker.kill()
        worker = library.worker()

    def restart_database():
        noted = {client: len(client.answers) for client in clients}
        began = time.monotonic()
        library.database.stop()
        # Until each of them has come to feel it.
        wait_for(
            lambda: all(any(answer.is_wrong for answer in client.answers[n:]) for client, n in noted.items()),
            otherwise=lambda: [(client.name, client.answers[n:][-2:]) for client, n in noted.items()],
        )
        library.database.start()
        away.append((began, time.monotonic()))

    def promote():
        person.ask("POST", f"models/{other.pk}/promote/")

    def rollback():
        person.ask("POST", "models/rollback/")

    began = time.monotonic()
    for client in clients:
        client.start()
    try:
        in_turn(
            [promote, restart_worker, rollback, restart_database, promote, restart_worker, rollback],
            seconds=MINUTES * 60,
        )
    finally:
        for client in clients:
            client.stopping.set()
        for client in clients:
            client.join()
    took = time.monotonic() - began
    assert [client.fault for client in clients if client.fault] == []

    answers = [answer for client in (*clients, person) for answer in client.answers]
    wrong = [answer for answer in answers if answer.is_wrong]
    told = Counter(answer.status for answer in answers)
    kept = {name: len(getattr(promised, name)) for name in ("loans", "holds", "reviews")}
    print(f"{len(answers)} requests in {took:.0f} s, by status {dict(told)}; acknowledged {kept}")
    outside = [
        answer
        for answer in wrong
        if not any(start <= answer.ended and answer.began <= end for start, end in away)
    ]
    assert outside == []
    assert [answer for answer in wrong if not answer.is_proper_refusal] == []
    assert {name for reader in readers for name in reader.versions} == {active.name, other.name}

    library.when(lambda: not Run.objects.filter(status__in=Run.ACTIVE).exists())
    with library.opened():
        every_promise_is_kept(promised, before)
        runs_are_over()
        versions_load()
        assert ModelVersion.objects.get(state="active") == active
    assert web.running
    assert "Internal Server Error" not in web.said()


def every_promise_is_kept(promised, before):
    """Each acknowledged write is there, and was done once: what was sent again made no second row."""
    assert all(len(getattr(promised, name)) > 10 for name in ("loans", "holds", "reviews"))
    loans = Loan.objects.in_bulk(promised.loans)
    for key, row in promised.loans.items():
        found = loans[key]
        assert (found.copy_id, found.borrower_id, found.renewals, found.returned_at) == (
            row["copy"], row["borrower"], row["renewals"], parse_datetime(row["returned_at"])
        )  # fmt: skip
    statuses = dict(Hold.objects.filter(pk__in=promised.holds).values_list("pk", "status"))
    assert statuses == promised.holds
    reviews = Review.objects.filter(pk__in=promised.reviews).values_list("pk", "withdrawn_at")
    withdrawn = {key: at is not None for key, at in reviews}
    assert withdrawn == promised.reviews
    counts = {Loan: len(loans), Hold: len(statuses), Review: len(reviews)}
    assert {model: model.objects.count() - n for model, n in before.items()} == counts
