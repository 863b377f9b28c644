"""Learning of the fusion classifier from modalities, groups and links."""

import dataclasses
from itertools import combinations

import numpy as np
import pytest
import scipy.sparse as sp

from classifier.pipeline.evaluation.splits import stratified_folds
from classifier.pipeline.features.base import Block, BlockSpec
from classifier.pipeline.fusion.classifier import FusionClassifier
from tests.pipeline.feature_blocks import KINDS, N_CLASSES, toy_blocks, with_links, without
from tests.pipeline.fusion.classifiers import WORDS, accuracy, classifier, take_rows

BY_HEART = (
    "network.epochs=40", "network.dropout=0", "network.input_dropout=0", "network.vector_dropout=0",
)  # fmt: skip


@pytest.fixture(scope="module")
def misled() -> FusionClassifier:
    """Trained on 400 books; each modality is wrong about three in ten."""
    blocks, y = _misled_books(400, seed=0)
    return classifier().fit(blocks, y, n_classes=N_CLASSES)


def _misled_books(n_books: int, *, seed: int) -> tuple[dict[str, Block], np.ndarray]:
    return toy_blocks(n_books, seed=seed, misleading=0.3)


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(names, marks=pytest.mark.thorough if names != (KINDS[0],) else ())
        for size in (1, 2)
        for names in combinations(KINDS, size)
    ],
)
def test_hidden_modality_leaves_no_trace(misled, names):
    train, y = _misled_books(400, seed=0)
    new, truth = _misled_books(2000, seed=1)
    subset = np.any([new[name].present for name in names], axis=0)
    new, truth = take_rows(new, subset), truth[subset]
    lacking = {
        kind: block if kind in names else without(block, np.ones(subset.sum(), bool))
        for kind, block in new.items()
    }
    own = np.any([train[name].present for name in names], axis=0)
    other = classifier().fit({name: train[name].take(own) for name in names}, y[own], n_classes=N_CLASSES)
    gap = accuracy(misled, lacking, truth) - accuracy(other, {name: new[name] for name in names}, truth)
    # The two differ on some 60 of the books at most: by chance alone that is half a point.
    assert gap > -0.02


def test_networks_memorise_training_books_only():
    train, _ = toy_blocks(120, kinds=WORDS, missing=0)
    y = np.random.default_rng(7).integers(N_CLASSES, size=120)  # nothing to be learned but by heart
    honest = classifier(*BY_HEART).fit(train, y, n_classes=N_CLASSES)
    fold = stratified_folds(y, folds=3, rng=np.random.default_rng(honest.seed))
    seen, unseen = [], []
    for k, network in enumerate(honest.networks_):
        predicted = network.classify_codes(network.encode(train), np.ones((120, 2), bool))[:, 0]
        right = predicted.argmax(axis=1) == y
        seen.extend(right[fold != k])
        unseen.extend(right[fold == k])
    assert np.mean(seen) > 0.9
    assert np.mean(unseen) < 0.5


def test_unlearnable_labels_give_calibrated_doubt():
    # A machine that had been shown what the networks know by heart would be certain, and wrong.
    train, _ = toy_blocks(150, kinds=WORDS, missing=0)
    y = np.random.default_rng(7).integers(N_CLASSES, size=150)
    fitted = classifier(*BY_HEART).fit(train, y, n_classes=N_CLASSES)
    probabilities = fitted.predict_proba(toy_blocks(150, seed=1, kinds=WORDS, missing=0)[0])
    assert probabilities.max(axis=1).mean() < 0.55


def test_grouped_folds_prevent_trust_in_group_features():
    # Each author has a word and a category of their own; of other authors that teaches nothing.
    author = np.repeat(np.arange(40), 5)
    y = np.random.default_rng(7).integers(N_CLASSES, size=40)[author]
    words = sp.csr_matrix(np.eye(40, dtype=np.float32)[author])
    block = Block(values=words, present=np.ones(200, bool), spec=BlockSpec(kind="sparse", shape=(40,)))
    apart, mixed = (
        classifier(*BY_HEART, "svm.balance=0.5", "network.learning_rate=0.03").fit(
            {"words": block}, y, n_classes=N_CLASSES, groups=groups
        )
        for groups in (author, None)
    )
    assert mixed.svms_["words",].vote_weight_ > 1
    assert apart.svms_["words",].vote_weight_ < 0.5
    assert mixed.out_of_fold_.confidence.mean() > 0.95
    assert apart.out_of_fold_.confidence.mean() < 0.45
    assert mixed.predict_proba({"words": block}).max(axis=1).mean() > 0.95
    assert apart.predict_proba({"words": block}).max(axis=1).mean() < 0.8


