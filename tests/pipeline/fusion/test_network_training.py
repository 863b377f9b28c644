"""Training of the fusion network."""

import typing

import numpy as np
import pytest
import torch

from classifier.pipeline.config import Config
from classifier.pipeline.fusion.fusion_layers import Kind
from classifier.pipeline.fusion.network import _drop_inputs
from tests.pipeline.feature_blocks import (
    IMAGE,
    N_CLASSES,
    log_probabilities,
    only,
    toy_blocks,
)
from tests.pipeline.fusion.networks import accuracy, network


@pytest.mark.parametrize("activation", ["gelu", "relu", "tanh", "silu"])
def test_activations_learn(activation):
    kinds = ("words", "numbers")
    train, y = toy_blocks(90, kinds=kinds)
    fitted = network(f"network.activation={activation}").fit(train, y, n_classes=N_CLASSES)
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
        (["network.epochs=0", "network.batch=0"], 30, 10),  # batches of up to 32 books, 10 passes
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


@pytest.mark.parametrize("kind", ["words", "numbers"])
def test_dropped_inputs_are_compensated(kind):
    config = Config().with_settings(["network.input_dropout=0.25", "network.vector_dropout=0.25"])
    values = toy_blocks(500, missing=0)[0][kind].values
    given = torch.from_numpy(values) if kind == "numbers" else values
    thinned = _drop_inputs(given, config.network, np.random.default_rng(0))
    whole, thin = (np.asarray(a.toarray() if kind == "words" else a) for a in (values, thinned))
    kept = thin != 0
    assert kept.sum() / (whole != 0).sum() == pytest.approx(0.75, abs=0.03)
    np.testing.assert_allclose(thin[kept], whole[kept] / 0.75, rtol=1e-6)


def test_pixels_are_not_dropped():
    pixels = torch.from_numpy(toy_blocks(20)[0]["pixels"].values)
    assert _drop_inputs(pixels, Config().network, np.random.default_rng(0)) is pixels


def test_embedding_tables_are_half_precision(fitted):
    table = fitted.module_.encoders["words"].table
    assert table.any()
    assert torch.equal(table, table.half().float())


def test_smallest_cover_trains_alone_in_its_batch():
    assert IMAGE[2] == 17  # what Config.check allows; one pixel less is one pixel at the last layer
    train, y = toy_blocks(17, kinds=("pixels",), missing=0)
    fitted = network("network.epochs=1", "network.batch=16").fit(train, y, n_classes=N_CLASSES)
    assert np.isfinite(log_probabilities(fitted, train)).all()
