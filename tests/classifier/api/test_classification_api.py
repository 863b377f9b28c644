"""Asking what a book is about, over the API and the socket behind it."""

import json
from base64 import b64encode

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from classifier.models import Suggestion
from classifier.services.classification.reclassify import classify
from classifier.services.serving import client as model_client
from classifier.services.serving.classify_now import AT_ONCE
from classifier.services.taxonomy.changes import apply
from library.catalogue.models import Book, Category
from library.catalogue.services.taxonomy.requests import Merge, Retire
from tests.classifier.factories import make_review, make_stored_version, make_suggestion
from tests.classifier.libraries import UNCATEGORISED, WORDS
from tests.classifier.serving_process import serving
from tests.factories import NOW, make_book
from tests.files import png_header
from tests.logins import api, make_reader
from tests.problems import faults

ONE, BATCH = "/api/v1/classify/", "/api/v1/classify/batch/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def served(trained):
    with serving():
        yield


def ask(data, address=ONE, **options):
    reader = User.objects.filter(username="reader").first() or make_reader()
    return api(reader).post(address, data, **{"format": "json"} | options)


def files(folder):
    return {path for path in folder.rglob("*") if path.is_file()}


def test_a_book_that_is_not_in_the_catalogue_is_classified_and_nothing_is_stored(served, data_folder):
    before = files(data_folder)
    answer = ask({"title": "Orbit of a comet", "description": WORDS["AST"], "isbn": "9783161484100"})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["book"], told["abstained"]) == (None, False)
    assert [row["rank"] for row in told["suggestions"]] == [1, 2, 3]
    assert sum(row["probability"] for row in told["suggestions"]) == pytest.approx(1)
    best = told["suggestions"][0]
    assert (best["category"], best["scheme"], best["notation"]) == (
        Category.objects.get(notation="AST").pk, "local", "AST"
    )  # fmt: skip
    assert best["evidence"]["shares"].keys() == {"text"}
    assert ["title", "comet"] in [row[:2] for row in best["evidence"]["terms"]["for"]]
    assert files(data_folder) == before
    assert (Book.objects.filter(category=None).count(), Suggestion.objects.count()) == (UNCATEGORISED, 0)


def test_a_book_of_the_catalogue_is_told_what_a_run_would_say_of_it(served):
    classify(now=NOW)
    book = Book.objects.filter(category=None).latest("control_number")
    answer = ask({"id": book.pk}).json()
    stored = Suggestion.objects.filter(book=book).order_by("rank")
    assert answer["model_version"] == stored[0].model_version.name
    assert answer["abstained"] == stored[0].abstained
    assert [row["category"] for row in answer["suggestions"]] == [row.category_id for row in stored]
    for told, row in zip(answer["suggestions"], stored, strict=True):
        assert told["probability"] == pytest.approx(row.probability, abs=1e-6)
        evidence = told["evidence"]
        assert evidence.keys() == row.evidence.keys()
        assert evidence["shares"] == pytest.approx(row.evidence["shares"], abs=1e-3)
        for name in ("says", "nearest", "borrowed_with", "terms"):
            assert str(evidence[name])[:40] == str(row.evidence[name])[:40]


def test_loans_count_for_a_book_of_the_catalogue(trained):
    lent = Book.objects.filter(copies__loans__isnull=False).first()
    with serving():
        (best, *_rest) = ask({"id": lent.pk}).json()["suggestions"]
    assert best["notation"] == lent.category.notation
    assert {"text", "cover", "loans"} >= best["evidence"]["shares"].keys() >= {"text", "cover"}
    assert best["evidence"]["borrowed_with"]["books"] != []


def test_what_was_rejected_or_given_up_is_not_told_and_what_was_merged_is_told_as_it_is_called_now(served):
    book = Book.objects.filter(category=None).earliest("control_number")
    ast, coo, his = (Category.objects.get(notation=notation) for notation in ("AST", "COO", "HIS"))
    right = ask({"id": book.pk}).json()["suggestions"][0]
    assert right["notation"] == "AST"
    make_review(suggestion=make_suggestion(book=book, category=ast))
    assert {row["notation"] for row in ask({"id": book.pk}).json()["suggestions"]} == {"COO", "HIS"}
    new = {"title": "Orbit of a comet", "description": WORDS["AST"]}
    apply(wish=Merge(sources=(ast.pk,), into=his.pk), now=NOW)
    merged = ask(new).json()["suggestions"]
    assert [row["category"] for row in merged] == [his.pk, coo.pk]
    assert merged[0]["probability"] > 0.5
    apply(wish=Retire(category=coo.pk, books_to="unfiled"), now=NOW)
    assert [row["notation"] for row in ask(new).json()["suggestions"]] == ["HIS"]


def test_the_address_says_how_many_how_sure_in_which_language_and_whether_why(served):
    Category.objects.filter(notation="AST").update(label_en="Astronomy", label_zh="天文学")
    Category.objects.filter(notation="COO").update(label_zh="烹饪")
    new = {"title": "Orbit of a comet", "description": WORDS["AST"]}

    def labels(query, **headers):
        answer = ask(new, f"{ONE}?{query}", headers=headers).json()
        return [row["label"] for row in answer["suggestions"]]

    assert labels("limit=1") == ["Astronomy"]
    assert labels("limit=1&language=zh-hans") == ["天文学"]
    assert labels("limit=1", accept_language="zh-hans") == ["天文学"]
    assert sorted(labels("language=en")) == ["", "Astronomy", "烹饪"]
    assert labels("threshold=0.5") == ["Astronomy"]
    assert labels("threshold=1") == []
    assert ask(new, f"{ONE}?evidence=false&limit=1").json()["suggestions"][0]["evidence"] == {}


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=21", "threshold=2", "threshold=-1", "language=fr", "evidence=often"]
)
def test_a_question_that_cannot_be_is_refused_before_the_model_is_asked(query):
    answer = ask({"title": "Orbit"}, f"{ONE}?{query}")
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["parameter"] == query.partition("=")[0]


