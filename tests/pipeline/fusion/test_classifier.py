"""The fusion classifier: what it hands to the support vector machines, and that this is honest."""

import dataclasses
from itertools import combinations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import softmax

from classifier.pipeline.config import Config
from classifier.pipeline.evaluation.calibration import Temperature
from classifier.pipeline.evaluation.splits import stratified_folds
from classifier.pipeline.features.base import Block, BlockSpec
from classifier.pipeline.fusion.classifier import FusionClassifier
from tests.pipeline.feature_blocks import KINDS, N_CLASSES, toy_blocks, with_links, without

WORDS = ("words", "numbers")
BY_HEART = (
    "network.epochs=40", "network.dropout=0", "network.input_dropout=0", "network.vector_dropout=0",
)  # fmt: skip


def classifier(*settings: str, seed: int = 0) -> FusionClassifier:
    tiny = ["network.width=16", "network.epochs=12", "network.batch=16", "network.dense_learning_rate=0.02"]
    return FusionClassifier(config=Config().with_settings([*tiny, *settings]), seed=seed)


def taken(blocks: dict[str, Block], rows: np.ndarray) -> dict[str, Block]:
    return {kind: block.take(rows) for kind, block in blocks.items()}


def accuracy(fitted: FusionClassifier, blocks: dict[str, Block], y: np.ndarray) -> float:
    return float((fitted.predict_proba(blocks).argmax(axis=1) == y).mean())


@pytest.fixture(scope="module")
def fitted() -> FusionClassifier:
    blocks, y = toy_blocks(90)
    return classifier().fit(blocks, y, n_classes=N_CLASSES)


@pytest.fixture
def blocks() -> dict[str, Block]:
    return toy_blocks(60, seed=1)[0]


@pytest.mark.parametrize("names", [("words",), ("words", "pixels"), KINDS])
def test_the_representation_is_a_unit_vector_for_the_fusion_and_one_for_each_modality(fitted, blocks, names):
    books = fitted.encode(blocks)
    representation = fitted.represent(books, fitted.votes(books), names)
    assert representation.shape == (60, (1 + len(names)) * N_CLASSES)
    assert representation.dtype == np.float32
    lengths = np.linalg.norm(representation.reshape(60, 1 + len(names), N_CLASSES), axis=2)
    np.testing.assert_allclose(lengths, 1, atol=1e-5)
    assert (representation >= 0).all()


def test_of_a_single_modality_the_representation_is_what_it_says_alone():
    train, y = toy_blocks(40, kinds=("words",), missing=0)
    alone = classifier().fit(train, y, n_classes=N_CLASSES)
    books = alone.encode(train)
    votes = alone.votes(books)
    np.testing.assert_allclose(alone.represent(books, votes, ("words",)), np.exp(votes[:, 1] / 2), rtol=1e-6)


def test_linked_books_are_represented_by_what_is_believed_of_them():
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
    np.testing.assert_allclose(np.linalg.norm(both[:, -N_CLASSES:], axis=1), 1, atol=1e-5)


def test_probabilities_sum_to_one_and_tell_the_classes(fitted):
    blocks, y = toy_blocks(60, seed=1)
    np.testing.assert_allclose(fitted.predict_proba(blocks).sum(axis=1), 1)
    assert accuracy(fitted, blocks, y) > 0.9


