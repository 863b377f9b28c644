"""Training: what is refused, what is held out, and that the figures are honest."""

import dataclasses
import json
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.special import softmax

from classifier.pipeline.errors import NotEnoughData
from classifier.pipeline.evaluation.calibration import Temperature, crossfitted
from classifier.pipeline.evaluation.metrics import figures
from classifier.pipeline.evaluation.splits import held_out
from classifier.pipeline.features.base import Block
from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.pipeline.records import BookRecord, Catalogue
from classifier.pipeline.storage.artifact import load_model, save_model
from classifier.pipeline.training.train import MIN_BOOKS, Training, evaluate, train
from tests.pipeline.catalogues import TINY, make_catalogue, relabelled, selected
from tests.pipeline.feature_blocks import without

QUICK = TINY.with_settings(["network.epochs=2"])


def shelf(*categories: str | None) -> Catalogue:
    return Catalogue(
        books=[BookRecord(id=str(i), title=f"title {i % 3}", category=c) for i, c in enumerate(categories)]
    )


def refusal(catalogue: Catalogue) -> str:
    with pytest.raises(NotEnoughData) as error:
        train(catalogue, config=QUICK, seed=0)
    return error.value.message


def test_an_empty_catalogue_is_refused():
    assert refusal(shelf()) == f"0 of the books have a category; learning needs {MIN_BOOKS} at least."


def test_too_few_categorised_books_are_refused():
    categories = ["a", "b"] * 5
    assert refusal(shelf(*categories[:9], None, "")) == (
        f"9 of the books have a category; learning needs {MIN_BOOKS} at least."
    )


def test_one_category_is_refused():
    assert refusal(shelf(*["history"] * 12, None)) == (
        "All categorised books are in one category, history; learning needs two."
    )


@pytest.mark.parametrize("categories", [[str(i) for i in range(12)], ["a"] * 12 + ["b", "c"]])
def test_categories_of_one_book_each_are_refused(categories):
    assert refusal(shelf(*categories)) == (
        "Almost every category has one book only; at least two categories need two books or more."
    )


def test_a_category_whose_books_are_all_held_out_is_refused_if_only_one_is_left():
    ids = [str(i) for i in range(30)]
    out = held_out(ids, share=QUICK.training.holdout, at_most=QUICK.training.max_holdout)
    assert out.sum() >= 2
    message = refusal(shelf(*np.where(out, "rare", "common").tolist()))
    assert message.startswith("Without the books held out, fewer than two categories are left")


def test_books_of_which_nothing_is_known_are_refused():
    books = [BookRecord(id=str(i), category="ab"[i % 2]) for i in range(20)]
    assert refusal(Catalogue(books=books)) == (
        "No book has anything to learn from: no text, no cover, no recording, no loan."
    )


