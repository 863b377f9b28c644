import csv
import io
import json
from datetime import timedelta
from itertools import groupby, pairwise
from math import nextafter

import pytest

from classifier.errors import NoModelError, SettingError
from classifier.models import Batch, ModelVersion, Suggestion
from classifier.pipeline.model import TrainedModel
from classifier.selectors.records import catalogue
from classifier.services.classification.reclassify import classify
from classifier.services.registry.versions import active_version, load_version
from classifier.services.runs.context import JobContext
from library.catalogue.models import Book, Category
from library.errors import LibraryError
from tests.classifier.full_disk import full_after
from tests.classifier.libraries import CATEGORISED, UNCATEGORISED, WORDS
from tests.classifier.serving_process import trained_library
from tests.factories import NOW, make_book

pytestmark = pytest.mark.django_db


@pytest.fixture
def truth(data_folder, version_cache) -> dict[str, str]:
    """A library with a trained version; which notation fits which uncategorised book."""
    return trained_library(version_cache)


def suggestions():
    """All suggestions by control number: rank, notation and probability."""
    rows = Suggestion.objects.order_by("book__control_number", "rank").values_list(
        "book__control_number", "rank", "category__notation", "probability"
    )
    return {number: [row[1:] for row in ranked] for number, ranked in groupby(rows, key=lambda row: row[0])}


def test_uncategorised_books_get_three_suggestions(truth):
    result = classify(JobContext(now=NOW))
    version = ModelVersion.objects.get()
    batch = Batch.objects.get()
    assert (batch.state, batch.complete, batch.chunks.count()) == ("applied", True, 0)
    assert result == {
        "batch": batch.pk,
        "changed": {"new": UNCATEGORISED},
        "misfiled": 0,
        "version": version.name,
        "books": UNCATEGORISED,
        "suggestions": 3 * UNCATEGORISED,
        "abstained": Suggestion.objects.filter(rank=1, abstained=True).count(),
        "precision": 0.9,
        "threshold": load_version(version=version).threshold(precision=0.9),
        "output": None,
    }
    found = suggestions()
    assert {number: ranked[0][1] for number, ranked in found.items()} == truth
    for ranked in found.values():
        assert [rank for rank, _, _ in ranked] == [1, 2, 3]
        assert {notation for _, notation, _ in ranked} == {"AST", "COO", "HIS"}
        assert all(before[2] >= after[2] for before, after in pairwise(ranked))
        assert sum(probability for _, _, probability in ranked) == pytest.approx(1)
    assert set(Suggestion.objects.values_list("model_version", "created_at")) == {(version.pk, NOW)}


def test_include_categorised(truth):
    assert classify(JobContext(now=NOW), include_categorised=True)["books"] == CATEGORISED + UNCATEGORISED
    assert set(suggestions()) == set(Book.objects.values_list("control_number", flat=True))


@pytest.mark.parametrize("batch", [1, 4, 100])
def test_suggestions_do_not_depend_on_the_chunk_size(truth, batch, monkeypatch):
    classify(JobContext(now=NOW))
    unchunked = suggestions()
    monkeypatch.setattr("classifier.services.classification.batches.lifecycle.MAX_CHUNK", batch)
    classify(JobContext(now=NOW), include_unchanged=True)
    chunked = suggestions()
    assert chunked.keys() == unchunked.keys()
    for number, ranked in chunked.items():
        assert [row[:2] for row in ranked] == [row[:2] for row in unchunked[number]]
        assert [row[2] for row in ranked] == pytest.approx([row[2] for row in unchunked[number]], abs=1e-5)


def test_classifying_again_replaces_and_does_not_add(truth):
    classify(JobContext(now=NOW))
    before, keys = suggestions(), set(Suggestion.objects.values_list("pk", flat=True))
    later = NOW + timedelta(days=1)
    classify(JobContext(now=later), include_unchanged=True)
    assert suggestions() == before
    assert keys.isdisjoint(Suggestion.objects.values_list("pk", flat=True))
    assert set(Suggestion.objects.values_list("created_at", flat=True)) == {later}


def test_other_suggestions_stay(truth):
    classify(JobContext(now=NOW), include_categorised=True)
    classify(JobContext(now=NOW + timedelta(days=1)), include_unchanged=True)
    assert Suggestion.objects.filter(created_at=NOW).count() == 3 * CATEGORISED
    assert Suggestion.objects.count() == 3 * (CATEGORISED + UNCATEGORISED)


def test_no_book_is_changed(truth):
    before = list(Book.objects.order_by("pk").values())
    classify(JobContext(now=NOW), include_categorised=True)
    assert list(Book.objects.order_by("pk").values()) == before


def test_deleted_category_leaves_no_gap(truth):
    other = Category.objects.get(notation="HIS")
    Book.objects.filter(category__notation="AST").update(category=other)
    Category.objects.get(notation="AST").delete()
    result = classify(JobContext(now=NOW))
    assert result["suggestions"] == 2 * UNCATEGORISED
    for ranked in suggestions().values():
        assert [rank for rank, _, _ in ranked] == [1, 2]
        assert {notation for _, notation, _ in ranked} == {"COO", "HIS"}


def test_book_deleted_during_the_run_is_skipped(truth):
    make_book(control_number="short-lived", title="star comet")

    def delete_one(phase, done, total):
        Book.objects.filter(control_number="short-lived").delete()

    assert classify(JobContext(now=NOW, progress=delete_one))["suggestions"] == 3 * UNCATEGORISED
    assert suggestions().keys() == truth.keys()


def test_empty_book_gets_suggestions(truth):
    make_book(control_number="bare", title="-")
    classify(JobContext(now=NOW))
    assert [rank for rank, _, _ in suggestions()["bare"]] == [1, 2, 3]


def test_with_nothing_to_classify_nothing_happens(truth):
    Book.objects.filter(category=None).update(category=Category.objects.first(), category_source="imported")
    result = classify(JobContext(now=NOW))
    assert (result["books"], result["suggestions"]) == (0, 0)


def test_no_version_names_the_command():
    make_book()
    with pytest.raises(NoModelError, match=r"manage\.py train"):
        classify(JobContext(now=NOW))


def test_the_queries_do_not_grow_with_the_books(truth, django_assert_num_queries):
    # SQLite takes 999 values a statement, so 153 rows of 8 columns are two inserts.
    for options, queries in (({}, 50), ({"include_categorised": True}, 51)):
        with django_assert_num_queries(queries):
            classify(JobContext(now=NOW), include_unchanged=True, **options)


def test_the_file_holds_what_the_rows_hold(truth, tmp_path):
    file = tmp_path / "suggestions.csv"
    assert classify(JobContext(now=NOW), output=file)["output"] == str(file)
    version = ModelVersion.objects.get().name
    expected = io.StringIO(newline="")
    writer = csv.writer(expected)
    writer.writerow(["book", "rank", "category", "probability", "model_version", "abstained"])
    abstained = set(Suggestion.objects.filter(abstained=True).values_list("book__control_number", flat=True))
    for number, ranked in suggestions().items():
        for rank, notation, probability in ranked:
            mark = int(number in abstained)
            writer.writerow([number, rank, notation, f"{probability:.6f}", version, mark])
    assert file.read_bytes().decode() == expected.getvalue()
    assert file.stat().st_mode & 0o777 == 0o644


def test_missing_output_folder_is_named(truth, tmp_path):
    file = tmp_path / "nowhere" / "suggestions.csv"
    with pytest.raises(LibraryError) as caught:
        classify(JobContext(now=NOW), output=file)
    assert caught.value.message == f"{file} cannot be written: No such file or directory."


