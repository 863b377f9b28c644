"""Support vector machine and combined scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import log_softmax, softmax
from sklearn.svm import LinearSVC

from classifier.pipeline.config import Config
from classifier.pipeline.evaluation.splits import stratified_folds
from classifier.pipeline.fusion import svm as svm_module
from classifier.pipeline.fusion.svm import FusedSvm, best_vote_share, combine_scores


def clouds(rng, *, per_class: int, n_classes: int, spread: float = 0.3):
    """Draw points round as many centres."""
    centres = np.eye(n_classes) * 2
    y = np.repeat(np.arange(n_classes), per_class)
    return (centres[y] + rng.normal(0, spread, (len(y), n_classes))).astype(np.float32), y


def nothing(y, n_classes: int) -> np.ndarray:
    """Return votes of networks that know nothing."""
    return np.full((len(y), n_classes), -np.log(n_classes), np.float32)


def informative_votes(rng, y, n_classes: int, strength: float) -> np.ndarray:
    """Return votes that lean towards the right class."""
    scores = rng.normal(0, 1, (len(y), n_classes)) + strength * np.eye(n_classes)[y]
    return log_softmax(scores, axis=1).astype(np.float32)


def machine(*settings: str, seed: int = 0) -> FusedSvm:
    return FusedSvm(settings=Config().with_settings(["svm.C=1", *settings]).svm, seed=seed)


def folds(y) -> np.ndarray:
    return stratified_folds(y, folds=min(3, len(y)), rng=np.random.default_rng(0))


def fitted(X, y, *settings: str, n_classes: int, seed: int = 0) -> FusedSvm:
    return machine(*settings, seed=seed).fit(X, nothing(y, n_classes), y, fold=folds(y))


@pytest.mark.parametrize("n_classes", [2, 4])
def test_separable_clouds_are_classified(n_classes):
    rng = np.random.default_rng(0)
    X, y = clouds(rng, per_class=20, n_classes=n_classes)
    svm = fitted(X, y, n_classes=n_classes)
    X, y = clouds(rng, per_class=10, n_classes=n_classes)
    scores = svm.scores(X, nothing(y, n_classes))
    assert scores.shape == (len(y), n_classes)
    assert (scores.argmax(axis=1) == y).mean() > 0.95
    assert np.array_equal(scores.argmax(axis=1), svm.decision(X).argmax(axis=1))


@pytest.mark.parametrize("known", [[0, 3], [1, 2, 3]])
def test_empty_class_ranks_last(known):
    X, y = clouds(np.random.default_rng(0), per_class=12, n_classes=4)
    rows = np.isin(y, known)
    svm = fitted(X[rows], y[rows], n_classes=4)
    decision = svm.decision(X)
    unknown = [c for c in range(4) if c not in known]
    assert (decision[:, unknown].max(axis=1) < decision[:, known].min(axis=1)).all()
    assert (decision[rows].argmax(axis=1) == y[rows]).all()


def test_single_and_batch_scores_agree():
    X, y = clouds(np.random.default_rng(0), per_class=12, n_classes=4, spread=1)
    svm = fitted(X[y != 2], y[y != 2], n_classes=4)
    alone = np.vstack([svm.decision(X[[i]]) for i in range(len(X))])
    np.testing.assert_allclose(alone, svm.decision(X), rtol=1e-5, atol=1e-6)


def test_overlapping_clouds_are_uncertain():
    rng = np.random.default_rng(0)
    X, y = clouds(rng, per_class=100, n_classes=3, spread=2.5)
    svm = fitted(X, y, n_classes=3)
    X, y = clouds(rng, per_class=200, n_classes=3, spread=2.5)
    probabilities = softmax(svm.scores(X, nothing(y, 3)), axis=1)
    accuracy = (probabilities.argmax(axis=1) == y).mean()
    assert accuracy < 0.8
    assert abs(probabilities.max(axis=1).mean() - accuracy) < 0.08


def test_informative_decisions_weigh_more():
    rng = np.random.default_rng(0)
    sharp, dull = (
        fitted(*clouds(rng, per_class=30, n_classes=3, spread=spread), n_classes=3) for spread in (0.3, 3)
    )
    assert sharp.svm_weight_ > dull.svm_weight_ > 0


@pytest.mark.parametrize("changes", [[], ["svm.max_books=60"]])
def test_votes_weigh_by_their_information(changes):
    rng = np.random.default_rng(0)
    X, y = clouds(rng, per_class=60, n_classes=3, spread=2)
    weights = [
        machine(*changes).fit(X, informative_votes(rng, y, 3, strength), y, fold=folds(y)).vote_weight_
        for strength in (0, 1.5, 4)
    ]
    assert weights[0] < 0.25 < weights[1]
    assert weights[2] > 0.5


@pytest.mark.parametrize("changes", [[], ["svm.max_books=100"]])
def test_combined_scores_beat_either_part(changes):
    rng = np.random.default_rng(0)
    X, y = clouds(rng, per_class=100, n_classes=3, spread=1.5)
    svm = machine(*changes).fit(X, informative_votes(rng, y, 3, 1), y, fold=folds(y))
    X, y = clouds(rng, per_class=300, n_classes=3, spread=1.5)
    votes = informative_votes(rng, y, 3, 1)

    def cost(scores: np.ndarray) -> float:
        return -log_softmax(scores, axis=1)[np.arange(len(y)), y].mean()

    assert cost(svm.scores(X, votes)) < min(cost(votes), cost(svm.svm_weight_ * svm.decision(X)))
    for factor in (0.5, 2):
        assert cost(svm.scores(X, votes)) < cost(factor * svm.scores(X, votes))


@pytest.mark.parametrize("y", [[0, 1], [0, 0, 1]])
def test_too_few_books_rely_on_votes(y):
    y = np.array(y)
    X = np.eye(3, dtype=np.float32)[y]
    svm = fitted(X, y, n_classes=3)
    assert (svm.svm_weight_, svm.vote_weight_) == (0, 1)
    votes = informative_votes(np.random.default_rng(0), y, 3, 1)
    assert np.array_equal(svm.scores(X, votes), votes)


def test_balance_favours_rare_classes():
    X, y = clouds(np.random.default_rng(0), per_class=120, n_classes=2, spread=2)
    kept = (y == 0) | (np.arange(len(y)) % 10 == 0)
    shares = [
        fitted(X[kept], y[kept], f"svm.balance={balance}", n_classes=2).decision(X).argmax(axis=1).mean()
        for balance in (0, 0.5, 1)
    ]
    assert shares[0] < shares[1] < shares[2]


def test_training_is_reproducible():
    X, y = clouds(np.random.default_rng(0), per_class=30, n_classes=3, spread=2)
    settings = ["svm.max_books=40"]
    votes = informative_votes(np.random.default_rng(1), y, 3, 1)
    first, second = (
        machine(*settings, seed=4).fit(X, votes, y, fold=folds(y)).scores(X, votes) for _ in range(2)
    )
    assert np.array_equal(first, second)


def test_each_fold_learns_from_a_sample_of_the_others(monkeypatch):
    X, y = clouds(np.random.default_rng(0), per_class=60, n_classes=3)
    sizes = []

    class Recorded(LinearSVC):
        def fit(self, X, y, sample_weight=None):
            sizes.append(len(y))
            return super().fit(X, y, sample_weight)

    monkeypatch.setattr(svm_module, "LinearSVC", Recorded)
    few = fitted(X, y, "svm.max_books=30", n_classes=3)
    assert sizes == [30, 30, 30]
    assert np.isfinite(few.out_of_fold_decision_).all()
    assert (few.decision(X).argmax(axis=1) == y).mean() > 0.95


@given(counts=st.lists(st.integers(0, 4), min_size=2, max_size=5), seed=st.integers(0, 99))
def test_smallest_input_is_learned(counts, seed):
    if sum(count > 0 for count in counts) < 2:
        return
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(counts)), counts)
    X = rng.normal(size=(len(y), 3)).astype(np.float32)
    votes = informative_votes(rng, y, len(counts), 1)
    scores = machine(seed=seed).fit(X, votes, y, fold=folds(y)).scores(X, votes)
    assert scores.shape == (len(y), len(counts))
    assert np.isfinite(scores).all()


weighted = arrays(np.float64, (4, 3), elements=st.floats(-50, 50).map(lambda value: round(value, 3)))


@given(weighted, weighted, st.floats(0, 1))
def test_preferred_category_has_the_highest_score(decision, vote, share):
    scores = combine_scores(decision, vote, vote_share=share)
    ours, whole = decision + share * vote, decision + vote
    for book, answer in enumerate(scores.argmax(axis=1)):
        assert ours[book, answer] == ours[book].max()
        others = np.arange(3) != answer
        assert np.array_equal(scores[book, others], whole[book, others])
        # No surer of it than of what was likeliest.
        assert whole[book, answer] <= scores[book, answer] <= whole[book].max() + 0.01


@given(weighted, weighted)
def test_full_vote_share_changes_nothing(decision, vote):
    assert np.array_equal(combine_scores(decision, vote, vote_share=1), decision + vote)


def test_majority_votes_get_no_share():
    y = np.repeat([0, 1, 2], [80, 10, 10])
    decision = np.eye(3)[y]
    large = np.tile([2.0, 0, 0], (100, 1))
    assert best_vote_share(decision, large, y) == 0.25
    assert best_vote_share(decision, 8 * large, y) == 0


def test_informative_votes_keep_their_share():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [80, 10, 10])
    vote = np.eye(3)[y]
    assert best_vote_share(rng.normal(0, 0.5, (100, 3)), 2 * vote, y) == 1
    # Of equals the whole vote is kept.
    assert best_vote_share(vote, vote, y) == 1
    assert best_vote_share(np.empty((0, 3)), np.empty((0, 3)), np.empty(0, int)) == 1


def test_scores_use_the_vote_share():
    rng = np.random.default_rng(0)
    X, y = clouds(rng, per_class=40, n_classes=3, spread=1.5)
    votes = informative_votes(rng, y, 3, 1)
    svm = machine().fit(X, votes, y, fold=folds(y))
    whole, none = svm.scores(X, votes), svm.scores(X, votes, vote_share=0)
    assert np.array_equal(none.argmax(axis=1), svm.decision(X).argmax(axis=1))
    assert (none.argmax(axis=1) != whole.argmax(axis=1)).any()
