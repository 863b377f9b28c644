"""A client that a generator made of the schema, at work against a real server."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.utils import timezone

from classifier.services.classification.reclassify import classify
from classifier.services.recommendation.recommend import recommend
from classifier.services.training.training import train
from library.admin_site.roles import LIBRARIANS
from library.catalogue.models import Book, Copy
from library.circulation.models import Loan
from library.people.models import Borrower
from library.rest.auth.tokens import issue_token
from library.rest.scopes import Scope
from tests.classifier.libraries import QUICK, WORDS
from tests.e2e.serving import end_of, holder, served
from tests.factories import NOW
from tests.logins import make_user

PACKAGE = "library_client"


@pytest.fixture(scope="module")
def generated(tmp_path_factory) -> Path:
    """The folder with the package, made of the schema as it stands in the code."""
    folder = tmp_path_factory.mktemp("client")
    call_command("spectacular", "--format", "openapi-json", "--file", str(folder / "schema.json"))
    # A cover is an image, which the generator takes for a file only when told so.
    (folder / "config.yml").write_text(
        "content_type_overrides: {image/jpeg: application/octet-stream}\npost_hooks: []\n"
    )
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", "schema.json"]
    options = ["--config", "config.yml", "--meta", "none", "--output-path", PACKAGE, "--fail-on-warning"]
    made = subprocess.run([*command, *options], cwd=folder, capture_output=True, text=True, check=False)
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.splitlines() == [f"Generating {PACKAGE}"]
    return folder


@pytest.fixture
def library(small_library, opened, settings):
    """An installation that has learnt and suggested, and a librarian's token; open to the test, too."""
    settings.DATA_DIR = small_library
    settings.MODELS_DIR = small_library / "models"
    with opened(small_library):
        train(now=NOW, settings=QUICK, seed=1)
        classify(now=NOW)
        recommend(now=NOW)
        _row, token = issue_token(
            user=make_user(LIBRARIANS), name="e2e", scopes=Scope.values, days=1, now=timezone.now()
        )
        yield token
    end_of(holder())


@pytest.fixture
def client(library, small_library, generated, monkeypatch):
    monkeypatch.syspath_prepend(str(generated))
    package = import_module(PACKAGE)
    with (
        served(small_library) as (address, _pid),
        package.AuthenticatedClient(
            base_url=address, token=library, timeout=60, raise_on_unexpected_status=True
        ) as client,
    ):
        yield client


def call(operation, client, *arguments, **more):
    """Call an operation by the name of its module; return its typed answer."""
    return import_module(f"{PACKAGE}.api.{operation}").sync(*arguments, client=client, **more)


def made(name, **fields):
    return getattr(import_module(f"{PACKAGE}.models"), name)(**fields)


def test_a_generated_client_lends_classifies_reviews_and_recommends(client):
    copy = Copy.objects.filter(loans__returned_at__isnull=False).select_related("book").earliest("pk")
    borrower = Borrower.objects.get(card_number="p001")
    asked = made("CheckoutRequest", barcode=copy.barcode, card_number=borrower.card_number)
    key = str(uuid4())

    loan = call("loans.loans_create", client, body=asked, idempotency_key=key)
    assert (loan.book, loan.title, loan.borrower) == (copy.book_id, copy.book.title, borrower.pk)
    assert loan.returned_at is None
    assert call("loans.loans_create", client, body=asked, idempotency_key=key) == loan
    refused = call("loans.loans_create", client, body=asked)
    assert type(refused) is import_module(f"{PACKAGE}.models").Problem
    assert (refused.status, refused.code) == (409, "circulation_refused")
    account = call("borrowers.borrowers_account_retrieve", client, borrower.pk)
    assert [row.id for row in account.loans] == [loan.id]
    taken = call("loans.loans_checkin_create", client, loan.id, body=made("AtBranchRequest"))
    assert taken.action == "shelve"
    assert taken.loan.returned_at == Loan.objects.get(pk=loan.id).returned_at

    new = made("AskedBookRequest", title="Orbit of a comet", description=WORDS["AST"])
    (best,) = call("classify.classify_create", client, body=new, limit=1).suggestions
    assert (best.notation, best.rank) == ("AST", 1)
    waiting = Book.objects.filter(category=None).earliest("pk")
    of_catalogue = call("classify.classify_create", client, body=made("AskedBookRequest", id=waiting.pk))
    assert of_catalogue.book == waiting.pk

    suggested = call("books.books_suggestions_list", client, waiting.pk).results
    assert [row.rank for row in suggested] == [1, 2, 3]
    review = call(
        "suggestions.suggestions_review_create",
        client,
        suggested[0].id,
        body=made(
            "OwnVerdictRequest", verdict=import_module(f"{PACKAGE}.models").OwnVerdictVerdictEnum.ACCEPT
        ),
    )
    assert (review.book, review.category, review.verdict) == (waiting.pk, suggested[0].category, "accept")
    assert Book.objects.get(pk=waiting.pk).category_id == suggested[0].category

    advised = call("borrowers.borrowers_recommendations_retrieve", client, borrower.pk, n=3).results
    assert [row.rank for row in advised] == [1, 2, 3]
    assert all(row.reason and row.book.title for row in advised)
    alike = call("books.books_similar_retrieve", client, copy.book_id, n=4).results
    assert [row.rank for row in alike] == [1, 2, 3, 4]
    assert copy.book_id not in {row.book.id for row in alike}


def test_a_generated_client_is_told_what_is_wrong_in_typed_problems(client):
    problem = import_module(f"{PACKAGE}.models").Problem
    unknown = call(
        "loans.loans_create", client, body=made("CheckoutRequest", barcode="x", card_number="p001")
    )
    assert (type(unknown), unknown.status, unknown.code) == (problem, 400, "invalid")
    assert [(fault.pointer, fault.code) for fault in unknown.errors] == [("/barcode", "does_not_exist")]
    beyond = call("classify.classify_create", client, body=made("AskedBookRequest", title="A"), limit=99)
    assert [fault.parameter for fault in beyond.errors] == ["limit"]
    assert call("books.books_retrieve", client, 999_999).code == "not_found"
