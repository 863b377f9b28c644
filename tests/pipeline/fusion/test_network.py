"""Fusion network: learning, absent rows, reproducibility."""

import typing

import numpy as np
import pytest
import scipy.sparse as sp

from classifier.pipeline.features.base import Block
from classifier.pipeline.fusion.fusion_layers import Kind, stack_modules
from classifier.pipeline.fusion.network import classify_codes
from tests.pipeline.feature_blocks import (
    KINDS,
    N_CLASSES,
    N_TERMS,
    log_probabilities,
    only,
    toy_blocks,
    with_values,
    without,
)
from tests.pipeline.fusion.networks import accuracy, network


def garbage(block: Block, seed: int = 0) -> Block:
    """Return the block with something in the rows of absent books."""
    rng = np.random.default_rng(seed)
    shape = block.values.shape
    if block.spec.kind == "sparse":
        noise = sp.csr_matrix(np.where(block.present[:, None], 0, rng.random(shape)).astype(np.float32))
        return with_values(block, sp.csr_matrix(block.values + noise))
    noise = rng.integers(1, 255, shape).astype(block.values.dtype)
    return with_values(block, np.where(block.present[:, None], block.values, noise))


@pytest.fixture
def blocks() -> dict[str, Block]:
    return toy_blocks(60, seed=1)[0]


def test_network_has_one_output_per_modality_and_fusion(fitted, blocks):
    answers = log_probabilities(fitted, blocks)
    assert answers.shape == (60, 1 + len(KINDS), N_CLASSES)
    assert answers.dtype == np.float32
    np.testing.assert_allclose(np.exp(answers).sum(axis=2), 1, atol=1e-5)


def test_fusion_sees_shown_codes_only(fitted, blocks):
    codes = fitted.encode(blocks)
    present = np.column_stack([block.present for block in blocks.values()])
    shown = present & (np.arange(len(KINDS)) != 1)
    lacking = blocks | {KINDS[1]: without(blocks[KINDS[1]], np.ones(60, bool))}
    answers, expected = fitted.classify_codes(codes, shown), log_probabilities(fitted, lacking)
    np.testing.assert_allclose(answers[:, 0], expected[:, 0], atol=1e-5)
    assert np.array_equal(answers[:, 1:], fitted.classify_codes(codes, present)[:, 1:])


@pytest.mark.parametrize(
    "setting", [*(f"network.fusion={kind}" for kind in typing.get_args(Kind)), "network.hidden=8,6"]
)
def test_stacked_networks_equal_single_ones(blocks, setting):
    item = [
        network(setting, "network.epochs=1", seed=seed).fit(*toy_blocks(40), n_classes=N_CLASSES)
        for seed in (1, 2)
    ]
    present = np.column_stack([block.present for block in blocks.values()])
    codes = [one.encode(blocks) for one in item]
    together = stack_modules([one.module_ for one in item], exclude="encoders")
    [(_rows, result)] = classify_codes(together, codes, present)
    expected = np.stack([one.classify_codes(of, present) for one, of in zip(item, codes, strict=True)])
    np.testing.assert_allclose(result, expected, atol=1e-6)
    assert np.abs(expected[0] - expected[1]).max() > 0.01


def test_unrequested_heads_are_zero(fitted, blocks):
    codes = fitted.encode(blocks)
    present = np.column_stack([block.present for block in blocks.values()])
    answers, every = (
        fitted.classify_codes(codes, present, heads=[KINDS[1]]),
        fitted.classify_codes(codes, present),
    )
    assert np.array_equal(answers[:, [0, 2]], every[:, [0, 2]])
    np.testing.assert_allclose(answers[:, [1, 3]], np.log(1 / N_CLASSES), rtol=1e-6)


def test_fusion_and_heads_learn(fitted):
    new, y = toy_blocks(90, seed=1)
    assert accuracy(fitted, new, y) > 0.9
    for output, kind in enumerate(KINDS, start=1):
        rows = new[kind].present
        assert accuracy(fitted, {k: b.take(rows) for k, b in new.items()}, y[rows], output) > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_fusion_works_with_any_single_modality(fitted, kind):
    new, y = toy_blocks(90, seed=1)
    assert accuracy(fitted, only(new, kind), y[new[kind].present]) > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_absent_rows_are_not_read_in_prediction(fitted, blocks, kind):
    spoilt = blocks | {kind: garbage(blocks[kind])}
    before, after = log_probabilities(fitted, blocks), log_probabilities(fitted, spoilt)
    assert np.array_equal(before[:, 0], after[:, 0])
    for output, name in enumerate(KINDS, start=1):
        present = blocks[name].present
        assert np.array_equal(before[present, output], after[present, output])


