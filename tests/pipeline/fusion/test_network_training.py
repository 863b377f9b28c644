"""Training of the fusion network."""

import typing

import numpy as np
import pytest
import torch

from classifier.pipeline.fusion.fusion_layers import Kind
from classifier.pipeline.fusion.network import _drop_terms
from tests.pipeline.feature_blocks import (
    IMAGE,
    N_CLASSES,
    log_probabilities,
    only,
    toy_blocks,
)
from tests.pipeline.fusion.networks import accuracy, network


@pytest.mark.parametrize("activation", ["gelu", "relu", "tanh", "silu"])
@pytest.mark.parametrize(
    ("optimizer", "rates"), [("adam", (0.02, 0.003)), ("adagrad", (0.1, 0.03)), ("sgd", (1.0, 0.1))]
)
def test_optimizers_and_activations_learn(optimizer, rates, activation):
    kinds = ("words", "numbers")
    train, y = toy_blocks(90, kinds=kinds)
    settings = [
        f"network.optimizer={optimizer}",
        f"network.activation={activation}",
        f"network.learning_rate={rates[0]}",
        f"network.dense_learning_rate={rates[1]}",
    ]
    fitted = network(*settings).fit(train, y, n_classes=N_CLASSES)
    new, truth = toy_blocks(90, seed=1, kinds=kinds)
    assert accuracy(fitted, new, truth) > 0.9
    for output, kind in enumerate(kinds, start=1):
        rows = new[kind].present
        assert accuracy(fitted, {k: b.take(rows) for k, b in new.items()}, truth[rows], output) > 0.8


@pytest.mark.parametrize("fusion", typing.get_args(Kind))
@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_fusion_kinds_learn_with_any_single_modality(fusion, activation):
    kinds = ("words", "numbers")
    train, y = toy_blocks(90, kinds=kinds)
    settings = [f"network.fusion={fusion}", f"network.activation={activation}", "network.epochs=20"]
    fitted = network(*settings).fit(train, y, n_classes=N_CLASSES)
    new, truth = toy_blocks(90, seed=1, kinds=kinds)
    assert accuracy(fitted, new, truth) > 0.9
    for kind in kinds:
        assert accuracy(fitted, only(new, kind), truth[new[kind].present]) > 0.85


def test_hidden_layers_learn():
    train, y = toy_blocks(90, kinds=("words", "numbers"))
    fitted = network("network.hidden=12,8", "network.dropout=0.2", "network.epochs=30")
    fitted.fit(train, y, n_classes=N_CLASSES)
    assert accuracy(fitted, *toy_blocks(90, seed=1, kinds=("words", "numbers"))) > 0.9
    assert [layer.out_features for layer in fitted.module_.fused if hasattr(layer, "out_features")] == [
        12,
        8,
        3,
    ]


def test_global_random_state_and_threads_are_restored():
    train, y = toy_blocks(32)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        log_probabilities(network("network.epochs=1").fit(train, y, n_classes=N_CLASSES), train)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(torch.get_rng_state(), state)


def test_training_does_not_modify_blocks():
    train, y = toy_blocks(32)
    before = {kind: block.values.copy() for kind, block in train.items()}
    network("network.epochs=1").fit(train, y, n_classes=N_CLASSES)
    assert (train["words"].values != before["words"]).nnz == 0
    assert np.array_equal(train["numbers"].values, before["numbers"])
    assert np.array_equal(train["pixels"].values, before["pixels"])


@pytest.mark.parametrize(
    ("changes", "books", "steps"),
    [
        (["network.epochs=3", "network.batch=10"], 25, 3 * 3),
        (["network.epochs=0", "network.batch=0"], 30, 20),  # batches of up to 64 books, 20 passes
        (["network.epochs=2", "network.batch=0"], 1500, 2 * 20),  # batches of a twentieth
    ],
)
def test_steps_are_counted_to_the_end(changes, books, steps):
    train, y = toy_blocks(books, kinds=("words",))
    seen = []
    network(*changes).fit(
        train, y, n_classes=N_CLASSES, on_step=lambda done, total: seen.append((done, total))
    )
    assert seen == [(step, steps) for step in range(1, steps + 1)]


def test_dropped_terms_are_compensated():
    terms = toy_blocks(500)[0]["words"].values
    thinned = _drop_terms(terms.copy(), 0.25, np.random.default_rng(0))
    assert abs(np.mean(thinned.data == 0) - 0.25) < 0.03
    assert thinned.sum() == pytest.approx(terms.sum(), rel=0.03)


def test_embedding_tables_are_half_precision(fitted):
    table = fitted.module_.encoders["words"].table
    assert table.any()
    assert torch.equal(table, table.half().float())


def test_smallest_cover_trains_alone_in_its_batch():
    assert IMAGE[2] == 17  # what Config.check allows; one pixel less is one pixel at the last layer
    train, y = toy_blocks(17, kinds=("pixels",), missing=0)
    fitted = network("network.epochs=1", "network.batch=16").fit(train, y, n_classes=N_CLASSES)
    assert np.isfinite(log_probabilities(fitted, train)).all()