def noisy_books(n_books: int, *, seed: int, telling: bool) -> tuple[dict[str, Block], np.ndarray]:
    """Draw books with words that tell most, and many numbers that tell more or nothing at all."""
    blocks, y = toy_blocks(n_books, seed=seed, kinds=("words",), missing=0, misleading=0.3)
    values = np.random.default_rng(seed + 50).normal(size=(n_books, 300)).astype(np.float32)
    values[:, :N_CLASSES] += telling * 2 * np.eye(N_CLASSES, dtype=np.float32)[y]
    spec = BlockSpec(kind="vector", shape=(300,))
    return blocks | {"numbers": Block(values=values, present=np.ones(n_books, bool), spec=spec)}, y


@pytest.mark.parametrize(("telling", "used"), [(True, ("words", "numbers")), (False, ("words",))])
def test_uninformative_modality_is_excluded(telling, used):
    fitted = classifier("network.epochs=30").fit(
        *noisy_books(120, seed=0, telling=telling), n_classes=N_CLASSES
    )
    assert fitted.modalities_used_ == {
        ("words", "numbers"): used,
        ("words",): ("words",),
        ("numbers",): ("numbers",),
    }
    new, _ = noisy_books(50, seed=1, telling=telling)
    other = new | {"numbers": garbage(new["numbers"])}
    before, after = fitted.predict_proba(new), fitted.predict_proba(other)
    assert np.allclose(before, after, rtol=1e-12) != telling


def garbage(block: Block) -> Block:
    values = np.random.default_rng(9).normal(size=block.values.shape).astype(np.float32)
    return Block(values=values, present=block.present, spec=block.spec)


def linked_books(n_books: int, *, n_identified: int | None = None, seed: int = 0):
    """Draw books; every other has informative words, and all have uninformative numbers.

    Each is linked to five books of its class that have words.
    """
    blocks, y = toy_blocks(n_books, seed=seed, kinds=WORDS, missing=0)
    noise = np.random.default_rng([seed, 2]).normal(size=blocks["numbers"].values.shape).astype(np.float32)
    numbers = Block(values=noise, present=np.ones(n_books, bool), spec=blocks["numbers"].spec)
    wordless = np.arange(n_books) % 2 == 0
    known = toy_blocks(n_identified or n_books, kinds=WORDS)[1]
    to = np.where(np.arange(len(known)) % 2 == 0, -1, known)
    if n_identified is None:
        to = np.where(wordless, -1, y)
    blocks = {
        "words": without(blocks["words"], wordless),
        "numbers": with_links(numbers, y, to, seed=seed),
    }
    return blocks, y, wordless


def test_co_borrowed_titles_classify_uninformative_books():
    train, y, _ = linked_books(240)
    fitted = classifier().fit(train, y, n_classes=N_CLASSES)
    new, truth, wordless = linked_books(120, n_identified=240, seed=1)
    assert accuracy(fitted, take_rows(new, wordless), truth[wordless]) > 0.9
    unlinked = classifier().fit(_without_links(train), y, n_classes=N_CLASSES)
    assert accuracy(unlinked, take_rows(_without_links(new), wordless), truth[wordless]) < 0.5


def _without_links(blocks: dict[str, Block]) -> dict[str, Block]:
    return {kind: dataclasses.replace(block, links=None) for kind, block in blocks.items()}


def test_uncategorised_linked_titles_help():
    train, y, wordless = linked_books(240)
    # Of the books with words, all that others are linked to, half have no category.
    unlabelled = ~wordless & (np.arange(240) % 4 == 1)
    fitted = classifier().fit(train, np.where(unlabelled, -1, y), n_classes=N_CLASSES)
    rows = np.flatnonzero(wordless)[:60]
    to = np.where(unlabelled, y, -1)
    calls = take_rows(train, rows)
    calls["numbers"] = with_links(calls["numbers"], y[rows], to)
    assert accuracy(fitted, calls, y[rows]) > 0.9


def test_links_to_other_books_are_rejected():
    train, y, _ = linked_books(60)
    with pytest.raises(ValueError, match=r"numbers links 60 books; there are 30\."):
        classifier().fit(take_rows(train, np.arange(30)), y[:30], n_classes=N_CLASSES)
