"""Mixed load for half an hour, while versions change and the worker and the database are restarted."""

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
from tests.e2e.faults.invariants import check_runs_finished, check_versions_load
from tests.e2e.faults.load import AcknowledgedWrites, CatalogueClient, Client, DeskClient, run_spaced
from tests.e2e.faults.servers import Program, wait_for
from tests.factories import make_book, make_borrower, make_category, make_copy, make_policy

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
CATALOGUE_CLIENTS, DESK_CLIENTS = 3, 4
#: As in docker/compose.yaml, but on this machine and without https.
PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "library.settings.production",
    "SECRET_KEY": "0123456789" * 5,
    "ALLOWED_HOSTS": "127.0.0.1",
    "SECURE_SSL_REDIRECT": "false",
    "API_RATES": "token=1000000/minute",
}


@pytest.fixture
def site(library):
    """URL and program of a web server; the model server and beat run too."""
    files = {f"BORROWER_{name}_FILE": str(file) for name, file in secret_files(library.folder).items()}
    library.settings = PRODUCTION | files | {"CACHE_URL": f"unix://{library.broker.socket}?db=2"}
    command = [sys.executable, "-m", "gunicorn", "library.wsgi", "--config", "docker/gunicorn.conf.py"]
    options = ["--bind", "127.0.0.1:0", "--workers", "2", "--threads", "8"]
    log = library.folder.with_name("web.log")
    web = Program([*command, *options], log=log, env=library.environment())
    log = library.folder.with_name("model.log")
    model = Program([sys.executable, "manage.py", "serve_model"], log=log, env=library.environment())
    library.programs += [web, model]
    web.wait_for_output("Listening at: ")
    library.start_beat()
    return re.search(r"Listening at: (http://\S+)", web.output())[1], web


def secret_files(folder):
    return {
        "KEYS": folder / "secrets" / "borrower_keys",
        "INDEX_KEY": folder / "secrets" / "borrower_index_key",
    }


def make_token(name, role):
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(ensure_roles()[role])
    return issue_token(user=user, name="load", scopes=Scope.values, days=1, now=timezone.now())[1]


def make_clients(url, writes):
    """Return the clients, each with rows that no other client changes."""
    make_policy(renewals_allowed=9)
    category = make_category()
    uncategorised = Book.objects.filter(category=None).order_by("pk").values_list("pk", flat=True)
    borrowers = Borrower.objects.order_by("pk").values_list("pk", flat=True)
    rows = zip(range(CATALOGUE_CLIENTS), Book.objects.order_by("pk"), borrowers, WORDS.values(), strict=False)
    catalogue_clients = [
        CatalogueClient(
            url, make_token(f"catalogue{n}", LIBRARIANS), name=f"catalogue{n}",
            book=book.pk, borrower=borrower, text=text,
        )
        for n, book, borrower, text in rows
    ]  # fmt: skip
    desk_clients = [
        DeskClient(
            url, make_token(f"desk{n}", LIBRARIANS), name=f"desk{n}",
            copy=make_copy(book=make_book(category=category)),
            cards=(make_borrower().card_number, make_borrower().card_number),
            book=book, writes=writes,
        )
        for n, book in zip(range(DESK_CLIENTS), uncategorised, strict=False)
    ]  # fmt: skip
    return catalogue_clients, desk_clients


@pytest.mark.soak
def test_mixed_load(library, site):
    url, web = site
    writes, outages = AcknowledgedWrites(), []
    with library.open_database():
        active = ModelVersion.objects.get(state="active")
        other = ModelVersion.objects.exclude(pk=active.pk).latest("pk")
        catalogue_clients, desk_clients = make_clients(url, writes)
        before = {model: model.objects.count() for model in (Loan, Hold, Review)}
        administrator = Client(url, make_token("root", ADMINISTRATORS), name="administrator")
    clients = [*catalogue_clients, *desk_clients]
    worker = library.start_worker()
    # The model server is still loading: the response to the first request may be 503.
    administrator.send("POST", "classify/", {"title": "Orbit"})
    administrator.responses.clear()

    def restart_worker():
        nonlocal worker
        worker.kill()
        worker = library.start_worker()

    def restart_database():
        counts = {client: len(client.responses) for client in clients}
        started_at = time.monotonic()
        library.database.stop()
        # Until every client has received an error.
        wait_for(
            lambda: all(any(r.is_wrong for r in client.responses[n:]) for client, n in counts.items()),
            on_timeout=lambda: [(client.name, client.responses[n:][-2:]) for client, n in counts.items()],
        )
        library.database.start()
        outages.append((started_at, time.monotonic()))

    def promote():
        administrator.send("POST", f"models/{other.pk}/promote/")

    def rollback():
        administrator.send("POST", "models/rollback/")

    started_at = time.monotonic()
    for client in clients:
        client.start()
    try:
        run_spaced(
            [promote, restart_worker, rollback, restart_database, promote, restart_worker, rollback],
            seconds=MINUTES * 60,
        )
    finally:
        for client in clients:
            client.stopping.set()
        for client in clients:
            client.join()
    seconds = time.monotonic() - started_at
    assert [client.error for client in clients if client.error] == []

    responses = [response for client in (*clients, administrator) for response in client.responses]
    wrong = [response for response in responses if response.is_wrong]
    statuses = Counter(response.status for response in responses)
    acknowledged = {name: len(getattr(writes, name)) for name in ("loans", "holds", "reviews")}
    print(
        f"{len(responses)} requests in {seconds:.0f} s, by status {dict(statuses)}; "
        f"acknowledged {acknowledged}"
    )
    outside_outages = [
        response
        for response in wrong
        if not any(start <= response.ended_at and response.started_at <= end for start, end in outages)
    ]
    assert outside_outages == []
    assert [response for response in wrong if not response.is_database_unavailable] == []
    assert {name for client in catalogue_clients for name in client.versions} == {active.name, other.name}

    library.wait_until(lambda: not Run.objects.filter(status__in=Run.ACTIVE).exists())
    with library.open_database():
        check_acknowledged_writes(writes, before)
        check_runs_finished()
        check_versions_load()
        assert ModelVersion.objects.get(state="active") == active
    assert web.running
    assert "Internal Server Error" not in web.output()


def check_acknowledged_writes(writes, before):
    """Check that every acknowledged write was applied exactly once, although clients sent some repeatedly."""
    assert all(len(getattr(writes, name)) > 10 for name in ("loans", "holds", "reviews"))
    loans = Loan.objects.in_bulk(writes.loans)
    for key, row in writes.loans.items():
        loan = loans[key]
        assert (loan.copy_id, loan.borrower_id, loan.renewals, loan.returned_at) == (
            row["copy"], row["borrower"], row["renewals"], parse_datetime(row["returned_at"])
        )  # fmt: skip
    statuses = dict(Hold.objects.filter(pk__in=writes.holds).values_list("pk", "status"))
    assert statuses == writes.holds
    reviews = Review.objects.filter(pk__in=writes.reviews).values_list("pk", "withdrawn_at")
    withdrawn = {key: withdrawn_at is not None for key, withdrawn_at in reviews}
    assert withdrawn == writes.reviews
    counts = {Loan: len(loans), Hold: len(statuses), Review: len(reviews)}
    assert {model: model.objects.count() - n for model, n in before.items()} == counts
