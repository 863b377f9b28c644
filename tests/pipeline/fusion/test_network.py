"""The fusion network: it learns, reads no absent row, and does the same twice."""

import typing

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from classifier.pipeline.config import Config
from classifier.pipeline.features.base import Block
from classifier.pipeline.fusion.fusion_layers import Kind, side_by_side
from classifier.pipeline.fusion.network import FusionNetwork, _thin, read
from tests.pipeline.feature_blocks import (
    IMAGE,
    KINDS,
    N_CLASSES,
    N_TERMS,
    only,
    said,
    toy_blocks,
    with_values,
    without,
)


def network(*settings: str, seed: int = 0) -> FusionNetwork:
    tiny = [
        "network.width=16", "network.epochs=12", "network.batch=16", "network.dense_learning_rate=0.02",
        "network.vector_dropout=0.1",
    ]  # fmt: skip
    return FusionNetwork(settings=Config().with_settings([*tiny, *settings]).network, seed=seed)


def accuracy(fitted: FusionNetwork, blocks: dict[str, Block], y: np.ndarray, output: int = 0) -> float:
    return float((said(fitted, blocks)[:, output].argmax(axis=1) == y).mean())


def garbage(block: Block, seed: int = 0) -> Block:
    """Return the block with something in the rows of absent books."""
    rng = np.random.default_rng(seed)
    shape = block.values.shape
    if block.spec.kind == "sparse":
        noise = sp.csr_matrix(np.where(block.present[:, None], 0, rng.random(shape)).astype(np.float32))
        return with_values(block, sp.csr_matrix(block.values + noise))
    noise = rng.integers(1, 255, shape).astype(block.values.dtype)
    return with_values(block, np.where(block.present[:, None], block.values, noise))


@pytest.fixture(scope="module")
def fitted() -> FusionNetwork:
    blocks, y = toy_blocks(90)
    return network().fit(blocks, y, n_classes=N_CLASSES)


@pytest.fixture
def blocks() -> dict[str, Block]:
    return toy_blocks(60, seed=1)[0]


def test_there_is_one_output_for_the_fusion_and_one_for_each_modality(fitted, blocks):
    answers = said(fitted, blocks)
    assert answers.shape == (60, 1 + len(KINDS), N_CLASSES)
    assert answers.dtype == np.float32
    np.testing.assert_allclose(np.exp(answers).sum(axis=2), 1, atol=1e-5)


def test_the_fusion_sees_what_is_shown_of_the_codes_and_each_modality_its_own(fitted, blocks):
    codes = fitted.encode(blocks)
    present = np.column_stack([block.present for block in blocks.values()])
    shown = present & (np.arange(len(KINDS)) != 1)
    lacking = blocks | {KINDS[1]: without(blocks[KINDS[1]], np.ones(60, bool))}
    answers, expected = fitted.read(codes, shown), said(fitted, lacking)
    np.testing.assert_allclose(answers[:, 0], expected[:, 0], atol=1e-5)
    assert np.array_equal(answers[:, 1:], fitted.read(codes, present)[:, 1:])


@pytest.mark.parametrize(
    "setting", [*(f"network.fusion={kind}" for kind in typing.get_args(Kind)), "network.hidden=8,6"]
)
def test_networks_side_by_side_say_what_each_says(blocks, setting):
    each = [
        network(setting, "network.epochs=1", seed=seed).fit(*toy_blocks(40), n_classes=N_CLASSES)
        for seed in (1, 2)
    ]
    present = np.column_stack([block.present for block in blocks.values()])
    codes = [one.encode(blocks) for one in each]
    together = side_by_side([one.module_ for one in each], without="encoders")
    [(_rows, found)] = read(together, codes, present)
    expected = np.stack([one.read(of, present) for one, of in zip(each, codes, strict=True)])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(expected[0] - expected[1]).max() > 0.01


def test_what_modalities_say_alone_is_left_out_where_it_is_not_wanted(fitted, blocks):
    codes = fitted.encode(blocks)
    present = np.column_stack([block.present for block in blocks.values()])
    answers, every = fitted.read(codes, present, alone=[KINDS[1]]), fitted.read(codes, present)
    assert np.array_equal(answers[:, [0, 2]], every[:, [0, 2]])
    np.testing.assert_allclose(answers[:, [1, 3]], np.log(1 / N_CLASSES), rtol=1e-6)