@pytest.mark.parametrize("kind", ["numbers", "pixels"])
def test_absent_rows_are_not_learned(kind, blocks):
    train, y = toy_blocks(48)
    spoilt = train | {kind: garbage(train[kind])}
    one, other = (network("network.epochs=2").fit(b, y, n_classes=N_CLASSES) for b in (train, spoilt))
    assert np.array_equal(log_probabilities(one, blocks), log_probabilities(other, blocks))


def test_absent_modality_differs_from_zero_features(fitted, blocks):
    block = blocks["numbers"]
    zeros = np.zeros_like(block.values)
    absent = blocks | {"numbers": Block(values=zeros, present=np.zeros(60, bool), spec=block.spec)}
    zero = blocks | {"numbers": Block(values=zeros, present=np.ones(60, bool), spec=block.spec)}
    gap = np.abs(log_probabilities(fitted, absent)[:, 0] - log_probabilities(fitted, zero)[:, 0])
    assert gap.max(axis=1).min() > 1e-3


def test_empty_books_get_one_prediction(fitted, blocks):
    nothing = {
        kind: Block(values=block.values[:4] * 0, present=np.zeros(4, bool), spec=block.spec)
        for kind, block in blocks.items()
    }
    answers = log_probabilities(fitted, nothing)
    assert np.isfinite(answers).all()
    assert (answers == answers[0]).all()


def test_unknown_terms_have_no_effect(fitted, blocks):
    assert not fitted.module_.encoders["words"].table[N_TERMS - 1].any()
    more = blocks["words"].values.tolil()
    more[:, N_TERMS - 1] = 3.0
    changed = blocks | {"words": with_values(blocks["words"], more.tocsr())}
    assert np.array_equal(log_probabilities(fitted, changed), log_probabilities(fitted, blocks))


def test_single_and_batch_predictions_agree(fitted, blocks):
    together = log_probabilities(fitted, blocks)
    alone = [
        log_probabilities(fitted, {k: b.take(np.array([i])) for k, b in blocks.items()}) for i in range(60)
    ]
    np.testing.assert_allclose(np.concatenate(alone), together, atol=1e-5)


def test_no_books_give_no_predictions(fitted, blocks):
    none = {kind: block.take(np.zeros(60, bool)) for kind, block in blocks.items()}
    assert log_probabilities(fitted, none).shape == (0, 1 + len(KINDS), N_CLASSES)


def test_last_modality_is_never_dropped():
    train, y = toy_blocks(32, kinds=("words",))
    shown, hidden = (
        network("network.epochs=2", f"network.modality_dropout={share}").fit(train, y, n_classes=N_CLASSES)
        for share in (0, 0.99)
    )
    assert np.array_equal(log_probabilities(shown, train), log_probabilities(hidden, train))


def test_modality_dropout_matters_with_several_modalities():
    train, y = toy_blocks(32, missing=0)
    shown, hidden = (
        network("network.epochs=2", f"network.modality_dropout={share}").fit(train, y, n_classes=N_CLASSES)
        for share in (0, 0.5)
    )
    assert not np.array_equal(log_probabilities(shown, train), log_probabilities(hidden, train))


def test_heads_ignore_books_without_the_modality():
    train, y = toy_blocks(90, kinds=("words", "numbers"), missing=0)
    train["numbers"] = without(train["numbers"], y == 2)
    fitted = network().fit(train, y, n_classes=N_CLASSES)
    block = train["numbers"]
    blank = Block(values=np.zeros_like(block.values), present=np.ones(90, bool), spec=block.spec)
    alone = log_probabilities(fitted, train | {"numbers": blank})[:, 2]
    assert (alone.argmax(axis=1) != 2).all()


def test_training_is_reproducible(blocks):
    train, y = toy_blocks(48)
    one, same, other = (
        log_probabilities(network("network.epochs=2", seed=seed).fit(train, y, n_classes=N_CLASSES), blocks)
        for seed in (5, 5, 6)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("kind", KINDS)
def test_single_book_with_a_modality_trains(kind, blocks):
    train, y = toy_blocks(24, missing=0)
    train[kind] = without(train[kind], np.arange(24) != 3)
    fitted = network("network.epochs=1").fit(train, y, n_classes=N_CLASSES)
    assert np.isfinite(log_probabilities(fitted, blocks)).all()