def test_a_folder_is_not_overwritten_by_a_file(truth, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(LibraryError, match=f"{folder} cannot be written: Is a directory"):
        classify(JobContext(now=NOW), output=folder)
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_full_disk_leaves_the_file_of_last_time(truth, tmp_path):
    file = tmp_path / "suggestions.csv"
    file.write_text("last time")
    with full_after(100), pytest.raises(LibraryError, match=r"csv cannot be written: File too large"):
        classify(JobContext(now=NOW), output=file)
    assert file.read_text() == "last time"
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.fixture
def surest(truth):
    """The first guesses' probabilities by control number, the lowest first."""
    classify(JobContext(now=NOW))
    found = {number: ranked[0][2] for number, ranked in suggestions().items()}
    return dict(sorted(found.items(), key=lambda item: item[1]))


def with_threshold(monkeypatch, threshold):
    """Let every version abstain below this probability, whatever it learned."""
    monkeypatch.setattr(TrainedModel, "threshold", lambda self, *, precision: threshold)


def test_below_the_threshold_all_ranks_are_abstained(surest, monkeypatch):
    (least, second), *_ = pairwise(surest)
    with_threshold(monkeypatch, surest[second])
    result = classify(JobContext(now=NOW), include_unchanged=True)
    assert (result["books"], result["abstained"]) == (UNCATEGORISED, 1)
    abstained = Suggestion.objects.filter(abstained=True).order_by("rank")
    assert list(abstained.values_list("book__control_number", "rank")) == [
        (least, rank) for rank in (1, 2, 3)
    ]


def test_a_probability_at_the_threshold_is_enough(surest, monkeypatch):
    least = min(surest.values())
    with_threshold(monkeypatch, least)
    assert classify(JobContext(now=NOW), include_unchanged=True)["abstained"] == 0
    with_threshold(monkeypatch, nextafter(least, 1))
    assert classify(JobContext(now=NOW), include_unchanged=True)["abstained"] == 1


def test_unreachable_precision_abstains_always(surest, monkeypatch):
    with_threshold(monkeypatch, float("inf"))
    result = classify(JobContext(now=NOW), include_unchanged=True)
    assert (result["abstained"], result["threshold"]) == (UNCATEGORISED, None)
    assert not Suggestion.objects.filter(abstained=False).exists()


def test_precision_parameter_and_setting(truth, monkeypatch, settings):
    monkeypatch.setattr(TrainedModel, "threshold", lambda self, *, precision: precision / 2)
    settings.SUGGESTION_PRECISION = 0.8
    assert (classify(JobContext(now=NOW))["precision"], classify(JobContext(now=NOW))["threshold"]) == (
        0.8,
        0.4,
    )
    assert classify(JobContext(now=NOW), precision=0.6)["threshold"] == 0.3


@pytest.mark.parametrize("precision", [0, 1, -0.5, 1.5, float("nan")])
def test_invalid_precision(precision):
    with pytest.raises(SettingError, match=r"The precision is .*; it must be above 0 and below 1\."):
        classify(JobContext(now=NOW), precision=precision)


def test_evidence_is_stored(truth):
    classify(JobContext(now=NOW))
    model = load_version(version=active_version())
    rows = Suggestion.objects.order_by("book__control_number", "rank")
    books = Book.objects.filter(category=None).order_by("control_number")
    expected = model.explain(catalogue(books))
    assert [row.evidence for row in rows] == [as_json(s.evidence.to_json()) for s in expected]
    for row in rows:
        assert set(row.evidence["contributions"]) <= {"text", "loans"}
        total = row.evidence["baseline"] + sum(row.evidence["contributions"].values())
        assert total == pytest.approx(row.evidence["score"], abs=3e-4)


def as_json(evidence):
    return json.loads(json.dumps(evidence))


def test_evidence_words_belong_to_the_category(truth):
    classify(JobContext(now=NOW))
    for row in Suggestion.objects.filter(rank=1).select_related("category", "book"):
        named = [word for _field, word, _gain in row.evidence["terms"]["for"]]
        assert named
        assert set(named) <= set(WORDS[row.category.notation].split())


def test_interrupted_run_keeps_whole_books(truth, monkeypatch, tmp_path):
    classify(JobContext(now=NOW))
    later = NOW + timedelta(days=1)
    monkeypatch.setattr("classifier.services.classification.batches.lifecycle.MAX_CHUNK", 2)
    file = tmp_path / "suggestions.csv"
    file.write_text("last time")

    def cut_off(phase, done, total):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        classify(JobContext(now=later, progress=cut_off), include_unchanged=True, output=file)
    created = Suggestion.objects.order_by("book__control_number", "rank").values_list("created_at", flat=True)
    assert list(created) == [later] * 12 + [NOW] * 3 * (UNCATEGORISED - 4)
    assert file.read_text() == "last time"
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".suggestions")] == []


def test_file_without_books_has_a_header(truth, tmp_path):
    Book.objects.filter(category=None).update(category=Category.objects.first(), category_source="imported")
    file = tmp_path / "suggestions.csv"
    result = classify(JobContext(now=NOW), output=file)
    assert (result["books"], result["abstained"]) == (0, 0)
    assert file.read_text() == "book,rank,category,probability,model_version,abstained\n"