def test_a_cover_comes_as_a_file_or_in_base64_and_is_judged_as_if_it_were_kept(served, data_folder):
    cover = (data_folder / "media" / "covers" / "b000.png").read_bytes()
    new = {"title": "Unknown words", "year": 2020}
    form = ask(new | {"cover": SimpleUploadedFile("a.png", cover)}, format="multipart")
    assert form.status_code == 200
    told = form.json()
    assert told["suggestions"][0]["notation"] == "AST"
    assert "cover" in told["suggestions"][0]["evidence"]["shares"]
    nearest = told["suggestions"][0]["evidence"]["nearest"]["cover"][0]
    assert (nearest[1], nearest[2] > 0.99) == ("local/AST", True)
    assert ask(new | {"cover": b64encode(cover).decode()}).json() == told
    without = ask(new).json()["suggestions"][0]["evidence"]["shares"]
    assert "cover" not in without


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (png_header(10_000, 10_000), "more than 50,000,000 pixels"),
        (b"%PDF-1.4", "no image of a kind that is read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no image of a kind that is read"),
        (b"\xff\xd8\xff\xe0", "The cover"),
    ],
    ids=["bomb", "pdf", "svg", "half"],
)
def test_what_is_no_cover_is_refused_at_its_place(content, message):
    form = ask({"title": "A", "cover": SimpleUploadedFile("a.png", content)}, format="multipart")
    encoded = {"title": "A", "cover": b64encode(content).decode()}
    for answer, place in (
        (form, "/cover"),
        (ask(encoded), "/cover"),
        (ask({"books": [{"title": "A"}, encoded]}, BATCH), "/books/1/cover"),
    ):
        assert answer.status_code == 400
        (said,) = faults(answer.json())[place]
        assert message in said


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
def test_a_book_that_cannot_be_is_told_with_its_number(book, field):
    alone = ask(book)
    assert (alone.status_code, list(faults(alone.json()))) == (400, [f"/{field}" if field else ""])
    batch = ask({"books": [{"title": "Fine"}, book]}, BATCH)
    assert batch.status_code == 400
    assert list(faults(batch.json())) == [f"/books/1/{field}" if field else "/books/1"]


def test_a_batch_is_answered_in_its_order_and_a_book_named_twice_twice(served, trained):
    wanted = list(trained)
    books = {book.control_number: book.pk for book in Book.objects.filter(category=None)}
    asked = [*({"id": books[number]} for number in wanted), {"title": "Soup"}, {"id": books[wanted[0]]}]
    results = ask({"books": asked}, f"{BATCH}?limit=1").json()["results"]
    assert [row["book"] for row in results] == [*(books[n] for n in wanted), None, books[wanted[0]]]
    best = [row["suggestions"][0]["notation"] for row in results]
    assert best == [*trained.values(), "COO", trained[wanted[0]]]
    assert results[-1] == results[0]


@pytest.mark.parametrize("books", [[], None, [{"title": "A"}] * (AT_ONCE + 1), "A"])
def test_a_batch_has_a_book_and_no_more_than_can_be_answered_at_once(books):
    answer = ask({"books": books}, BATCH)
    assert (answer.status_code, list(faults(answer.json()))) == (400, ["/books"])


def test_a_body_that_is_too_large_is_refused_unread(settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    body = json.dumps({"title": "x" * 1000})
    for address in (ONE, BATCH):
        answer = ask(body, address, format=None, content_type="application/json; charset=utf-8")
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_without_a_model_the_answer_says_so_and_what_to_do(data_folder):
    answer = ask({"title": "Orbit"})
    assert (answer.status_code, answer.json()["code"]) == (409, "no_model")
    assert "Retry-After" not in answer
    assert "manage.py train" in answer.json()["detail"]
    assert not (data_folder / "serving").exists()


def test_a_model_that_has_just_failed_to_load_is_not_tried_again_by_each_who_asks(data_folder):
    make_stored_version(state="active", activated_at=NOW)
    model_client.note_failure("model.json cannot be used.")
    answer = ask({"title": "Orbit"})
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "model_away", "5")
    assert answer.json()["detail"] == "model.json cannot be used."
    assert not (data_folder / "serving" / "log").exists()


def test_strangers_are_asked_to_sign_in():
    for address in (ONE, BATCH):
        assert api().post(address, {"title": "A"}, format="json").status_code == 401


def test_a_question_takes_as_many_queries_for_many_books_as_for_one(served):
    client = api(make_reader())
    keys = list(Book.objects.values_list("pk", flat=True))

    def queries(books):
        with CaptureQueriesContext(connection) as found:
            answer = client.post(BATCH, {"books": books}, format="json")
        assert answer.status_code == 200
        return len(found)

    # The version, the books, what was rejected for them, what was given up, the categories.
    assert queries([{"id": keys[0]}]) == queries([{"id": key} for key in keys]) == 5
    assert queries([{"title": "Orbit"}]) == 3


def test_the_suggestions_of_a_book_are_those_of_the_last_run():
    book = make_book()
    second, first = make_suggestion(book=book, rank=2), make_suggestion(book=book, rank=1)
    make_suggestion()
    client = api(make_reader())
    answer = client.get(f"/api/v1/books/{book.pk}/suggestions/")
    assert [row["id"] for row in answer.json()["results"]] == [first.pk, second.pk]
    assert client.get("/api/v1/books/0/suggestions/").status_code == 404
