import csv
import io
from datetime import timedelta
from itertools import groupby, pairwise

import pytest

from classifier.errors import ClassifierError, NoModelError
from classifier.models import ModelVersion, Suggestion
from classifier.services import reclassification
from classifier.services.reclassification import classify
from classifier.services.training import train
from library.catalogue.models import Book, Category
from tests.classifier.disks import full_after
from tests.classifier.libraries import CATEGORISED, QUICK, UNCATEGORISED, make_library
from tests.factories import NOW, make_book

pytestmark = pytest.mark.django_db


@pytest.fixture
def truth(data_folder) -> dict[str, str]:
    """A library with a trained version; which notation fits which uncategorised book."""
    truth = make_library()
    train(now=NOW, settings=QUICK)
    return truth


def suggestions():
    """All suggestions by control number: rank, notation and probability."""
    rows = Suggestion.objects.order_by("book__control_number", "rank").values_list(
        "book__control_number", "rank", "category__notation", "probability"
    )
    return {number: [row[1:] for row in ranked] for number, ranked in groupby(rows, key=lambda row: row[0])}


def test_each_uncategorised_book_gets_three_ranks_and_the_first_is_right(truth):
    result = classify(now=NOW)
    version = ModelVersion.objects.get()
    assert result == {
        "version": version.name,
        "books": UNCATEGORISED,
        "suggestions": 3 * UNCATEGORISED,
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


def test_all_books_are_classified_when_asked_for(truth):
    assert classify(now=NOW, include_categorised=True)["books"] == CATEGORISED + UNCATEGORISED
    assert set(suggestions()) == set(Book.objects.values_list("control_number", flat=True))


@pytest.mark.parametrize("batch", [1, 4, 100])
def test_what_a_book_gets_hangs_not_on_its_batch(truth, batch, monkeypatch):
    classify(now=NOW)
    together = suggestions()
    monkeypatch.setattr(reclassification, "_BATCH", batch)
    classify(now=NOW)
    apart = suggestions()
    assert apart.keys() == together.keys()
    for number, ranked in apart.items():
        assert [row[:2] for row in ranked] == [row[:2] for row in together[number]]
        assert [row[2] for row in ranked] == pytest.approx([row[2] for row in together[number]], abs=1e-5)


def test_classifying_again_replaces_and_does_not_add(truth):
    classify(now=NOW)
    before, keys = suggestions(), set(Suggestion.objects.values_list("pk", flat=True))
    later = NOW + timedelta(days=1)
    classify(now=later)
    assert suggestions() == before
    assert keys.isdisjoint(Suggestion.objects.values_list("pk", flat=True))
    assert set(Suggestion.objects.values_list("created_at", flat=True)) == {later}


def test_suggestions_of_books_not_classified_this_time_stay(truth):
    classify(now=NOW, include_categorised=True)
    classify(now=NOW + timedelta(days=1))
    assert Suggestion.objects.filter(created_at=NOW).count() == 3 * CATEGORISED
    assert Suggestion.objects.count() == 3 * (CATEGORISED + UNCATEGORISED)


def test_no_book_is_changed(truth):
    before = list(Book.objects.order_by("pk").values())
    classify(now=NOW, include_categorised=True)
    assert list(Book.objects.order_by("pk").values()) == before


def test_a_category_deleted_since_training_is_left_out_without_a_gap(truth):
    other = Category.objects.get(notation="HIS")
    Book.objects.filter(category__notation="AST").update(category=other)
    Category.objects.get(notation="AST").delete()
    result = classify(now=NOW)
    assert result["suggestions"] == 2 * UNCATEGORISED
    for ranked in suggestions().values():
        assert [rank for rank, _, _ in ranked] == [1, 2]
        assert {notation for _, notation, _ in ranked} == {"COO", "HIS"}


def test_a_book_deleted_meanwhile_is_left_out(truth):
    make_book(control_number="short-lived", title="star comet")

    def delete_one(phase, done, total):
        Book.objects.filter(control_number="short-lived").delete()

    assert classify(now=NOW, progress=delete_one)["suggestions"] == 3 * UNCATEGORISED
    assert suggestions().keys() == truth.keys()


def test_a_book_of_which_nothing_is_known_gets_suggestions_too(truth):
    make_book(control_number="bare", title="-")
    classify(now=NOW)
    assert [rank for rank, _, _ in suggestions()["bare"]] == [1, 2, 3]


def test_with_nothing_to_classify_nothing_happens(truth):
    Book.objects.filter(category=None).update(category=Category.objects.first(), category_source="imported")
    result = classify(now=NOW)
    assert (result["books"], result["suggestions"]) == (0, 0)


def test_without_a_version_there_is_nothing_to_classify_with():
    make_book()
    with pytest.raises(NoModelError, match=r"manage\.py train"):
        classify(now=NOW)


def test_the_queries_do_not_grow_with_the_books(truth, django_assert_num_queries):
    # The version, books, loans, categories and keys; delete and insert between BEGIN and COMMIT.
    for options in ({}, {"include_categorised": True}):
        with django_assert_num_queries(9):
            classify(now=NOW, **options)


def test_the_file_holds_what_the_rows_hold(truth, tmp_path):
    file = tmp_path / "suggestions.csv"
    assert classify(now=NOW, output=file)["output"] == str(file)
    version = ModelVersion.objects.get().name
    expected = io.StringIO(newline="")
    writer = csv.writer(expected)
    writer.writerow(["book", "rank", "category", "probability", "model_version"])
    for number, ranked in suggestions().items():
        for rank, notation, probability in ranked:
            writer.writerow([number, rank, notation, f"{probability:.6f}", version])
    assert file.read_bytes().decode() == expected.getvalue()
    assert file.stat().st_mode & 0o777 == 0o644


def test_a_file_in_a_folder_that_is_not_there_is_refused_by_name(truth, tmp_path):
    file = tmp_path / "nowhere" / "suggestions.csv"
    with pytest.raises(ClassifierError) as caught:
        classify(now=NOW, output=file)
    assert caught.value.message == f"{file} cannot be written: No such file or directory."


def test_a_folder_is_not_overwritten_by_a_file(truth, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(ClassifierError, match=f"{folder} cannot be written: Is a directory"):
        classify(now=NOW, output=folder)
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_full_disk_leaves_the_file_of_last_time(truth, tmp_path):
    file = tmp_path / "suggestions.csv"
    file.write_text("last time")
    with full_after(100), pytest.raises(ClassifierError, match=r"csv cannot be written: File too large"):
        classify(now=NOW, output=file)
    assert file.read_text() == "last time"
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []
