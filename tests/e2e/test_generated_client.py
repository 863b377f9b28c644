"""A client generated from the schema, used against a real server."""

import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.test import override_settings
from django.utils import timezone

from classifier.services.classification.reclassify import classify
from classifier.services.recommendation.recommend import recommend
from classifier.services.runs.context import JobContext
from classifier.services.training.training import train
from library.admin_site.roles import LIBRARIANS
from library.catalogue.models import Book, Copy
from library.circulation.models import Loan
from library.people.models import Borrower
from library.rest.auth.tokens import issue_token
from library.rest.scopes import Scope
from tests.classifier.libraries import QUICK, WORDS
from tests.e2e.faults.servers import wait_for
from tests.e2e.serving import model_process_pid, serve_site, stop_process
from tests.factories import NOW
from tests.logins import make_user

# The tests share a server.
pytestmark = pytest.mark.xdist_group("generated_client")

PACKAGE = "library_client"


@pytest.fixture(scope="module")
def generated(tmp_path_factory) -> Path:
    """Folder with the package, generated from the current schema."""
    folder = tmp_path_factory.mktemp("client")
    call_command("spectacular", "--format", "openapi-json", "--file", str(folder / "schema.json"))
    # The generator treats an image as a file only if it is configured to.
    (folder / "config.yml").write_text(
        "content_type_overrides: {image/jpeg: application/octet-stream}\npost_hooks: []\n"
    )
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", "schema.json"]
    options = ["--config", "config.yml", "--meta", "none", "--output-path", PACKAGE, "--fail-on-warning"]
    completed = subprocess.run([*command, *options], cwd=folder, capture_output=True, text=True, check=False)
    assert (completed.returncode, completed.stderr) == (0, "")
    assert completed.stdout.splitlines() == [f"Generating {PACKAGE}"]
    return folder


@pytest.fixture(scope="module")
def site(library_folder, open_database, tmp_path_factory):
    """Folder and URL of a server with a model, suggestions and recommendations, and a librarian's token."""
    folder = shutil.copytree(library_folder, tmp_path_factory.mktemp("site") / "installation")
    with override_settings(DATA_DIR=folder, MODELS_DIR=folder / "models"):
        with open_database(folder):
            train(JobContext(now=NOW), settings=QUICK, seed=1)
            classify(JobContext(now=NOW))
            recommend(JobContext(now=NOW))
            _row, token = issue_token(
                user=make_user(LIBRARIANS), name="e2e", scopes=Scope.values, days=1, now=timezone.now()
            )
        with serve_site(folder) as (url, _pid):
            yield folder, url, token
    with override_settings(DATA_DIR=folder):
        stop_process(model_process_pid())


@pytest.fixture
def client(site, generated, open_database, monkeypatch):
    """The generated client; the test's ORM uses the server's database."""
    folder, url, token = site
    monkeypatch.syspath_prepend(str(generated))
    package = import_module(PACKAGE)
    with (
        open_database(folder),
        package.AuthenticatedClient(
            base_url=url, token=token, timeout=60, raise_on_unexpected_status=True
        ) as client,
    ):
        yield client


def call(operation, client, *arguments, **parameters):
    """Call an operation by the name of its module; return its typed response."""
    return import_module(f"{PACKAGE}.api.{operation}").sync(*arguments, client=client, **parameters)


def model(name, **fields):
    return getattr(import_module(f"{PACKAGE}.models"), name)(**fields)


def test_generated_client_circulates_classifies_and_reviews(client):
    copy = Copy.objects.filter(loans__returned_at__isnull=False).select_related("book").earliest("pk")
    borrower = Borrower.objects.get(card_number="p001")
    request = model("CheckoutRequest", barcode=copy.barcode, card_number=borrower.card_number)
    key = str(uuid4())

    loan = call("loans.loans_create", client, body=request, idempotency_key=key)
    assert (loan.book, loan.title, loan.borrower) == (copy.book_id, copy.book.title, borrower.pk)
    assert loan.returned_at is None
    assert call("loans.loans_create", client, body=request, idempotency_key=key) == loan
    refused = call("loans.loans_create", client, body=request)
    assert type(refused) is import_module(f"{PACKAGE}.models").Problem
    assert (refused.status, refused.code) == (409, "circulation_refused")
    account = call("borrowers.borrowers_account_retrieve", client, borrower.pk)
    assert [row.id for row in account.loans] == [loan.id]
    result = call("loans.loans_checkin_create", client, loan.id, body=model("AtBranchRequest"))
    assert result.action == "shelve"
    assert result.loan.returned_at == Loan.objects.get(pk=loan.id).returned_at

    new = model("BookInputRequest", title="Orbit of a comet", description=WORDS["AST"])
    # The first request starts the model process; a slow machine may respond that it is not ready.
    wait_for(
        lambda: hasattr(call("classify.classify_create", client, body=new), "suggestions"),
        on_timeout=lambda: call("classify.classify_create", client, body=new),
    )
    (best,) = call("classify.classify_create", client, body=new, limit=1).suggestions
    assert (best.notation, best.rank) == ("AST", 1)
    uncategorised = Book.objects.filter(category=None).earliest("pk")
    response = call("classify.classify_create", client, body=model("BookInputRequest", id=uncategorised.pk))
    assert response.book == uncategorised.pk

    suggestions = call("books.books_suggestions_list", client, uncategorised.pk).results
    assert [row.rank for row in suggestions] == [1, 2, 3]
    review = call(
        "suggestions.suggestions_review_create",
        client,
        suggestions[0].id,
        body=model(
            "SuggestionVerdictRequest",
            verdict=import_module(f"{PACKAGE}.models").SuggestionVerdictVerdictEnum.ACCEPT,
        ),
    )
    assert (review.book, review.category, review.verdict) == (
        uncategorised.pk,
        suggestions[0].category,
        "accept",
    )
    assert Book.objects.get(pk=uncategorised.pk).category_id == suggestions[0].category

    operation = "borrowers.borrowers_recommendations_retrieve"
    recommendations = call(operation, client, borrower.pk, limit=3).results
    assert [row.rank for row in recommendations] == [1, 2, 3]
    assert all(row.reason and row.book.title for row in recommendations)
    similar = call("books.books_similar_retrieve", client, copy.book_id, limit=4).results
    assert [row.rank for row in similar] == [1, 2, 3, 4]
    assert copy.book_id not in {row.book.id for row in similar}


def test_generated_client_gets_typed_problems(client):
    problem = import_module(f"{PACKAGE}.models").Problem
    unknown = call(
        "loans.loans_create", client, body=model("CheckoutRequest", barcode="x", card_number="p001")
    )
    assert (type(unknown), unknown.status, unknown.code) == (problem, 400, "invalid")
    assert [(error.pointer, error.code) for error in unknown.errors] == [("/barcode", "does_not_exist")]
    beyond = call("classify.classify_create", client, body=model("BookInputRequest", title="A"), limit=99)
    assert [error.parameter for error in beyond.errors] == ["limit"]
    assert call("books.books_retrieve", client, 999_999).code == "not_found"
