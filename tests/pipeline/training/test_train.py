"""Training: holdout, metrics, reproducibility."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from scipy.special import softmax

from classifier.pipeline.errors import NotEnoughData
from classifier.pipeline.evaluation.calibration import Temperature, cross_calibrated
from classifier.pipeline.evaluation.metrics import compute_metrics
from classifier.pipeline.features.base import Block
from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.pipeline.records import BookRecord, Catalogue
from classifier.pipeline.storage.artifact import load_model, save_model
from classifier.pipeline.training.train import TrainingResult, evaluate, train
from tests.pipeline.catalogues import TINY, make_catalogue, relabelled, selected
from tests.pipeline.feature_blocks import without
from tests.pipeline.training.small_shelves import QUICK, shelf


@pytest.mark.parametrize("books", [10, 12])
def test_smallest_catalogue_is_learned(books):
    result = train(shelf(*["a", "b"] * (books // 2)), config=QUICK, seed=0)
    assert result.metrics["categorised"] == books
    assert result.metrics["held_out"] >= 1


def test_metrics_cover_fusion_modalities_and_majority(trained, catalogue):
    table = trained.metrics
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


def test_majority_is_of_the_training_books(trained, catalogue):
    out = set(trained.model.held_out)
    books = [book for book in catalogue.books if book.category]
    learned = [book.category for book in books if book.id not in out]
    majority = max(sorted(set(learned)), key=learned.count)
    judged_on = [book.category for book in books if book.id in out]
    assert trained.metrics["held_out"] == len(judged_on) == len(out)
    assert trained.metrics["majority"]["accuracy"] == judged_on.count(majority) / len(judged_on)
    assert {name: row["books"] for name, row in trained.metrics["per_category"].items()} == {
        name: judged_on.count(name) for name in sorted(set(judged_on))
    }


@pytest.fixture(scope="module")
def out(trained, catalogue) -> tuple[dict[str, Block], np.ndarray]:
    """Features and categories of the held-out books."""
    model = trained.model
    rows = [i for i, book in enumerate(catalogue.books) if book.id in set(model.held_out)]
    calls = selected(catalogue, rows)
    truth = np.array([model.classes.index(book.category) for book in calls.books])
    return model.extractor.transform(calls), truth


def scores(classifier: FusionClassifier, blocks: dict[str, Block]) -> np.ndarray:
    return classifier.scores(classifier.encode(blocks))


def test_metrics_are_cross_calibrated(trained, out):
    blocks, truth = out
    fused = cross_calibrated(
        scores(trained.model.evaluation_classifier, blocks),
        truth,
        prior=trained.model.evaluation_classifier.expected_temperature_,
    )
    assert trained.metrics["fused"] == pytest.approx(compute_metrics(fused, truth))
    served = cross_calibrated(
        scores(trained.model.serving_classifier, blocks),
        truth,
        prior=trained.model.serving_classifier.expected_temperature_,
    )
    assert trained.metrics["fused"] != pytest.approx(compute_metrics(served, truth))


def test_details_match_the_metrics(trained, out):
    table, (_, truth) = trained.metrics, out
    n, right = len(truth), round(table["fused"]["accuracy"] * len(truth))
    assert table["classes"] == trained.model.classes
    assert sum(books for _, _, books in table["confusion"]) == n
    assert sum(books for one, other, books in table["confusion"] if one == other) == right
    assert sum(row["books"] for row in table["reliability"]) == n
    assert sum(row["books"] * row["accuracy"] for row in table["reliability"]) == pytest.approx(right)
    assert table["selective"]["curve"][-1] == [1.0, pytest.approx(table["fused"]["accuracy"])]
    assert table["by_level"] == [table["fused"]["accuracy"]]


def test_metrics_survive_json(trained):
    assert json.loads(json.dumps(trained.metrics, allow_nan=False)) == trained.metrics


def test_accuracy_is_given_by_level(trained, catalogue):
    parents = {"physics": "science", "cooking": "science", "science": "all", "history": "all"}
    table = evaluate(trained.model, dataclasses.replace(catalogue, parents=parents))
    within = sum(
        books
        for right, guess, books in table["confusion"]
        if right == guess or "history" not in (table["classes"][right], table["classes"][guess])
    )
    accuracy = table["fused"]["accuracy"]
    assert table["by_level"] == [1.0, pytest.approx(within / table["held_out"]), accuracy]


def test_stored_confidences_are_of_held_out_books(trained, out):
    model, (blocks, truth) = trained.model, out
    probabilities = model.evaluation_classifier.predict_proba(blocks)
    np.testing.assert_allclose(model.confidence, probabilities.max(axis=1), rtol=1e-6)
    assert model.correct.tolist() == (probabilities.argmax(axis=1) == truth).tolist()
    assert model.serving_classifier.temperature_ == model.evaluation_classifier.temperature_ != Temperature()
    shown = model.confidence >= model.threshold(precision=0.5)
    assert model.correct[shown].mean() >= 0.5
    assert model.threshold(precision=1) == np.inf


def test_absent_modality_predicts_the_prior(trained, out):
    judged, (blocks, truth) = trained.model.evaluation_classifier, out
    assert not all(block.present.all() for block in blocks.values())
    for name in blocks:
        alone = {
            other: block if other == name else without(block, np.ones(len(truth), bool))
            for other, block in blocks.items()
        }
        result = scores(judged, alone)
        answers = softmax(result, axis=1)
        lacking = ~blocks[name].present
        np.testing.assert_allclose(answers[lacking], np.tile(np.exp(judged.prior_), (lacking.sum(), 1)))
        assert trained.metrics[name] == pytest.approx(
            compute_metrics(cross_calibrated(result, truth, prior=judged.expected_temperature_), truth),
            rel=1e-4,
        )


def test_held_out_books_do_not_influence_evaluation(trained, catalogue):
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
    judged, expected = (scores(model.evaluation_classifier, blocks) for model in (other.model, trained.model))
    np.testing.assert_allclose(judged, expected, rtol=1e-9, atol=1e-9)
    assert np.array_equal(judged.argmax(axis=1), expected.argmax(axis=1))
    served, expected = (scores(model.serving_classifier, blocks) for model in (other.model, trained.model))
    assert not np.allclose(served, expected, rtol=1e-3)
    assert other.metrics["fused"]["accuracy"] < trained.metrics["fused"]["accuracy"]


def test_large_library_is_trained_once(catalogue):
    categorised = sum(book.category is not None for book in catalogue.books)
    at, above = (
        train(catalogue, config=QUICK.with_settings([f"training.refit_below={n}"]), seed=0).model
        for n in (categorised, categorised + 1)
    )
    assert at.serving_classifier is at.evaluation_classifier
    assert above.serving_classifier is not above.evaluation_classifier


def test_evaluate_reproduces_the_metrics(trained, catalogue, tmp_path):
    save_model(trained.model, tmp_path / "model")
    again = evaluate(load_model(tmp_path / "model"), catalogue)
    assert again == {name: trained.metrics[name] for name in again}
    assert set(trained.metrics) - set(again) == {"books", "categorised", "categories", "notes"}


def test_evaluate_uses_remaining_held_out_books(trained, catalogue):
    gone = trained.model.held_out[0]
    rows = [i for i, book in enumerate(catalogue.books) if book.id != gone]
    table = evaluate(trained.model, selected(catalogue, rows))
    assert table["held_out"] == trained.metrics["held_out"] - 1


@pytest.mark.parametrize("category", [None, "of later"])
def test_evaluate_needs_a_known_category(trained, catalogue, category):
    out = set(trained.model.held_out)
    changed = relabelled(catalogue, [category if b.id in out else b.category for b in catalogue.books])
    with pytest.raises(NotEnoughData, match="None of the books this version was measured on"):
        evaluate(trained.model, changed)
    with pytest.raises(NotEnoughData, match="None of the books"):
        evaluate(trained.model, Catalogue(books=[]))


def assert_same(one: TrainingResult, other: TrainingResult, catalogue: Catalogue) -> None:
    assert one.metrics == other.metrics
    assert np.array_equal(one.model.predict_proba(catalogue), other.model.predict_proba(catalogue))


def test_training_is_reproducible(catalogue):
    one, same, other = (train(catalogue, config=QUICK, seed=seed) for seed in (1, 1, 2))
    assert_same(one, same, catalogue)
    assert not np.array_equal(one.model.predict_proba(catalogue), other.model.predict_proba(catalogue))
    assert one.model.held_out == other.model.held_out  # so that two versions can be compared


def test_global_random_state_does_not_matter(catalogue):
    one = train(catalogue, config=QUICK, seed=1)
    torch.manual_seed(99)
    torch.rand(7)
    np.random.default_rng().random(3)
    assert_same(one, train(catalogue, config=QUICK, seed=1), catalogue)


def test_uncategorised_books_improve_features(catalogue):
    unknown = dataclasses.replace(catalogue.books[0], id="new", title="zebra zebra", category=None)
    second = dataclasses.replace(unknown, id="newer")
    more = Catalogue(books=[*catalogue.books, unknown, second], loans=catalogue.loans)
    model = train(more, config=QUICK, seed=0).model
    assert "title:zebra" in model.extractor.modalities_["text"].terms
    assert len(model.suggest(selected(more, [-2, -1]), ranks=2)) == 4


def test_absent_modality_is_not_evaluated(tmp_path):
    result = train(make_catalogue(tmp_path, books=30, covers=False), config=QUICK, seed=0)
    assert result.model.evaluation_classifier.modalities_ == ["text", "loans", "audio"]
    assert "cover" not in result.metrics


def test_covers_alone_suffice(tmp_path):
    books = make_catalogue(tmp_path, books=40).books
    bare = [BookRecord(id=book.id, cover=book.cover, category=book.category) for book in books]
    result = train(Catalogue(books=bare), config=TINY, seed=0)
    assert result.model.evaluation_classifier.modalities_ == ["cover"]


def test_progress_reports_all_phases(catalogue):
    reported: dict[str, list[tuple[int, int]]] = {}
    train(
        catalogue,
        config=QUICK,
        seed=0,
        progress=lambda phase, *step: reported.setdefault(phase, []).append(step),
    )
    assert list(reported) == ["reading books", "training", "training again with the test books"]
    for steps in reported.values():
        assert [done for done, _ in steps] == sorted(done for done, _ in steps)
        assert steps[-1][0] == steps[-1][1]


def test_missing_weights_give_a_note(catalogue, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", _unreachable)
    config = QUICK.with_settings(["cover.pretrained=resnet18"])
    (note,) = train(catalogue, config=config, seed=0).metrics["notes"]
    assert "resnet18" in note


def _unreachable(url, *args, **kwargs):
    raise OSError("network is unreachable")