@pytest.mark.parametrize("books", [10, 12])
def test_the_smallest_catalogue_allowed_is_learned_from(books):
    result = train(shelf(*["a", "b"] * (books // 2)), config=QUICK, seed=0)
    assert result.figures["categorised"] == books
    assert result.figures["held_out"] >= 1


def test_figures_are_of_the_fusion_each_modality_and_the_majority(trained, catalogue):
    table = trained.figures
    measures = {"accuracy", "macro_f1", "top3", "calibration_error", "calibration_noise"}
    for name in ("fused", "text", "cover", "loans", "audio", "majority"):
        assert set(table[name]) == measures
        assert all(0 <= value <= 1 for value in table[name].values())
    categorised = sum(book.category is not None for book in catalogue.books)
    assert table["books"] == len(catalogue.books)
    assert table["categorised"] == categorised
    assert table["categories"] == 3
    assert table["notes"] == []
    assert table["fused"]["accuracy"] > table["majority"]["accuracy"]


def test_the_majority_is_that_of_the_books_learned_from(trained, catalogue):
    out = set(trained.model.held_out)
    books = [book for book in catalogue.books if book.category]
    learned = [book.category for book in books if book.id not in out]
    majority = max(sorted(set(learned)), key=learned.count)
    judged_on = [book.category for book in books if book.id in out]
    assert trained.figures["held_out"] == len(judged_on) == len(out)
    assert trained.figures["majority"]["accuracy"] == judged_on.count(majority) / len(judged_on)
    assert {name: row["books"] for name, row in trained.figures["per_category"].items()} == {
        name: judged_on.count(name) for name in sorted(set(judged_on))
    }


@pytest.fixture(scope="module")
def out(trained, catalogue) -> tuple[dict[str, Block], np.ndarray]:
    """Features and categories of the held-out books."""
    model = trained.model
    rows = [i for i, book in enumerate(catalogue.books) if book.id in set(model.held_out)]
    asked = selected(catalogue, rows)
    truth = np.array([model.classes.index(book.category) for book in asked.books])
    return model.extractor.transform(asked), truth


def scores(classifier: FusionClassifier, blocks: dict[str, Block]) -> np.ndarray:
    return classifier.scores(classifier.encode(blocks))


def test_figures_are_those_of_the_judged_model_at_temperatures_fitted_to_other_books(trained, out):
    blocks, truth = out
    fused = crossfitted(scores(trained.model.judged, blocks), truth, near=trained.model.judged.expected_)
    assert trained.figures["fused"] == pytest.approx(figures(fused, truth))
    served = crossfitted(scores(trained.model.serving, blocks), truth, near=trained.model.serving.expected_)
    assert trained.figures["fused"] != pytest.approx(figures(served, truth))


def test_details_are_of_the_same_answers_as_the_figures(trained, out):
    table, (_, truth) = trained.figures, out
    n, right = len(truth), round(table["fused"]["accuracy"] * len(truth))
    assert table["classes"] == trained.model.classes
    assert sum(books for _, _, books in table["confusion"]) == n
    assert sum(books for one, other, books in table["confusion"] if one == other) == right
    assert sum(row["books"] for row in table["reliability"]) == n
    assert sum(row["books"] * row["accuracy"] for row in table["reliability"]) == pytest.approx(right)
    assert table["selective"]["curve"][-1] == [1.0, pytest.approx(table["fused"]["accuracy"])]
    assert table["by_level"] == [table["fused"]["accuracy"]]


def test_figures_can_be_kept_as_json(trained):
    assert json.loads(json.dumps(trained.figures, allow_nan=False)) == trained.figures


def test_accuracy_is_taken_at_each_level_of_the_tree_of_categories(trained, catalogue):
    parents = {"physics": "science", "cooking": "science", "science": "all", "history": "all"}
    table = evaluate(trained.model, dataclasses.replace(catalogue, parents=parents))
    within = sum(
        books
        for right, guess, books in table["confusion"]
        if right == guess or "history" not in (table["classes"][right], table["classes"][guess])
    )
    accuracy = table["fused"]["accuracy"]
    assert table["by_level"] == [1.0, pytest.approx(within / table["held_out"]), accuracy]


def test_what_a_model_knows_of_its_answers_is_of_the_held_out_books(trained, out):
    model, (blocks, truth) = trained.model, out
    probabilities = model.judged.predict_proba(blocks)
    np.testing.assert_allclose(model.confidence, probabilities.max(axis=1), rtol=1e-6)
    assert model.correct.tolist() == (probabilities.argmax(axis=1) == truth).tolist()
    assert model.serving.temperature_ == model.judged.temperature_ != Temperature()
    shown = model.confidence >= model.threshold(precision=0.5)
    assert model.correct[shown].mean() >= 0.5
    assert model.threshold(precision=1) == np.inf


def test_a_modality_alone_answers_by_the_shares_of_the_categories_for_books_that_lack_it(trained, out):
    judged, (blocks, truth) = trained.model.judged, out
    assert not all(block.present.all() for block in blocks.values())
    for name in blocks:
        alone = {
            other: block if other == name else without(block, np.ones(len(truth), bool))
            for other, block in blocks.items()
        }
        found = scores(judged, alone)
        answers = softmax(found, axis=1)
        lacking = ~blocks[name].present
        np.testing.assert_allclose(answers[lacking], np.tile(np.exp(judged.prior_), (lacking.sum(), 1)))
        assert trained.figures[name] == pytest.approx(
            figures(crossfitted(found, truth, near=judged.expected_), truth), rel=1e-4
        )


def test_the_books_held_out_have_no_influence_on_the_model_that_is_judged(trained, catalogue):
    out = set(trained.model.held_out)
    turn = {"cooking": "physics", "physics": "history", "history": "cooking", None: None}
    other = train(
        relabelled(catalogue, [turn[b.category] if b.id in out else b.category for b in catalogue.books]),
        config=TINY,
        seed=3,
    )
    assert other.model.held_out == trained.model.held_out
    assert other.model.classes == trained.model.classes
    blocks = trained.model.extractor.transform(catalogue)
    judged, expected = (scores(model.judged, blocks) for model in (other.model, trained.model))
    np.testing.assert_allclose(judged, expected, rtol=1e-9, atol=1e-9)
    assert np.array_equal(judged.argmax(axis=1), expected.argmax(axis=1))
    served, expected = (scores(model.serving, blocks) for model in (other.model, trained.model))
    assert not np.allclose(served, expected, rtol=1e-3)
    assert other.figures["fused"]["accuracy"] < trained.figures["fused"]["accuracy"]


def test_with_many_books_the_model_that_is_judged_serves(catalogue):
    categorised = sum(book.category is not None for book in catalogue.books)
    at, above = (
        train(catalogue, config=QUICK.with_settings([f"training.refit_below={n}"]), seed=0).model
        for n in (categorised, categorised + 1)
    )
    assert at.serving is at.judged
    assert above.serving is not above.judged


def test_a_stored_model_has_the_same_figures_when_evaluated_again(trained, catalogue, tmp_path):
    save_model(trained.model, tmp_path / "model")
    again = evaluate(load_model(tmp_path / "model"), catalogue)
    assert again == {name: trained.figures[name] for name in again}
    assert set(trained.figures) - set(again) == {"books", "categorised", "categories", "notes"}


def test_evaluation_is_on_the_held_out_books_that_are_left(trained, catalogue):
    gone = trained.model.held_out[0]
    rows = [i for i, book in enumerate(catalogue.books) if book.id != gone]
    table = evaluate(trained.model, selected(catalogue, rows))
    assert table["held_out"] == trained.figures["held_out"] - 1


@pytest.mark.parametrize("category", [None, "of later"])
def test_nothing_is_evaluated_where_no_held_out_book_has_a_known_category(trained, catalogue, category):
    out = set(trained.model.held_out)
    changed = relabelled(catalogue, [category if b.id in out else b.category for b in catalogue.books])
    with pytest.raises(NotEnoughData, match="None of the books this version was measured on"):
        evaluate(trained.model, changed)
    with pytest.raises(NotEnoughData, match="None of the books"):
        evaluate(trained.model, Catalogue(books=[]))


def assert_same(one: Training, other: Training, catalogue: Catalogue) -> None:
    assert one.figures == other.figures
    assert np.array_equal(one.model.predict_proba(catalogue), other.model.predict_proba(catalogue))


def test_the_same_seed_gives_the_same_model_and_another_seed_another(catalogue):
    one, same, other = (train(catalogue, config=QUICK, seed=seed) for seed in (1, 1, 2))
    assert_same(one, same, catalogue)
    assert not np.array_equal(one.model.predict_proba(catalogue), other.model.predict_proba(catalogue))
    assert one.model.held_out == other.model.held_out  # so that two versions can be compared


def test_random_numbers_used_elsewhere_change_nothing(catalogue):
    one = train(catalogue, config=QUICK, seed=1)
    torch.manual_seed(99)
    torch.rand(7)
    np.random.default_rng().random(3)
    assert_same(one, train(catalogue, config=QUICK, seed=1), catalogue)


def test_books_without_a_category_help_to_read_the_others(catalogue):
    unknown = dataclasses.replace(catalogue.books[0], id="new", title="zebra zebra", category=None)
    second = dataclasses.replace(unknown, id="newer")
    more = Catalogue(books=[*catalogue.books, unknown, second], loans=catalogue.loans)
    model = train(more, config=QUICK, seed=0).model
    assert "title:zebra" in model.extractor.modalities_["text"].terms
    assert len(model.suggest(selected(more, [-2, -1]), ranks=2)) == 4


def written(authors: Callable[[int], str]) -> Catalogue:
    """Return 60 categorised books, and 60 without a category, by the authors of their numbers."""
    books = [
        BookRecord(
            id=f"b{i}",
            title=f"title {'xyz'[i % 3]} {i % 7}",
            authors=authors(i),
            category="abc"[i % 3] if i < 60 else None,
        )
        for i in range(120)
    ]
    return Catalogue(books=books)


def test_where_the_books_to_classify_are_by_others_authors_are_kept_apart():
    catalogue = written(lambda i: f"Author {i // 3}" if i % 6 else "")
    result = train(catalogue, config=QUICK, seed=0)
    (note,) = result.figures["notes"]
    assert note.startswith("The books without a category are by other authors than those with one.")
    out = set(result.model.held_out)
    inside, outside = (
        {book.authors for book in catalogue.books[:60] if (book.id in out) == is_out} - {""}
        for is_out in (True, False)
    )
    assert inside
    assert not inside & outside
    # Books without an author are not one author's.
    nameless = [book.id in out for book in catalogue.books[:60] if not book.authors]
    assert 0 < sum(nameless) < len(nameless)


def test_where_authors_are_shared_the_books_held_out_are_chosen_one_by_one():
    catalogue = written(lambda i: f"Author {i % 20}")
    result = train(catalogue, config=QUICK, seed=0)
    assert result.figures["notes"] == []
    out = held_out([f"b{i}" for i in range(60)], share=0.2, at_most=1000)
    assert result.model.held_out == [f"b{i}" for i in range(60) if out[i]]


def test_a_modality_that_no_book_has_is_neither_learned_nor_judged(tmp_path):
    result = train(make_catalogue(tmp_path, books=30, covers=False), config=QUICK, seed=0)
    assert result.model.judged.modalities_ == ["text", "loans", "audio"]
    assert "cover" not in result.figures


def test_a_library_may_have_covers_only(tmp_path):
    books = make_catalogue(tmp_path, books=40).books
    bare = [BookRecord(id=book.id, cover=book.cover, category=book.category) for book in books]
    result = train(Catalogue(books=bare), config=TINY, seed=0)
    assert result.model.judged.modalities_ == ["cover"]


def test_progress_is_told_phase_by_phase_to_the_end(catalogue):
    told: dict[str, list[tuple[int, int]]] = {}
    train(
        catalogue, config=QUICK, seed=0, progress=lambda phase, *step: told.setdefault(phase, []).append(step)
    )
    assert list(told) == ["reading books", "learning", "learning with the held-out books"]
    for steps in told.values():
        assert [done for done, _ in steps] == sorted(done for done, _ in steps)
        assert steps[-1][0] == steps[-1][1]


def test_the_librarian_is_told_of_weights_that_could_not_be_loaded(catalogue, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", _unreachable)
    config = QUICK.with_settings(["cover.pretrained=resnet18"])
    (note,) = train(catalogue, config=config, seed=0).figures["notes"]
    assert "resnet18" in note


def _unreachable(url, *args, **kwargs):
    raise OSError("network is unreachable")
