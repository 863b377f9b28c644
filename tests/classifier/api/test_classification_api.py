"""Classification on request, through the API and the model server."""

import json
from base64 import b64encode

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from classifier.models import Suggestion
from classifier.services.classification.reclassify import classify
from classifier.services.runs.context import JobContext
from classifier.services.serving.classify_now import MAX_BOOKS
from classifier.services.taxonomy.changes import apply
from library.catalogue.models import Book, Category
from library.catalogue.services.taxonomy.requests import Merge, Retire
from tests.classifier.factories import make_review, make_stored_version, make_suggestion
from tests.classifier.libraries import UNCATEGORISED, WORDS
from tests.classifier.serving_process import running_server
from tests.factories import NOW, make_book
from tests.files import png_header
from tests.logins import api, make_user_without_permissions
from tests.problems import errors_by_place

ONE, BATCH = "/api/v1/classify/", "/api/v1/classify/batch/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def served(trained):
    with running_server():
        yield


def classify_request(data, url=ONE, **options):
    user = User.objects.filter(username="reader").first() or make_user_without_permissions()
    return api(user).post(url, data, **{"format": "json"} | options)


def files(folder):
    return {path for path in folder.rglob("*") if path.is_file()}


def test_new_book_is_classified_without_storing(served, data_folder):
    before = files(data_folder)
    response = classify_request(
        {"title": "Orbit of a comet", "description": WORDS["AST"], "isbn": "9783161484100"}
    )
    assert response.status_code == 200
    data = response.json()
    assert (data["book"], data["abstained"]) == (None, False)
    assert [row["rank"] for row in data["suggestions"]] == [1, 2, 3]
    assert sum(row["probability"] for row in data["suggestions"]) == pytest.approx(1)
    best = data["suggestions"][0]
    assert (best["category"], best["scheme"], best["notation"]) == (
        Category.objects.get(notation="AST").pk, "local", "AST"
    )  # fmt: skip
    assert best["evidence"]["contributions"].keys() == {"text"}
    assert ["title", "comet"] in [row[:2] for row in best["evidence"]["terms"]["for"]]
    assert files(data_folder) == before
    assert (Book.objects.filter(category=None).count(), Suggestion.objects.count()) == (UNCATEGORISED, 0)


def test_catalogued_book_matches_stored_suggestions(served):
    classify(JobContext(now=NOW))
    book = Book.objects.filter(category=None).latest("control_number")
    response = classify_request({"id": book.pk}).json()
    stored = Suggestion.objects.filter(book=book).order_by("rank")
    assert response["model_version"] == stored[0].model_version.name
    assert response["abstained"] == stored[0].abstained
    assert [row["category"] for row in response["suggestions"]] == [row.category_id for row in stored]
    for ranked, row in zip(response["suggestions"], stored, strict=True):
        assert ranked["probability"] == pytest.approx(row.probability, abs=1e-6)
        evidence = ranked["evidence"]
        assert evidence.keys() == row.evidence.keys()
        assert evidence["contributions"] == pytest.approx(row.evidence["contributions"], abs=1e-3)
        for name in ("modality_predictions", "nearest_books", "co_borrowed", "terms"):
            assert str(evidence[name])[:40] == str(row.evidence[name])[:40]


def test_loans_are_evidence_for_catalogued_books(trained):
    lent = Book.objects.filter(copies__loans__isnull=False).first()
    with running_server():
        (best, *_rest) = classify_request({"id": lent.pk}).json()["suggestions"]
    assert best["notation"] == lent.category.notation
    assert {"text", "cover", "loans"} >= best["evidence"]["contributions"].keys() >= {"text", "cover"}
    assert best["evidence"]["co_borrowed"]["books"] != []


def test_rejected_merged_and_retired_categories(served):
    book = Book.objects.filter(category=None).earliest("control_number")
    ast, coo, his = (Category.objects.get(notation=notation) for notation in ("AST", "COO", "HIS"))
    right = classify_request({"id": book.pk}).json()["suggestions"][0]
    assert right["notation"] == "AST"
    make_review(suggestion=make_suggestion(book=book, category=ast))
    assert {row["notation"] for row in classify_request({"id": book.pk}).json()["suggestions"]} == {
        "COO",
        "HIS",
    }
    new = {"title": "Orbit of a comet", "description": WORDS["AST"]}
    apply(change_request=Merge(sources=(ast.pk,), into=his.pk), now=NOW)
    merged = classify_request(new).json()["suggestions"]
    assert [row["category"] for row in merged] == [his.pk, coo.pk]
    assert merged[0]["probability"] > 0.5
    apply(change_request=Retire(category=coo.pk, books_to="unfiled"), now=NOW)
    assert [row["notation"] for row in classify_request(new).json()["suggestions"]] == ["HIS"]


def test_query_parameters(served):
    Category.objects.filter(notation="AST").update(label_en="Astronomy", label_zh="天文学")
    Category.objects.filter(notation="COO").update(label_zh="烹饪")
    new = {"title": "Orbit of a comet", "description": WORDS["AST"]}

    def labels(query, book=new, **headers):
        response = classify_request(book, f"{ONE}?{query}", headers=headers).json()
        return [row["label"] for row in response["suggestions"]]

    assert labels("limit=1") == ["Astronomy"]
    assert labels("limit=1&language=zh-hans") == ["天文学"]
    assert labels("limit=1", accept_language="zh-hans") == ["天文学"]
    assert sorted(labels("language=en")) == ["", "Astronomy", "烹饪"]
    assert labels("threshold=0.5") == ["Astronomy"]
    assert labels("threshold=1", {"title": "Something else"}) == []
    assert classify_request(new, f"{ONE}?evidence=false&limit=1").json()["suggestions"][0]["evidence"] == {}


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=21", "threshold=2", "threshold=-1", "language=fr", "evidence=often"]
)
def test_invalid_query_is_400(query):
    response = classify_request({"title": "Orbit"}, f"{ONE}?{query}")
    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert error["parameter"] == query.partition("=")[0]


def test_cover_as_file_or_base64(served, data_folder):
    cover = (data_folder / "media" / "covers" / "b000.png").read_bytes()
    new = {"title": "Unknown words", "year": 2020}
    form = classify_request(new | {"cover": SimpleUploadedFile("a.png", cover)}, format="multipart")
    assert form.status_code == 200
    data = form.json()
    assert data["suggestions"][0]["notation"] == "AST"
    assert "cover" in data["suggestions"][0]["evidence"]["contributions"]
    nearest = data["suggestions"][0]["evidence"]["nearest_books"]["cover"][0]
    assert (nearest[1], nearest[2] > 0.99) == ("local/AST", True)
    assert classify_request(new | {"cover": b64encode(cover).decode()}).json() == data
    without = classify_request(new).json()["suggestions"][0]["evidence"]["contributions"]
    assert "cover" not in without


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (png_header(10_000, 10_000), "more than 50,000,000 pixels"),
        (b"%PDF-1.4", "not in a supported image format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not in a supported image format"),
        (b"\xff\xd8\xff\xe0", "The cover"),
    ],
    ids=["bomb", "pdf", "svg", "half"],
)
def test_invalid_cover_is_400(content, message):
    form = classify_request({"title": "A", "cover": SimpleUploadedFile("a.png", content)}, format="multipart")
    encoded = {"title": "A", "cover": b64encode(content).decode()}
    for response, place in (
        (form, "/cover"),
        (classify_request(encoded), "/cover"),
        (classify_request({"books": [{"title": "A"}, encoded]}, BATCH), "/books/1/cover"),
    ):
        assert response.status_code == 400
        (error,) = errors_by_place(response.json())[place]
        assert message in error


