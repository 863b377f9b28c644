"""The fusion classifier: what it hands to the support vector machine, and that this is honest."""

import numpy as np
import pytest

from classifier.pipeline.config import Config
from classifier.pipeline.fusion import FusionClassifier
from classifier.pipeline.modality import Block
from classifier.pipeline.splits import stratified_folds
from tests.pipeline.blocks import KINDS, N_CLASSES, toy_blocks

WORDS = ("words", "numbers")


def classifier(*settings: str, seed: int = 0) -> FusionClassifier:
    tiny = ["network.width=16", "network.epochs=12", "network.batch=16", "network.dense_learning_rate=0.02"]
    return FusionClassifier(config=Config().with_settings([*tiny, *settings]), seed=seed)


@pytest.fixture(scope="module")
def fitted() -> FusionClassifier:
    blocks, y = toy_blocks(90)
    return classifier().fit(blocks, y, n_classes=N_CLASSES)


@pytest.fixture
def blocks() -> dict[str, Block]:
    return toy_blocks(60, seed=1)[0]


def test_the_representation_is_a_unit_vector_an_output_and_zeros_where_a_modality_is_absent(fitted, blocks):
    representation = fitted.represent(blocks)
    assert representation.shape == (60, (1 + len(KINDS)) * N_CLASSES)
    assert representation.dtype == np.float32
    lengths = np.linalg.norm(representation.reshape(60, 1 + len(KINDS), N_CLASSES), axis=2)
    expected = np.column_stack([np.ones(60), *(blocks[kind].present for kind in KINDS)])
    np.testing.assert_allclose(lengths, expected, atol=1e-5)
    assert (representation >= 0).all()


def test_probabilities_sum_to_one_and_tell_the_classes(fitted):
    blocks, y = toy_blocks(60, seed=1)
    probabilities = fitted.predict_proba(blocks)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (probabilities.argmax(axis=1) == y).mean() > 0.9


def test_books_are_answered_one_by_one_as_together(fitted, blocks):
    together = fitted.predict_proba(blocks)
    alone = [fitted.predict_proba({k: b.take(np.array([i])) for k, b in blocks.items()}) for i in range(60)]
    np.testing.assert_allclose(np.concatenate(alone), together, atol=1e-5)


def test_the_order_in_which_blocks_are_given_does_not_matter(fitted, blocks):
    turned = {kind: blocks[kind] for kind in reversed(KINDS)}
    assert np.array_equal(fitted.predict_proba(turned), fitted.predict_proba(blocks))


def test_the_mean_vote_is_no_more_than_a_distribution(fitted, blocks):
    sums = np.exp(fitted.log_probabilities(blocks)).sum(axis=2)
    assert (sums <= 1 + 1e-5).all()
    assert (sums > 0).all()


def test_each_network_knows_by_heart_what_it_learned_and_nothing_of_the_fold_it_is_asked_about():
    train, _ = toy_blocks(120, kinds=WORDS, missing=0)
    y = np.random.default_rng(7).integers(N_CLASSES, size=120)  # nothing to be learned but by heart
    honest = classifier("network.epochs=60", "network.dropout=0", "network.input_dropout=0")
    honest.fit(train, y, n_classes=N_CLASSES)
    fold = stratified_folds(y, folds=3, rng=np.random.default_rng(honest.seed))
    seen, unseen = [], []
    for k, network in enumerate(honest.networks_):
        right = network.predict_logits(train)[:, 0].argmax(axis=1) == y
        seen.extend(right[fold != k])
        unseen.extend(right[fold == k])
    assert np.mean(seen) > 0.9
    assert np.mean(unseen) < 0.5


def test_where_there_is_nothing_to_learn_the_answers_are_as_unsure_as_they_should_be():
    # A machine that had been shown what the networks know by heart would be certain, and wrong.
    train, _ = toy_blocks(150, kinds=WORDS, missing=0)
    y = np.random.default_rng(7).integers(N_CLASSES, size=150)
    fitted = classifier("network.epochs=60", "network.dropout=0", "network.input_dropout=0")
    fitted.fit(train, y, n_classes=N_CLASSES)
    probabilities = fitted.predict_proba(toy_blocks(150, seed=1, kinds=WORDS, missing=0)[0])
    assert probabilities.max(axis=1).mean() < 0.55


def test_the_same_seed_gives_the_same_probabilities_and_another_seed_others(blocks):
    train, y = toy_blocks(48)
    one, same, other = (
        classifier("network.epochs=2", seed=seed).fit(train, y, n_classes=N_CLASSES).predict_proba(blocks)
        for seed in (5, 5, 6)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("folds", [2, 5])
def test_there_is_a_network_a_fold_and_their_steps_are_counted_through(folds):
    train, y = toy_blocks(20, kinds=WORDS)
    told = []
    fusion = classifier(f"training.folds={folds}", "network.epochs=2")
    fusion.fit(train, y, n_classes=N_CLASSES, on_step=lambda done, total: told.append((done, total)))
    assert len(fusion.networks_) == folds
    last, total = told[-1]
    assert last == total == len(told)
    assert [done for done, _ in told] == list(range(1, total + 1))


@pytest.mark.parametrize("y", [[0, 1], [0, 0, 1], [0, 1, 2, 2]])
def test_a_handful_of_books_is_learned_from(y, blocks):
    train, _ = toy_blocks(len(y))
    fusion = classifier("network.epochs=1").fit(train, np.array(y), n_classes=N_CLASSES)
    np.testing.assert_allclose(fusion.predict_proba(blocks).sum(axis=1), 1)