def test_scores_are_log_probabilities_of_which_the_mean_is_zero(fitted, blocks):
    scores = fitted.scores(fitted.encode(blocks))
    np.testing.assert_allclose(scores.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(softmax(scores, axis=1), fitted.predict_proba(blocks))


def test_books_are_answered_one_by_one_as_together(fitted, blocks):
    together = fitted.predict_proba(blocks)
    alone = [fitted.predict_proba(taken(blocks, np.array([i]))) for i in range(60)]
    np.testing.assert_allclose(np.concatenate(alone), together, atol=1e-5)


def test_the_order_in_which_blocks_are_given_does_not_matter(fitted, blocks):
    turned = {kind: blocks[kind] for kind in reversed(KINDS)}
    assert np.array_equal(fitted.predict_proba(turned), fitted.predict_proba(blocks))


def test_the_votes_of_all_networks_are_a_distribution_over_the_categories(fitted, blocks):
    votes = fitted.votes(fitted.encode(blocks))
    assert votes.shape == (60, 1 + len(KINDS), N_CLASSES)
    np.testing.assert_allclose(np.exp(votes).sum(axis=2), 1, atol=1e-5)


def test_there_is_a_machine_for_each_set_of_modalities_the_largest_first(fitted):
    sets = [names for size in (3, 2, 1) for names in combinations(KINDS, size)]
    assert list(fitted.machines_) == sets


def test_a_set_of_modalities_that_few_books_have_has_no_machine_and_its_books_are_judged_by_less():
    train, y = toy_blocks(60, kinds=WORDS, missing=0)
    train["numbers"] = without(train["numbers"], np.arange(60) >= 5)
    fitted = classifier().fit(train, y, n_classes=N_CLASSES)
    assert list(fitted.machines_) == [("words",)]
    seen = np.array([[True, True], [True, False], [False, True]])
    assert fitted.machine_of(seen).tolist() == [0, 0, -1]


def test_a_book_of_which_nothing_is_known_gets_the_share_of_each_category(blocks):
    train, y = toy_blocks(60)
    kept = (y != 0) | (np.arange(60) % 4 == 0)
    fitted = classifier("network.epochs=1").fit(taken(train, kept), y[kept], n_classes=N_CLASSES + 1)
    nothing = {kind: without(block, np.ones(60, bool)) for kind, block in blocks.items()}
    books = np.append(np.bincount(y[kept]), 0)
    expected = (books + 0.5) / (books + 0.5).sum()
    np.testing.assert_allclose(fitted.predict_proba(nothing), np.tile(expected, (60, 1)))


@pytest.mark.parametrize("names", [("words",), ("numbers", "pixels")])
def test_what_is_not_shown_might_as_well_be_absent(fitted, blocks, names):
    shown = np.isin(KINDS, names)
    lacking = {
        kind: block if kind in names else without(block, np.ones(60, bool)) for kind, block in blocks.items()
    }
    np.testing.assert_allclose(
        fitted.scores(fitted.encode(blocks), shown=np.broadcast_to(shown, (60, 3))),
        fitted.scores(fitted.encode(lacking)),
        atol=1e-5,
    )


@pytest.fixture(scope="module")
def misled() -> FusionClassifier:
    """Learned from 400 books of which each modality is wrong about three in ten."""
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
def test_without_a_modality_it_is_as_good_as_if_it_had_never_known_of_it(misled, names):
    train, y = _misled_books(400, seed=0)
    new, truth = _misled_books(2000, seed=1)
    some = np.any([new[name].present for name in names], axis=0)
    new, truth = taken(new, some), truth[some]
    lacking = {
        kind: block if kind in names else without(block, np.ones(some.sum(), bool))
        for kind, block in new.items()
    }
    own = np.any([train[name].present for name in names], axis=0)
    other = classifier().fit({name: train[name].take(own) for name in names}, y[own], n_classes=N_CLASSES)
    gap = accuracy(misled, lacking, truth) - accuracy(other, {name: new[name] for name in names}, truth)
    # The two differ on some 60 of the books at most: by chance alone that is half a point.
    assert gap > -0.02


def test_each_network_knows_by_heart_what_it_learned_and_nothing_of_the_fold_it_is_asked_about():
    train, _ = toy_blocks(120, kinds=WORDS, missing=0)
    y = np.random.default_rng(7).integers(N_CLASSES, size=120)  # nothing to be learned but by heart
    honest = classifier(*BY_HEART).fit(train, y, n_classes=N_CLASSES)
    fold = stratified_folds(y, folds=3, rng=np.random.default_rng(honest.seed))
    seen, unseen = [], []
    for k, network in enumerate(honest.networks_):
        said = network.read(network.encode(train), np.ones((120, 2), bool))[:, 0]
        right = said.argmax(axis=1) == y
        seen.extend(right[fold != k])
        unseen.extend(right[fold == k])
    assert np.mean(seen) > 0.9
    assert np.mean(unseen) < 0.5


def test_where_there_is_nothing_to_learn_the_answers_are_as_unsure_as_they_should_be():
    # A machine that had been shown what the networks know by heart would be certain, and wrong.
    train, _ = toy_blocks(150, kinds=WORDS, missing=0)
    y = np.random.default_rng(7).integers(N_CLASSES, size=150)
    fitted = classifier(*BY_HEART).fit(train, y, n_classes=N_CLASSES)
    probabilities = fitted.predict_proba(toy_blocks(150, seed=1, kinds=WORDS, missing=0)[0])
    assert probabilities.max(axis=1).mean() < 0.55


def test_what_groups_have_in_common_is_not_trusted_where_they_are_kept_apart():
    # Each author has a word and a category of their own; of other authors that teaches nothing.
    author = np.repeat(np.arange(40), 5)
    y = np.random.default_rng(7).integers(N_CLASSES, size=40)[author]
    words = sp.csr_matrix(np.eye(40, dtype=np.float32)[author])
    block = Block(values=words, present=np.ones(200, bool), spec=BlockSpec(kind="sparse", shape=(40,)))
    apart, mixed = (
        classifier(*BY_HEART, "svm.balance=0.5").fit({"words": block}, y, n_classes=N_CLASSES, groups=groups)
        for groups in (author, None)
    )
    assert mixed.machines_["words",].vote_weight_ > 1
    assert apart.machines_["words",].vote_weight_ < 0.01
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
def test_a_modality_that_says_nothing_is_left_out_of_account_and_one_that_helps_is_not(telling, used):
    fitted = classifier("network.epochs=30").fit(
        *noisy_books(120, seed=0, telling=telling), n_classes=N_CLASSES
    )
    assert fitted.uses_ == {("words", "numbers"): used, ("words",): ("words",), ("numbers",): ("numbers",)}
    new, _ = noisy_books(50, seed=1, telling=telling)
    other = new | {"numbers": garbage(new["numbers"])}
    before, after = fitted.predict_proba(new), fitted.predict_proba(other)
    assert np.allclose(before, after, rtol=1e-12) != telling


def garbage(block: Block) -> Block:
    values = np.random.default_rng(9).normal(size=block.values.shape).astype(np.float32)
    return Block(values=values, present=block.present, spec=block.spec)


def test_fewer_groups_than_folds_are_left_out_of_account(blocks):
    train, y = toy_blocks(48)
    one, other = (
        classifier("network.epochs=1").fit(train, y, n_classes=N_CLASSES, groups=groups)
        for groups in (None, np.arange(48) % 2)
    )
    assert np.array_equal(one.predict_proba(blocks), other.predict_proba(blocks))


def test_books_without_a_category_are_not_learned_from(blocks):
    train, y = toy_blocks(90)
    y = np.where(np.arange(90) % 3 == 0, -1, y)
    order = np.arange(90)
    order[y < 0] = np.random.default_rng(0).permutation(order[y < 0])
    left_out = y >= 0
    one, other, fewer = (
        classifier("network.epochs=2").fit(given, of, n_classes=N_CLASSES).predict_proba(blocks)
        for given, of in ((train, y), (taken(train, order), y), (taken(train, left_out), y[left_out]))
    )
    assert np.array_equal(one, other)
    assert np.array_equal(one, fewer)


def linked_books(n_books: int, *, n_known: int | None = None, seed: int = 0):
    """Draw books of which every other has telling words, and all have numbers that tell nothing.

    Each is linked to five books of its class that have words.
    """
    blocks, y = toy_blocks(n_books, seed=seed, kinds=WORDS, missing=0)
    noise = np.random.default_rng([seed, 2]).normal(size=blocks["numbers"].values.shape).astype(np.float32)
    numbers = Block(values=noise, present=np.ones(n_books, bool), spec=blocks["numbers"].spec)
    wordless = np.arange(n_books) % 2 == 0
    known = toy_blocks(n_known or n_books, kinds=WORDS)[1]
    to = np.where(np.arange(len(known)) % 2 == 0, -1, known)
    if n_known is None:
        to = np.where(wordless, -1, y)
    blocks = {
        "words": without(blocks["words"], wordless),
        "numbers": with_links(numbers, y, to, seed=seed),
    }
    return blocks, y, wordless


def test_a_book_with_nothing_telling_is_known_by_the_titles_borrowed_with_it():
    train, y, _ = linked_books(240)
    fitted = classifier().fit(train, y, n_classes=N_CLASSES)
    new, truth, wordless = linked_books(120, n_known=240, seed=1)
    assert accuracy(fitted, taken(new, wordless), truth[wordless]) > 0.9
    unlinked = classifier().fit(_without_links(train), y, n_classes=N_CLASSES)
    assert accuracy(unlinked, taken(_without_links(new), wordless), truth[wordless]) < 0.5


def _without_links(blocks: dict[str, Block]) -> dict[str, Block]:
    return {kind: dataclasses.replace(block, links=None) for kind, block in blocks.items()}


def test_titles_that_nobody_has_categorised_speak_for_those_borrowed_with_them():
    train, y, wordless = linked_books(240)
    # Of the books with words, all that others are linked to, half have no category.
    unlabelled = ~wordless & (np.arange(240) % 4 == 1)
    fitted = classifier().fit(train, np.where(unlabelled, -1, y), n_classes=N_CLASSES)
    rows = np.flatnonzero(wordless)[:60]
    to = np.where(unlabelled, y, -1)
    asked = taken(train, rows)
    asked["numbers"] = with_links(asked["numbers"], y[rows], to)
    assert accuracy(fitted, asked, y[rows]) > 0.9


def test_links_to_other_books_than_those_given_are_refused():
    train, y, _ = linked_books(60)
    with pytest.raises(ValueError, match=r"numbers links 60 books; there are 30\."):
        classifier().fit(taken(train, np.arange(30)), y[:30], n_classes=N_CLASSES)


def test_calibrating_makes_the_answers_likelier_and_changes_none():
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


def test_the_temperature_is_drawn_towards_what_books_unseen_at_fit_call_for():
    train, y = toy_blocks(200, kinds=WORDS, misleading=0.4)
    fitted = classifier("network.epochs=2").fit(train, y, n_classes=N_CLASSES)  # so the answers are unsure
    assert fitted.expected_.level < -0.1
    assert fitted.temperature_ == Temperature()
    none = np.arange(0)
    assert fitted.calibrate(taken(train, none), y[none]).temperature_ == fitted.expected_


def test_votes_that_pull_to_the_large_category_leave_the_answer_to_the_machines():
    train, y = toy_blocks(300, kinds=WORDS, misleading=0.3)
    rare = np.flatnonzero(y > 0)
    y = np.where(np.isin(np.arange(len(y)), rare[::4]) | (y == 0), y, -1)
    # Of networks that are not told to heed them the rare categories get no vote.
    fitted = classifier("network.epochs=2", "network.balance=0").fit(train, y, n_classes=N_CLASSES)
    assert fitted.vote_share_ < 1
    books = fitted.encode(train)
    settled = fitted.scores(books)
    fitted.vote_share_ = 1.0
    whole = fitted.scores(books)
    changed = np.flatnonzero(settled.argmax(axis=1) != whole.argmax(axis=1))
    assert len(changed) > 0
    assert (settled.argmax(axis=1)[changed] > 0).mean() > 0.5


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


@pytest.mark.parametrize("y", [[0, 1], [0, 0, 1], [0, 1, 2, 2], [0, -1, 1, -1]])
def test_a_handful_of_books_is_learned_from(y, blocks):
    train, _ = toy_blocks(len(y))
    fusion = classifier("network.epochs=1").fit(train, np.array(y), n_classes=N_CLASSES)
    np.testing.assert_allclose(fusion.predict_proba(blocks).sum(axis=1), 1)