@pytest.mark.parametrize(
    ("book", "field"),
    [
        ({}, "title"),
        ({"title": ""}, "title"),
        ({"title": "A", "isbn": "123"}, "isbn"),
        ({"title": "A", "year": "soon"}, "year"),
        ({"title": "A", "cover": "no base64!"}, "cover"),
        ({"title": "A", "cover": 7}, "cover"),
        ({"title": "A", "description": "x" * 50_001}, "description"),
        ({"id": 1, "title": "A"}, ""),
        ({"id": 999_999}, "id"),
        ({"id": "x"}, "id"),
    ],
)
def test_invalid_book_is_400(book, field):
    alone = classify_request(book)
    assert (alone.status_code, list(errors_by_place(alone.json()))) == (400, [f"/{field}" if field else ""])
    batch = classify_request({"books": [{"title": "Fine"}, book]}, BATCH)
    assert batch.status_code == 400
    assert list(errors_by_place(batch.json())) == [f"/books/1/{field}" if field else "/books/1"]


def test_batch_results_are_in_order(served, trained):
    numbers = list(trained)
    keys = {book.control_number: book.pk for book in Book.objects.filter(category=None)}
    books = [*({"id": keys[number]} for number in numbers), {"title": "Soup"}, {"id": keys[numbers[0]]}]
    results = classify_request({"books": books}, f"{BATCH}?limit=1").json()["results"]
    assert [row["book"] for row in results] == [*(keys[n] for n in numbers), None, keys[numbers[0]]]
    best = [row["suggestions"][0]["notation"] for row in results]
    assert best == [*trained.values(), "COO", trained[numbers[0]]]
    assert results[-1] == results[0]


@pytest.mark.parametrize("books", [[], None, [{"title": "A"}] * (MAX_BOOKS + 1), "A"])
def test_batch_size_limits(books):
    response = classify_request({"books": books}, BATCH)
    assert (response.status_code, list(errors_by_place(response.json()))) == (400, ["/books"])


def test_large_body_is_413(settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    body = json.dumps({"title": "x" * 1000})
    for url in (ONE, BATCH):
        response = classify_request(body, url, format=None, content_type="application/json; charset=utf-8")
        assert (response.status_code, response.json()["code"]) == (413, "content_too_large")


def test_no_model_is_409(data_folder):
    response = classify_request({"title": "Orbit"})
    assert (response.status_code, response.json()["code"]) == (409, "no_model")
    assert "Retry-After" not in response
    assert "manage.py train" in response.json()["detail"]
    assert not (data_folder / "serving").exists()


def test_missing_model_server_is_503(data_folder, settings):
    settings.MODEL_SERVER_AUTOSTART = False
    make_stored_version(state="active", activated_at=NOW)
    response = classify_request({"title": "Orbit"})
    assert (response.status_code, response.json()["code"], response["Retry-After"]) == (
        503,
        "model_unavailable",
        "5",
    )
    assert "manage.py serve_model" in response.json()["detail"]


def test_anonymous_is_401():
    for url in (ONE, BATCH):
        assert api().post(url, {"title": "A"}, format="json").status_code == 401


def test_query_count_is_constant(served):
    client = api(make_user_without_permissions())
    keys = list(Book.objects.values_list("pk", flat=True))

    def queries(books):
        with CaptureQueriesContext(connection) as captured:
            response = client.post(BATCH, {"books": books}, format="json")
        assert response.status_code == 200
        return len(captured)

    # Version, books, rejections, retired categories, categories.
    assert queries([{"id": keys[0]}]) == queries([{"id": key} for key in keys]) == 5
    assert queries([{"title": "Orbit"}]) == 3


def test_suggestions_of_book():
    book = make_book()
    second, first = make_suggestion(book=book, rank=2), make_suggestion(book=book, rank=1)
    make_suggestion()
    client = api(make_user_without_permissions())
    response = client.get(f"/api/v1/books/{book.pk}/suggestions/")
    assert [row["id"] for row in response.json()["results"]] == [first.pk, second.pk]
    assert client.get("/api/v1/books/0/suggestions/").status_code == 404