def test_the_fusion_and_each_modality_alone_learn_the_classes(fitted):
    new, y = toy_blocks(90, seed=1)
    assert accuracy(fitted, new, y) > 0.9
    for output, kind in enumerate(KINDS, start=1):
        rows = new[kind].present
        assert accuracy(fitted, {k: b.take(rows) for k, b in new.items()}, y[rows], output) > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_the_fusion_can_do_with_any_one_modality(fitted, kind):
    new, y = toy_blocks(90, seed=1)
    assert accuracy(fitted, only(new, kind), y[new[kind].present]) > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_in_an_absent_row_is_not_read_in_prediction(fitted, blocks, kind):
    spoilt = blocks | {kind: garbage(blocks[kind])}
    before, after = said(fitted, blocks), said(fitted, spoilt)
    assert np.array_equal(before[:, 0], after[:, 0])
    for output, name in enumerate(KINDS, start=1):
        present = blocks[name].present
        assert np.array_equal(before[present, output], after[present, output])


@pytest.mark.parametrize("kind", ["numbers", "pixels"])
def test_what_stands_in_an_absent_row_is_not_learned_from(kind, blocks):
    train, y = toy_blocks(48)
    spoilt = train | {kind: garbage(train[kind])}
    one, other = (network("network.epochs=2").fit(b, y, n_classes=N_CLASSES) for b in (train, spoilt))
    assert np.array_equal(said(one, blocks), said(other, blocks))


def test_an_absent_modality_is_not_one_whose_numbers_are_zero(fitted, blocks):
    block = blocks["numbers"]
    zeros = np.zeros_like(block.values)
    absent = blocks | {"numbers": Block(values=zeros, present=np.zeros(60, bool), spec=block.spec)}
    zero = blocks | {"numbers": Block(values=zeros, present=np.ones(60, bool), spec=block.spec)}
    gap = np.abs(said(fitted, absent)[:, 0] - said(fitted, zero)[:, 0])
    assert gap.max(axis=1).min() > 1e-3


def test_a_book_of_which_nothing_is_known_gets_one_answer_like_any_other(fitted, blocks):
    nothing = {
        kind: Block(values=block.values[:4] * 0, present=np.zeros(4, bool), spec=block.spec)
        for kind, block in blocks.items()
    }
    answers = said(fitted, nothing)
    assert np.isfinite(answers).all()
    assert (answers == answers[0]).all()


def test_a_term_that_no_book_had_in_training_says_nothing(fitted, blocks):
    assert not fitted.module_.encoders["words"].table[N_TERMS - 1].any()
    more = blocks["words"].values.tolil()
    more[:, N_TERMS - 1] = 3.0
    changed = blocks | {"words": with_values(blocks["words"], more.tocsr())}
    assert np.array_equal(said(fitted, changed), said(fitted, blocks))


def test_books_are_predicted_one_by_one_as_together(fitted, blocks):
    together = said(fitted, blocks)
    alone = [said(fitted, {k: b.take(np.array([i])) for k, b in blocks.items()}) for i in range(60)]
    np.testing.assert_allclose(np.concatenate(alone), together, atol=1e-5)


def test_no_books_get_no_answers(fitted, blocks):
    none = {kind: block.take(np.zeros(60, bool)) for kind, block in blocks.items()}
    assert said(fitted, none).shape == (0, 1 + len(KINDS), N_CLASSES)


def test_the_last_modality_of_a_book_is_never_hidden():
    train, y = toy_blocks(32, kinds=("words",))
    shown, hidden = (
        network("network.epochs=2", f"network.modality_dropout={share}").fit(train, y, n_classes=N_CLASSES)
        for share in (0, 0.99)
    )
    assert np.array_equal(said(shown, train), said(hidden, train))


def test_hiding_modalities_changes_what_is_learned_where_there_are_several():
    train, y = toy_blocks(32, missing=0)
    shown, hidden = (
        network("network.epochs=2", f"network.modality_dropout={share}").fit(train, y, n_classes=N_CLASSES)
        for share in (0, 0.5)
    )
    assert not np.array_equal(said(shown, train), said(hidden, train))


def test_a_modality_learns_nothing_of_the_books_that_lack_it():
    train, y = toy_blocks(90, kinds=("words", "numbers"), missing=0)
    train["numbers"] = without(train["numbers"], y == 2)
    fitted = network().fit(train, y, n_classes=N_CLASSES)
    block = train["numbers"]
    blank = Block(values=np.zeros_like(block.values), present=np.ones(90, bool), spec=block.spec)
    alone = said(fitted, train | {"numbers": blank})[:, 2]
    assert (alone.argmax(axis=1) != 2).all()


