"""Fusion classifier: representation, SVMs and probabilities."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from classifier.pipeline.evaluation.calibration import Temperature
from classifier.pipeline.features.base import Block
from classifier.pipeline.fusion.classifier import FusionClassifier, amplitude_slopes, amplitudes, shares
from tests.pipeline.feature_blocks import KINDS, N_CLASSES, toy_blocks, with_links, without
from tests.pipeline.fusion.classifiers import WORDS, accuracy, classifier, take_rows


@pytest.fixture(scope="module")
def fitted() -> FusionClassifier:
    blocks, y = toy_blocks(90)
    return classifier().fit(blocks, y, n_classes=N_CLASSES)


@pytest.fixture
def blocks() -> dict[str, Block]:
    return toy_blocks(60, seed=1)[0]


@pytest.mark.parametrize("names", [("words",), ("words", "pixels"), KINDS])
def test_representation_has_the_probabilities_of_each_output(blocks, names):
    train, y = toy_blocks(90)
    fitted = classifier().fit(train, y, n_classes=N_CLASSES)
    books = fitted.encode(blocks)
    representation = fitted.represent(books, fitted.votes(books), names)
    assert representation.shape == (60, (1 + len(names)) * N_CLASSES)
    assert representation.dtype == np.float32
    assert fitted.positions(names) == [0, *(1 + KINDS.index(name) for name in names)]
    probabilities = np.exp(fitted.votes(books)[:, fitted.positions(names)])
    np.testing.assert_allclose(representation, amplitudes(probabilities).reshape(60, -1), rtol=1e-5)


def test_amplitudes_of_small_probabilities_are_zero():
    expected = [0, 0, 0.03**2 / 0.1, 0.93**2]
    probabilities = np.array([0, 0.0049, 0.01, 1], np.float32)
    np.testing.assert_allclose(amplitudes(probabilities), expected, atol=1e-6)


@given(st.floats(-12, 0))
def test_amplitude_slopes_are_derivatives(log_probability):
    step = 1e-4
    around = np.exp(np.float64(log_probability) + np.array([-step, step]))
    low, high = amplitudes(around)
    assert amplitude_slopes(np.exp(np.float64(log_probability))) == pytest.approx(
        (high - low) / (2 * step), abs=1e-4
    )


def test_single_modality_representation_omits_the_fusion():
    train, y = toy_blocks(40, kinds=("words",), missing=0)
    alone = classifier().fit(train, y, n_classes=N_CLASSES)
    books = alone.encode(train)
    votes = alone.votes(books)
    expected = amplitudes(np.exp(votes[:, 1]))
    np.testing.assert_allclose(alone.represent(books, votes, ("words",)), expected, rtol=1e-6)


def test_linked_books_are_represented_by_their_probabilities():
    train, y = toy_blocks(60, kinds=WORDS)
    train["numbers"] = with_links(train["numbers"], y, y)
    fitted = classifier().fit(train, y, n_classes=N_CLASSES)
    assert fitted.beliefs_.shape == (60, N_CLASSES)
    np.testing.assert_allclose(fitted.beliefs_.sum(axis=1), 1, atol=2e-3)
    books = fitted.encode(train)
    links = train["numbers"].links.toarray()
    np.testing.assert_allclose(books.linked["numbers"], links @ fitted.beliefs_, atol=1e-5)
    votes = fitted.votes(books)
    assert fitted.represent(books, votes, ("words",)).shape == (60, 2 * N_CLASSES)
    both = fitted.represent(books, votes, WORDS)
    assert both.shape == (60, 4 * N_CLASSES)
    expected = amplitudes(shares(books.linked["numbers"]))
    np.testing.assert_allclose(both[:, -N_CLASSES:], expected, atol=1e-5)


def test_one_network_alone_ignores_what_machines_memorised(fitted, blocks):
    single = fitted.with_network(1)
    books = single.encode(blocks)
    svm = single.svm_index(books.present)
    for number, names in enumerate(single.svms_):
        votes = single.votes(books, shown=np.isin(KINDS, names)[None])[svm == number, 0]
        expected = votes - votes.mean(axis=1, keepdims=True)
        np.testing.assert_allclose(single.scores(books)[svm == number], expected, atol=1e-5)


def test_probabilities_sum_to_one_and_are_accurate(fitted):
    blocks, y = toy_blocks(60, seed=1)
    np.testing.assert_allclose(fitted.predict_proba(blocks).sum(axis=1), 1)
    assert accuracy(fitted, blocks, y) > 0.9


def test_scores_are_centred_log_probabilities(fitted, blocks):
    scores = fitted.scores(fitted.encode(blocks))
    np.testing.assert_allclose(scores.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(softmax(scores, axis=1), fitted.predict_proba(blocks))


def test_single_and_batch_predictions_agree(fitted, blocks):
    together = fitted.predict_proba(blocks)
    alone = [fitted.predict_proba(take_rows(blocks, np.array([i]))) for i in range(60)]
    np.testing.assert_allclose(np.concatenate(alone), together, atol=1e-5)


def test_block_order_does_not_matter(fitted, blocks):
    turned = {kind: blocks[kind] for kind in reversed(KINDS)}
    assert np.array_equal(fitted.predict_proba(turned), fitted.predict_proba(blocks))


def test_votes_are_distributions(fitted, blocks):
    votes = fitted.votes(fitted.encode(blocks))
    assert votes.shape == (60, 1 + len(KINDS), N_CLASSES)
    np.testing.assert_allclose(np.exp(votes).sum(axis=2), 1, atol=1e-5)


def test_subsets_have_svms_largest_first(fitted):
    sets = [names for size in (3, 2, 1) for names in combinations(KINDS, size)]
    assert list(fitted.svms_) == sets


def test_rare_subset_falls_back_to_a_smaller_one():
    train, y = toy_blocks(60, kinds=WORDS, missing=0)
    train["numbers"] = without(train["numbers"], np.arange(60) >= 5)
    fitted = classifier().fit(train, y, n_classes=N_CLASSES)
    assert list(fitted.svms_) == [("words",)]
    seen = np.array([[True, True], [True, False], [False, True]])
    assert fitted.svm_index(seen).tolist() == [0, 0, -1]


def test_empty_book_gets_the_prior(blocks):
    train, y = toy_blocks(60)
    kept = (y != 0) | (np.arange(60) % 4 == 0)
    fitted = classifier("network.epochs=1").fit(take_rows(train, kept), y[kept], n_classes=N_CLASSES + 1)
    nothing = {kind: without(block, np.ones(60, bool)) for kind, block in blocks.items()}
    books = np.append(np.bincount(y[kept]), 0)
    expected = (books + 0.5) / (books + 0.5).sum()
    np.testing.assert_allclose(fitted.predict_proba(nothing), np.tile(expected, (60, 1)))


@pytest.mark.parametrize("names", [("words",), ("numbers", "pixels")])
def test_hidden_modality_equals_absent_one(fitted, blocks, names):
    shown = np.isin(KINDS, names)
    lacking = {
        kind: block if kind in names else without(block, np.ones(60, bool)) for kind, block in blocks.items()
    }
    np.testing.assert_allclose(
        fitted.scores(fitted.encode(blocks), shown=np.broadcast_to(shown, (60, 3))),
        fitted.scores(fitted.encode(lacking)),
        atol=1e-5,
    )


def test_too_few_groups_are_ignored(blocks):
    train, y = toy_blocks(48)
    one, other = (
        classifier("network.epochs=1").fit(train, y, n_classes=N_CLASSES, groups=groups)
        for groups in (None, np.arange(48) % 2)
    )
    assert np.array_equal(one.predict_proba(blocks), other.predict_proba(blocks))


def test_uncategorised_books_without_vectors_are_not_learned(blocks):
    kinds = ("words", "pixels")
    blocks = {kind: blocks[kind] for kind in kinds}
    train, y = toy_blocks(90, kinds=kinds)
    y = np.where(np.arange(90) % 3 == 0, -1, y)
    order = np.arange(90)
    order[y < 0] = np.random.default_rng(0).permutation(order[y < 0])
    left_out = y >= 0
    one, other, fewer = (
        classifier("network.epochs=2").fit(inputs, of, n_classes=N_CLASSES).predict_proba(blocks)
        for inputs, of in (
            (train, y),
            (take_rows(train, order), y),
            (take_rows(train, left_out), y[left_out]),
        )
    )
    assert np.array_equal(one, other)
    assert np.array_equal(one, fewer)


def test_calibration_keeps_predictions():
    train, y = toy_blocks(200, kinds=WORDS, misleading=0.4)
    new, truth = toy_blocks(2000, seed=1, kinds=WORDS, misleading=0.7)  # so the answers are too sure
    fitted = classifier().fit(train, y, n_classes=N_CLASSES)
    scores = fitted.scores(fitted.encode(new))
    before = fitted.predict_proba(new)
    np.testing.assert_allclose(before, softmax(scores, axis=1))
    after = fitted.calibrate(new, truth).predict_proba(new)
    assert np.array_equal(fitted.scores(fitted.encode(new)), scores)
    assert np.array_equal(after.argmax(axis=1), before.argmax(axis=1))
    accuracy = (before.argmax(axis=1) == truth).mean()
    off = [abs(answers.max(axis=1).mean() - accuracy) for answers in (before, after)]
    assert off[0] > 0.05
    assert off[1] < 0.02


def test_temperature_stays_near_the_expected_one():
    train, y = toy_blocks(200, kinds=WORDS, misleading=0.4)
    quick = ["network.epochs=2"]  # so the answers are unsure
    fitted = classifier(*quick).fit(train, y, n_classes=N_CLASSES)
    assert fitted.expected_temperature_.level < -0.1
    assert fitted.temperature_ == Temperature()
    none = np.arange(0)
    assert fitted.calibrate(take_rows(train, none), y[none]).temperature_ == fitted.expected_temperature_


def test_biased_votes_do_not_override_the_svms():
    train, y = toy_blocks(300, kinds=WORDS, misleading=0.3)
    rare = np.flatnonzero(y > 0)
    y = np.where(np.isin(np.arange(len(y)), rare[::4]) | (y == 0), y, -1)
    # Of networks trained without class weights the rare categories get no vote.
    biased = ["network.epochs=2", "network.balance=0"]
    fitted = classifier(*biased).fit(train, y, n_classes=N_CLASSES)
    assert fitted.vote_share_ < 1
    books = fitted.encode(train)
    combine_scores = fitted.scores(books)
    fitted.vote_share_ = 1.0
    whole = fitted.scores(books)
    changed = np.flatnonzero(combine_scores.argmax(axis=1) != whole.argmax(axis=1))
    assert len(changed) > 0
    assert (combine_scores.argmax(axis=1)[changed] > 0).mean() > 0.5


def test_training_is_reproducible(blocks):
    train, y = toy_blocks(48)
    one, same, other = (
        classifier("network.epochs=2", seed=seed).fit(train, y, n_classes=N_CLASSES).predict_proba(blocks)
        for seed in (5, 5, 6)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("folds", [2, 5])
def test_one_network_per_fold_reports_steps(folds):
    train, y = toy_blocks(20, kinds=WORDS)
    reported = []
    fusion = classifier(f"training.folds={folds}", "network.epochs=2")
    fusion.fit(train, y, n_classes=N_CLASSES, on_step=lambda done, total: reported.append((done, total)))
    assert len(fusion.networks_) == folds
    last, total = reported[-1]
    assert last == total == len(reported)
    assert [done for done, _ in reported] == list(range(1, total + 1))


@pytest.mark.parametrize("y", [[0, 1], [0, 0, 1], [0, 1, 2, 2], [0, -1, 1, -1]])
def test_few_books_are_learned(y, blocks):
    train, _ = toy_blocks(len(y))
    fusion = classifier("network.epochs=1").fit(train, np.array(y), n_classes=N_CLASSES)
    np.testing.assert_allclose(fusion.predict_proba(blocks).sum(axis=1), 1)