@pytest.mark.parametrize("activation", ["gelu", "relu", "tanh", "silu"])
@pytest.mark.parametrize(
    ("optimizer", "rates"), [("adam", (0.02, 0.003)), ("adagrad", (0.1, 0.03)), ("sgd", (1.0, 0.1))]
)
def test_every_optimizer_and_activation_learns(optimizer, rates, activation):
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
def test_every_kind_of_fusion_learns_and_can_do_with_any_one_modality(fusion, activation):
    kinds = ("words", "numbers")
    train, y = toy_blocks(90, kinds=kinds)
    settings = [f"network.fusion={fusion}", f"network.activation={activation}", "network.epochs=20"]
    fitted = network(*settings).fit(train, y, n_classes=N_CLASSES)
    new, truth = toy_blocks(90, seed=1, kinds=kinds)
    assert accuracy(fitted, new, truth) > 0.9
    for kind in kinds:
        assert accuracy(fitted, only(new, kind), truth[new[kind].present]) > 0.85


def test_layers_between_fusion_and_classes_learn_too():
    train, y = toy_blocks(90, kinds=("words", "numbers"))
    fitted = network("network.hidden=12,8", "network.dropout=0.2", "network.epochs=30")
    fitted.fit(train, y, n_classes=N_CLASSES)
    assert accuracy(fitted, *toy_blocks(90, seed=1, kinds=("words", "numbers"))) > 0.9
    assert [layer.out_features for layer in fitted.module_.fused if hasattr(layer, "out_features")] == [
        12,
        8,
        3,
    ]


def test_the_same_seed_gives_the_same_network_and_another_seed_another(blocks):
    train, y = toy_blocks(48)
    one, same, other = (
        said(network("network.epochs=2", seed=seed).fit(train, y, n_classes=N_CLASSES), blocks)
        for seed in (5, 5, 6)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_random_numbers_and_threads_of_others_stay_as_they_were():
    train, y = toy_blocks(32)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        said(network("network.epochs=1").fit(train, y, n_classes=N_CLASSES), train)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(torch.get_rng_state(), state)


def test_blocks_are_not_changed_by_learning():
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
        (["network.epochs=0", "network.batch=0"], 30, 40 * 2),  # batches of 16 books, 40 passes
        (["network.epochs=2", "network.batch=0"], 400, 2 * 20),  # batches of a twentieth
    ],
)
def test_steps_are_counted_to_the_end(changes, books, steps):
    train, y = toy_blocks(books, kinds=("words",))
    seen = []
    network(*changes).fit(
        train, y, n_classes=N_CLASSES, on_step=lambda done, total: seen.append((done, total))
    )
    assert seen == [(step, steps) for step in range(1, steps + 1)]


def test_terms_left_out_are_made_up_for_by_those_that_stay():
    terms = toy_blocks(500)[0]["words"].values
    thinned = _thin(terms.copy(), 0.25, np.random.default_rng(0))
    assert abs(np.mean(thinned.data == 0) - 0.25) < 0.03
    assert thinned.sum() == pytest.approx(terms.sum(), rel=0.03)


def test_term_tables_hold_nothing_that_half_precision_would_lose(fitted):
    table = fitted.module_.encoders["words"].table
    assert table.any()
    assert torch.equal(table, table.half().float())


@pytest.mark.parametrize("kind", KINDS)
def test_a_single_book_with_a_modality_is_enough_to_learn(kind, blocks):
    train, y = toy_blocks(24, missing=0)
    train[kind] = without(train[kind], np.arange(24) != 3)
    fitted = network("network.epochs=1").fit(train, y, n_classes=N_CLASSES)
    assert np.isfinite(said(fitted, blocks)).all()


def test_the_smallest_cover_allowed_can_be_learned_from_alone_in_its_batch():
    assert IMAGE[2] == 17  # what Config.check allows; one pixel less is one pixel at the last layer
    train, y = toy_blocks(17, kinds=("pixels",), missing=0)
    fitted = network("network.epochs=1", "network.batch=16").fit(train, y, n_classes=N_CLASSES)
    assert np.isfinite(said(fitted, train)).all()
